"""Checkpoints that are one file in their makers' names give the same numbers as the pipeline that they came from."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import FluxPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from app.base_models.recognition import of_tensors
from tests.worker.image import tiny, tiny_flux
from worker.engines.contracts import AdapterFile, Base, EngineError, GenerationInputs, TrainingInputs
from worker.engines.image.base import model_cache, single_file
from worker.engines.image.families import stable_diffusion, stable_diffusion_xl

UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}


def _unet_name(name: str, layers: int) -> str:
    """diffusers' name of a U-Net's tensor as CompVis' code has it."""
    for ours, theirs in (
        ("conv_in", "input_blocks.0.0"),
        ("time_embedding.linear_1", "time_embed.0"),
        ("time_embedding.linear_2", "time_embed.2"),
        ("add_embedding.linear_1", "label_emb.0.0"),
        ("add_embedding.linear_2", "label_emb.0.2"),
        ("conv_norm_out", "out.0"),
        ("conv_out", "out.2"),
        ("mid_block.resnets.0", "middle_block.0"),
        ("mid_block.attentions.0", "middle_block.1"),
        ("mid_block.resnets.1", "middle_block.2"),
    ):
        if name.startswith(f"{ours}."):
            name = theirs + name.removeprefix(ours)
    if down := re.match(r"down_blocks\.(\d+)\.(resnets|attentions|downsamplers)\.(\d+)\.", name):
        block, kind, layer = int(down[1]), down[2], int(down[3])
        first = 1 + block * (layers + 1)
        place = {
            "resnets": f"{first + layer}.0.",
            "attentions": f"{first + layer}.1.",
            "downsamplers": f"{first + layers}.0.",
        }[kind]
        name = "input_blocks." + place + name[down.end() :]
        name = name.replace(".0.conv.", ".0.op.") if kind == "downsamplers" else name
    if up := re.match(r"up_blocks\.(\d+)\.(resnets|attentions|upsamplers)\.(\d+)\.", name):
        block, kind, layer = int(up[1]), up[2], int(up[3])
        first = block * (layers + 1)
        place = {
            "resnets": f"{first + layer}.0.",
            "attentions": f"{first + layer}.1.",
            "upsamplers": f"{first + layers}.2.",
        }[kind]
        name = "output_blocks." + place + name[up.end() :]
    for ours, theirs in UNET_RESNET.items():
        name = re.sub(rf"((?:put|middle)_blocks?\.[\d.]*){ours}\.", rf"\g<1>{theirs}.", name)
    return f"model.diffusion_model.{name}"


