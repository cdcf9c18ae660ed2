"""What ``pins`` lets the engines do: trainings and drawings of every family in many settings."""

from tests.tools.pinned_runs import LONG, Case, draw, shipped, train, train_voice, write
from tests.worker.text import tiny as tiny_text
from worker.engines.contracts import Cancelled
from worker.engines.text_contracts import Said

EVERYTHING = {
    "network": "rslora",
    "flip": True,
    "crops": 2,
    "shuffle_caption": True,
    "caption_dropout": 0.4,
    "noise_offset": 0.05,
    "lr_scheduler": "cosine",
    "warmup_steps": 2,
    "ema_decay": 0.9,
    "gradient_accumulation_steps": 2,
    "class_prompt": "a jar",
    "num_class_images": 5,
    "prior_loss_weight": 0.5,
    "sample_prompts": ("[trigger] jar", LONG),
    "target_modules": "attention_and_feed_forward",
}
CASES: dict[str, Case] = {}
for _name in ("sd", "xl", "dev", "klein"):
    _has_clip = _name != "klein"
    CASES |= {
        f"{_name} train plain": train(_name),
        f"{_name} train everything": train(_name, stop_at=3, mixed=True, **EVERYTHING),
        f"{_name} train sizes": train(_name, mixed=True, extra_resolutions=(96,), compile=False, weight_decay=0.1),
        f"{_name} train lokr": train(_name, network="lokr", target_modules="all_layers", stop_at=2, ema_decay=0.5),
        f"{_name} train dora": train(_name, network="dora", optimizer="prodigy", learning_rate=1.0, stop_at=3),
        f"{_name} train nf4": train(_name, quantization="nf4", gradient_checkpointing=True, batch_size=1, stop_at=1),
        f"{_name} train int8": train(_name, quantization="int8", steps=2),
        f"{_name} train eight bits": train(_name, optimizer="adamw_8bit", rank=128, alpha=128.0, steps=3, stop_at=2),
        f"{_name} train short": train(
            _name, short=True, batch_size=3, steps=3, class_prompt="a jar", num_class_images=2
        ),
        f"{_name} train cancelled": train(_name, stop=Cancelled, stop_at=3, ema_decay=0.9),
        f"{_name} draw default": draw(_name, count=3, negative_prompt=LONG, guidance_scale=4.0),
        f"{_name} draw strip": draw(_name, ("lora", 1.0), count=4, strengths=(0, 0.5, 1.0, 2.0), again=True),
        f"{_name} draw several": draw(_name, ("lora", 0.7), ("dora", 0.5), ("rslora", -0.4), again=True, steps=2),
        f"{_name} draw fused": draw(_name, ("lora", 0.7), ("lokr", 0.4), count=4, steps=4, batch_size=1, again=True),
        f"{_name} draw variation": draw(_name, variation_strength=0.2, width=96, prompt=LONG),
        f"{_name} draw unguided": draw(_name, guidance_scale=1.0, negative_prompt="blue"),
        f"{_name} draw from a picture": draw(_name, ("lora", 1.0), start=True, steps=4, strength=0.6),
        f"{_name} draw masked": draw(_name, ("lora", 1.0), mask=True, steps=4, strength=0.8, scheduler="unipc"),
        f"{_name} draw masked alone": draw(_name, mask=True, steps=3, strength=1.0, guidance_scale=1.0, width=96),
        f"{_name} draw tiled": draw(_name, tiled=True, start=True, width=96),
        f"{_name} draw in turns": draw(_name, ("lora", 1.0), offload="models", batch_size=1),
        f"{_name} draw in blocks": draw(_name, ("lora", 1.0), offload="blocks"),
        f"{_name} draw nf4": draw(_name, ("lora", 1.0), quantization="nf4", count=1),
        f"{_name} draw short": draw(_name, count=4, short=True),
        f"{_name} draw cancelled": draw(_name, count=4, batch_size=1, stop_at=5),
    }
    if _has_clip:
        CASES |= {
            f"{_name} train words": train(
                _name, train_text_encoder=True, text_encoder_lr=0.1, mixed=True, stop_at=3, caption_dropout=0.5, steps=5
            ),
            f"{_name} draw words": draw(_name, ("words", 1.0), ("lora", 0.5), count=2, negative_prompt="blue"),
            f"{_name} draw words in a strip": draw(_name, ("words", 1.0), count=2, strengths=(0, 1.5), again=True),
        }