def _vae_name(name: str, last: int) -> str:
    name = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
    name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{last - int(m[1])}.block.{m[2]}", name)
    name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{last - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    for ours, theirs in (
        ("mid_block.attentions.0.group_norm", "mid.attn_1.norm"),
        ("mid_block.attentions.0.to_q", "mid.attn_1.q"),
        ("mid_block.attentions.0.to_k", "mid.attn_1.k"),
        ("mid_block.attentions.0.to_v", "mid.attn_1.v"),
        ("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out"),
        ("conv_norm_out", "norm_out"),
        ("conv_shortcut", "nin_shortcut"),
    ):
        name = name.replace(ours, theirs)
    return f"first_stage_model.{name}"


def _clip_l(text: torch.nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    """As transformers called it when the files were made."""
    return {
        prefix + (name if name.startswith("text_model.") else f"text_model.{name}"): tensor
        for name, tensor in text.state_dict().items()
    }


def _open_clip(text: torch.nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    """As open_clip has it, where queries, keys and values are one layer and the projection stands the other way."""
    theirs, attention = {}, {}
    for name, tensor in text.state_dict().items():
        plain = name.removeprefix("text_model.")
        if found := re.match(r"encoder\.layers\.(\d+)\.self_attn\.([qkv])_proj\.(weight|bias)", plain):
            attention[found.groups()] = tensor
            continue
        for ours, word in (
            ("embeddings.position_embedding.weight", "positional_embedding"),
            ("embeddings.token_embedding", "token_embedding"),
            ("text_projection.weight", "text_projection"),
            ("final_layer_norm", "ln_final"),
            ("encoder.layers.", "transformer.resblocks."),
            ("layer_norm", "ln_"),
            ("self_attn.", "attn."),
            ("mlp.fc1", "mlp.c_fc"),
            ("mlp.fc2", "mlp.c_proj"),
        ):
            plain = plain.replace(ours, word)
        theirs[prefix + plain] = tensor.T if plain == "text_projection" else tensor
    for number, kind in {(number, kind) for number, _, kind in attention}:
        whole = torch.cat([attention[number, part, kind] for part in "qkv"])
        theirs[f"{prefix}transformer.resblocks.{number}.attn.in_proj_{kind}"] = whole
    return theirs | {f"{prefix}logit_scale": torch.tensor(4.6)}


def write_original(
    pipeline: StableDiffusionPipeline | StableDiffusionXLPipeline, path: Path, **more: torch.Tensor
) -> None:
    """The pipeline as one file in the names that Stable Diffusion's and SDXL's first code gave."""
    layers = pipeline.unet.config.layers_per_block
    tensors = {_unet_name(name, layers): tensor for name, tensor in pipeline.unet.state_dict().items()}
    for name, tensor in pipeline.vae.state_dict().items():
        theirs = _vae_name(name, 2)
        is_attention = re.search(r"attn_1\.(q|k|v|proj_out)\.weight$", theirs)
        tensors[theirs] = tensor[:, :, None, None] if is_attention else tensor
    if isinstance(pipeline, StableDiffusionXLPipeline):
        tensors |= _clip_l(pipeline.text_encoder, "conditioner.embedders.0.transformer.")
        tensors |= _open_clip(pipeline.text_encoder_2, "conditioner.embedders.1.model.")
    else:
        tensors |= _clip_l(pipeline.text_encoder, "cond_stage_model.transformer.")
    save_file({name: tensor.contiguous().clone() for name, tensor in (tensors | more).items()}, path)


@pytest.fixture
def parts(tmp_path: Path) -> tuple[StableDiffusionPipeline, Path, Path]:
    """A tiny pipeline, its folder without any weights, and its checkpoint as one file."""
    pipeline = tiny.pipeline()
    folder, file = tmp_path / "parts", tmp_path / "house.safetensors"
    pipeline.save_pretrained(folder)
    for weights in folder.rglob("*.safetensors"):
        weights.unlink()
    write_original(pipeline, file)
    return pipeline, folder, file


def _weights(pipeline: StableDiffusionPipeline | StableDiffusionXLPipeline) -> dict[str, torch.Tensor]:
    models = {part: model for part, model in pipeline.components.items() if isinstance(model, torch.nn.Module)}
    return {f"{part}.{name}": tensor for part, model in models.items() for name, tensor in model.state_dict().items()}


@pytest.mark.slow
def test_a_stable_diffusion_file_loads_to_the_last_bit_and_draws(
    parts: tuple[StableDiffusionPipeline, Path, Path], tmp_path: Path
) -> None:
    pipeline, folder, file = parts
    base = Base("house", "stable_diffusion", str(file), parts=str(folder))
    loaded = single_file.stable_diffusion(
        StableDiffusionPipeline, base, torch.float32, safety_checker=None, requires_safety_checker=False
    )
    ours, theirs = _weights(pipeline), _weights(loaded)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    whole = tmp_path / "whole"
    pipeline.save_pretrained(whole)
    drawn = []
    for one in (base, Base("whole", "stable_diffusion", str(whole))):
        out = tmp_path / f"out-{one.key}"
        made = stable_diffusion.generate(tiny.generation_recipe(count=1), GenerationInputs(one), out, tiny.Recorder())
        drawn.append([picture.path.read_bytes() for picture in made])
    model_cache.drop()
    assert drawn[0] == drawn[1]


@pytest.mark.slow
def test_an_sdxl_file_loads_to_the_last_bit_trains_and_draws(tmp_path: Path) -> None:
    """In Stability's names, with open_clip's second text encoder: the same adapter and picture as from the pipeline."""
    pipeline, folder, file = tiny.xl_pipeline(), tmp_path / "parts", tmp_path / "house.safetensors"
    pipeline.save_pretrained(folder)
    whole = shutil.copytree(folder, tmp_path / "whole")
    for weights in folder.rglob("*.safetensors"):
        weights.unlink()
    write_original(pipeline, file)
    with safe_open(file, "pt") as opened:
        assert of_tensors(set(opened.keys())).family == "stable_diffusion_xl"
    base = Base("house", "stable_diffusion_xl", str(file), parts=str(folder))
    loaded = single_file.stable_diffusion(StableDiffusionXLPipeline, base, torch.float32, add_watermarker=False)
    ours, theirs = _weights(pipeline), _weights(loaded)
    assert ours.keys() == theirs.keys()
    assert {name.split(".")[0] for name in ours} == {"unet", "vae", "text_encoder", "text_encoder_2"}
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    outcomes = []
    for one in (base, Base("house", "stable_diffusion_xl", str(whole))):
        out = tmp_path / f"from-{Path(one.source).name}"
        recipe = tiny.training_recipe(
            steps=2, train_text_encoder=True, learning_rate=3e-2, text_encoder_lr=3e-2, checkpoint_every=9
        )
        pictures = tiny.pictures(tmp_path / "pictures")
        trained = stable_diffusion_xl.train(recipe, TrainingInputs(one, pictures), out, tiny.Recorder())
        inputs = GenerationInputs(one, (AdapterFile("a", trained.weights, 1.0),))
        order = tiny.generation_recipe(count=1)
        drawn = [stable_diffusion_xl.generate(order, GenerationInputs(one), out / "plain", tiny.Recorder())]
        drawn.append(stable_diffusion_xl.generate(order, inputs, out / "adapted", tiny.Recorder()))
        shown = [picture.path.read_bytes() for pictures_of_it in drawn for picture in pictures_of_it]
        outcomes.append((load_file(trained.weights), shown))
        model_cache.drop()
    (adapter, shown), (its_adapter, its_shown) = outcomes
    assert adapter.keys() == its_adapter.keys()
    assert all(torch.equal(adapter[name], its_adapter[name]) for name in adapter)
    assert shown == its_shown and shown[0] != shown[1]


def test_a_file_that_predicts_velocity_says_so(parts: tuple[StableDiffusionPipeline, Path, Path]) -> None:
    pipeline, folder, file = parts
    write_original(pipeline, file, v_pred=torch.ones(1), ztsnr=torch.ones(1))
    base = Base("house", "stable_diffusion", str(file), parts=str(folder))
    loaded = single_file.stable_diffusion(
        StableDiffusionPipeline, base, torch.float32, safety_checker=None, requires_safety_checker=False
    )
    assert loaded.scheduler.config.prediction_type == "v_prediction"
    assert loaded.scheduler.config.rescale_betas_zero_snr


def test_a_file_without_its_configuration_is_refused_in_words(
    parts: tuple[StableDiffusionPipeline, Path, Path],
) -> None:
    _, folder, file = parts
    shutil.rmtree(folder)
    base = Base("house", "stable_diffusion", str(file), parts=str(folder))
    with pytest.raises(EngineError, match="house"):
        single_file.stable_diffusion(StableDiffusionPipeline, base, torch.float32)


def _flux_original(pipeline: FluxPipeline) -> dict[str, torch.Tensor]:
    """The transformer as Black Forest Labs' code names it."""
    ours = dict(pipeline.transformer.state_dict())
    theirs: dict[str, torch.Tensor] = {}
    for place, name in single_file.EMBEDDERS.items():
        for kind in ("weight", "bias"):
            theirs[f"{place}.{kind}"] = ours.pop(f"{name}.{kind}")
    for kind in ("weight", "bias"):
        scale, shift = ours.pop(f"norm_out.linear.{kind}").chunk(2)
        theirs[f"final_layer.adaLN_modulation.1.{kind}"] = torch.cat([shift, scale])
    for blocks, prefix, names, fused in (
        ("transformer_blocks", "double_blocks", single_file.IN_DOUBLE_BLOCKS, ("img_attn.qkv", "txt_attn.qkv")),
        ("single_transformer_blocks", "single_blocks", single_file.IN_SINGLE_BLOCKS, ("linear1",)),
    ):
        for number in range(len(getattr(pipeline.transformer, blocks))):
            for place, name in names.items():
                for kind in ("weight", "bias"):
                    tensor = ours.pop(f"{blocks}.{number}.{name}.{kind}", None)
                    if tensor is not None:
                        theirs[f"{prefix}.{number}.{place}.{'scale' if 'norm.' in place else kind}"] = tensor
            for place in fused:
                for kind in ("weight", "bias"):
                    pieces = [ours.pop(f"{blocks}.{number}.{part}.{kind}") for part in single_file.FUSED[place]]
                    theirs[f"{prefix}.{number}.{place}.{kind}"] = torch.cat(pieces)
    assert not ours, sorted(ours)
    return theirs


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_a_flux_file_holds_the_transformer_and_the_rest_lies_beside_it(tmp_path: Path, prefix: str) -> None:
    pipeline, folder, file = tiny_flux.flux(), tmp_path / "parts", tmp_path / "flux.safetensors"
    pipeline.save_pretrained(folder)
    for weights in (folder / "transformer").glob("*.safetensors"):
        weights.unlink()
    tensors = {f"{prefix}{name}": tensor.contiguous() for name, tensor in _flux_original(pipeline).items()}
    save_file(tensors, file)
    assert of_tensors(tensors).family == "flux" and not of_tensors(tensors).is_distilled
    loaded = single_file.flux(FluxPipeline, Base("house", "flux", str(file), parts=str(folder)), torch.float32)
    ours, theirs = pipeline.transformer.state_dict(), loaded.transformer.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert torch.equal(loaded.vae.encoder.conv_in.weight, pipeline.vae.encoder.conv_in.weight)
    save_file({name: tensor for name, tensor in tensors.items() if "single_blocks.1." not in name}, file)
    with pytest.raises(EngineError, match="other tensors"):
        single_file.flux(FluxPipeline, Base("house", "flux", str(file), parts=str(folder)), torch.float32)