for _name in ("dev", "klein"):
    CASES |= {
        f"{_name} draw {_sampler}": draw(_name, scheduler=_sampler, count=1) for _sampler in ("euler", "dpmpp_2m")
    }
    CASES[f"{_name} train waiting"] = train(
        _name,
        block_offload=True,
        gradient_checkpointing=True,
        timestep_sampling="uniform",
        timestep_shift=2.0,
        stop_at=2,
    )
for _name in ("sd", "xl"):
    CASES |= {
        f"{_name} draw {_sampler}": draw(_name, scheduler=_sampler, count=2, start=_sampler == "euler_a")
        for _sampler in ("ddim", "euler", "euler_a", "dpmpp_2m")
    }
CASES |= {
    "sd train skipping": train("sd", clip_skip=2, train_text_encoder=True, mixed=True, min_snr_gamma=None),
    "sd draw skipping": draw("sd", ("words", 1.0), clip_skip=2, negative_prompt=LONG),
    "sd-v train": train("sd-v", steps=3, clip_skip=2),
    "sd-v draw": draw("sd-v", scheduler="ddim"),
    "builtin train": train("builtin", steps=3, stop_at=2, sample_prompts=("a red [trigger] apple",), mixed=True),
    "builtin draw": draw("builtin", ("lora", 1.0), mask=True, steps=3),
    "builtin draw the shipped one": shipped(),
    "schnell train": train("schnell", steps=2, network="lokr"),
    "schnell draw": draw("schnell", ("lora", 1.0), scheduler="unipc"),
    "llm train": train_voice("llm", stop_at=3),
    "llm train given back while it is due": train_voice("llm", stop_at=2, epochs=1, early_stop_patience=1),
    "llm train unpacked": train_voice(
        "llm", packing=False, gradient_checkpointing=True, gradient_accumulation_steps=2, lr_scheduler="constant",
        target_modules="attention",
    ),
    "llm train to its early end": train_voice(
        "llm", epochs=20, learning_rate=0.05, early_stop_patience=2, measured_texts=0, sample_count=2,
        given={"texts": tiny_text.voice_texts(4, "Zx"), "held_out": tiny_text.voice_texts(3, "Quay")},
    ),
    "llm train without a held-out part": train_voice("llm", epochs=1, given={"held_out": ()}),
    "llm train short": train_voice("llm", epochs=1, short=True, batch_size=4, packing=False, max_length=128),
    "llm train cancelled": train_voice("llm", stop=Cancelled, stop_at=3),
    "llm train then coarser": train_voice(
        "llm", stop_at=3, epochs=3, then={"quantization": "nf4", "batch_size": 1, "gradient_accumulation_steps": 2}
    ),
    "llm-plain train": train_voice("llm-plain", kind="plain_text", max_length=64, stop_at=3),
    "llm-wide train nf4": train_voice("llm-wide", quantization="nf4", stop_at=2, epochs=1),
    "llm-wide train int8": train_voice("llm-wide", quantization="int8", epochs=1),
    "llm write": write("llm"),
    "llm write with a guide": write("llm", messages=(Said("system", "You write."), Said("user", "Say Tide.")), seed=3),
    "llm write the base alone": write("llm", trained=False, temperature=0.0),
    "llm write nf4": write("llm", quantization="nf4"),
    "llm-plain write": write(
        "llm-plain", kind="plain_text", messages=(Said("system", "Calm."), Said("user", "Tide! The cup"))
    ),
}  # fmt: skip
