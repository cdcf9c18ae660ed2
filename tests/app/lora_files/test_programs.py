"""What is said of the programs: of diffusers by its own readers, of the others by names that their sources look for."""

import dataclasses
import io

import numpy as np
import pytest

from app.adapters import inspecting
from app.adapters.hub import card
from app.lora_files import export, inspection, key_formats, safetensors_file
from app.lora_files.key_formats import CannotHold, UnknownKeyFormat
from app.lora_files.programs.fit import NO_DORA_IN_TEXT, OTHER_LAYERS
from app.lora_files.safetensors_file import float32_tensor
from tests.app.lora_files import forms
from tests.app.lora_files.deltas import MODULES, SD_1, SDXL, random_lora

ARCHITECTURES = tuple(MODULES)


def fits(tensors, header=None, hint=None):
    content = safetensors_file.to_bytes(tensors, header or {})
    read = safetensors_file.header_of(io.BytesIO(content), len(content))
    alphas = {name: float(tensors[name].as_float32()) for name, _ in inspection.alpha_places(read)}
    passport = inspection.of_header(read, len(content), alphas, {})
    return {fit.program: fit for fit in passport.programs}


def loaded(fit):
    return fit.loaded, fit.total


def renamed(tensors, old, new):
    return {name.replace(old, new): tensor for name, tensor in tensors.items()}


# diffusers, measured


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("form", forms.FORMS)
def test_diffusers_reads_what_is_said_of_it(tmp_path, architecture, form):
    from tests.app.lora_files import diffusers_reading

    lora = random_lora(forms.modules_of(architecture), architecture, alpha=forms.alpha_of(form))
    # A file with all kinds of layers, and one with attention alone, as most have.
    attention = [name for name in lora.alphas if ".attn" in name or ".attention." in name]
    for alphas in (lora.alphas, {name: lora.alphas[name] for name in attention}):
        try:
            tensors, header = forms.written(dataclasses.replace(lora, alphas=alphas), form)
            names = key_formats.parse(tensors, header, architecture)
        except (CannotHold, UnknownKeyFormat):
            continue
        arrived = diffusers_reading.arriving(tensors, header, lora, tmp_path)
        whole = set(key_formats.read(tensors, header, architecture).alphas)
        fit = fits(tensors, header)["diffusers"]
        assert fit.total == sum(2 for _ in names.layers)
        assert (fit.loaded == fit.total) == (whole <= arrived), (fit, whole - arrived)
        assert bool(fit.loaded) == bool(arrived)
        if fit.loaded not in (0, fit.total):
            missed = [one.path for one in names.layers if not _modules_of(one, tensors, header, architecture) & arrived]
            assert fit.total - fit.loaded == 2 * len(missed), missed


def _modules_of(layer, tensors, header, architecture):
    own = {name: tensors[name] for name in layer.names.values()}
    return set(key_formats.read(own, header, architecture).alphas)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dialect", ["canonical", "kohya", "comfyui"])
def test_diffusers_keeps_as_many_of_doras_lengths_as_is_said(tmp_path, architecture, dialect):
    from tests.app.lora_files import diffusers_reading

    modules = {name: shape for name, shape in forms.modules_of(architecture).items() if "context_refiner" not in name}
    modules = {name: shape for name, shape in modules.items() if "text_encoder_2" not in name or "xl" in architecture}
    lora = random_lora(modules, architecture, dora=True)
    tensors, header = key_formats.write(lora, dialect)
    fit = fits(tensors, header)["diffusers"]
    if fit.loaded:
        kept = diffusers_reading.lengths_arriving(tensors, header, lora, tmp_path)
        denoiser = [module for module in lora.alphas if not module.startswith("text_encoder")]
        assert kept in (0, len(denoiser))
        assert ("lengths" in fit.reason) == (kept < len(lora.alphas)), fit
        assert kept == 0 or fit.total - fit.loaded == len(lora.alphas) - kept, fit


def test_diffusers_leaves_out_doras_lengths_of_text_encoders_alone():
    """Measured in tests/worker/image/test_xl_files.py."""
    lora = random_lora(SDXL, "stable_diffusion_xl", dora=True)
    fit = fits(*key_formats.write(lora, "canonical"))["diffusers"]
    assert loaded(fit) == (51, 54) and NO_DORA_IN_TEXT in fit.reason
    u_net = random_lora(
        {name: SDXL[name] for name in SDXL if name.startswith("unet.")}, "stable_diffusion_xl", dora=True
    )
    fit = fits(*key_formats.write(u_net, "canonical"))["diffusers"]
    assert loaded(fit) == (45, 45) and not fit.reason


# AUTOMATIC1111: extensions-builtin/Lora/networks.py


def test_a1111_tries_sdxls_name_of_the_text_encoder_in_sd_1_too():
    kohya = key_formats.to_kohya(random_lora(SD_1, "stable_diffusion_1"), "stable_diffusion_1")
    assert loaded(fits(renamed(kohya, "lora_te_", "lora_te1_"))["a1111"]) == (14, 14)
    second = renamed(kohya, "lora_te_", "lora_te2_")
    assert loaded(fits(second, {"ss_base_model_version": "sd_v1"})["a1111"]) != (14, 14)


def test_a1111_has_no_place_for_sdxls_last_projection():
    kohya = key_formats.to_kohya(random_lora(SDXL, "stable_diffusion_xl"), "stable_diffusion_xl")
    fit = fits(kohya)["a1111"]
    assert loaded(fit) == (34, 36) and fit.reason == OTHER_LAYERS


def test_a1111_puts_sdxls_first_upsampler_where_sd_1_has_it():
    lora = random_lora(SDXL, "stable_diffusion_xl")
    flat, _ = forms.written(lora, "kohya_diffusers")
    # The upsampler, the added conditions, and the projection of the second text encoder.
    assert loaded(fits(flat)["a1111"]) == (30, 36)
    alone = random_lora({"unet.up_blocks.0.upsamplers.0.conv": (8, 8, 3), **_cross(768)}, "stable_diffusion_1")
    assert loaded(fits(forms.written(alone, "kohya_diffusers")[0])["a1111"]) == (4, 4)


def test_a1111_refuses_a_whole_file_over_one_layer_in_other_words():
    kohya = key_formats.to_kohya(random_lora(SD_1, "stable_diffusion_1"), "stable_diffusion_1")
    name = next(name for name in kohya if name.startswith("lora_unet") and "lora_down" in name)
    module = name.removesuffix(".lora_down.weight")
    other = {key: tensor for key, tensor in kohya.items() if not key.startswith(f"{module}.lora_")}
    other |= {
        f"{module}.lora_A.weight": kohya[name],
        f"{module}.lora_B.weight": kohya[f"{module}.lora_up.weight"],
    }
    assert loaded(fits(other)["a1111"]) == (0, 14)


@pytest.mark.parametrize(("rows", "reasons"), [(True, ("column", "column", "base's rows")), (False, ("", "", ""))])
def test_doras_lengths_of_rows_are_those_of_columns_for_a1111_and_invokeai(rows, reasons):
    kohya = key_formats.to_kohya(random_lora(SD_1, "stable_diffusion_1", dora=True), "stable_diffusion_1")
    if not rows:
        kohya = {
            name: float32_tensor(np.ones((1, *kohya[name.replace("dora_scale", "lora_down.weight")].shape[1:])))
            if name.endswith("dora_scale")
            else tensor
            for name, tensor in kohya.items()
        }
    found = fits(kohya)
    for program, reason in zip(("a1111", "invokeai", "comfyui"), reasons, strict=True):
        assert found[program].loaded == 21
        assert reason in found[program].reason and bool(reason) == bool(found[program].reason)
    assert loaded(found["kohya"]) == (14, 21)


# ComfyUI: comfy/lora.py


@pytest.mark.parametrize(
    ("architecture", "form", "missed"),
    [
        ("stable_diffusion_1", "kohya_diffusers", 0),
        ("stable_diffusion_xl", "comfyui", 0),
        ("stable_diffusion_1", "prefixed", 7),  # its own prefix and diffusers' path behind it
        ("flux_1", "onetrainer", 0),
        ("flux_1", "canonical", 2),  # the T5
        ("flux_1", "prefixed", 25),
        ("flux_1", "kohya_diffusers", 22),
        ("flux_2", "canonical", 1),  # modulations that all blocks share
        ("flux_2", "comfyui", 0),
        ("z_image", "onetrainer", 8),
        ("z_image", "prefixed", 0),
        ("z_image", "kohya_diffusers", 5),  # attention, which is one layer there
        ("qwen_image", "onetrainer", 10),
        ("qwen_image", "kohya", 0),
        ("qwen_image", "bare_with_alphas", 0),
    ],
)
def test_comfyui(architecture, form, missed):
    modules = dict(MODULES[architecture])
    if form == "prefixed":
        modules = {name: shape for name, shape in modules.items() if not name.startswith("text_encoder")}
        missed = len(modules) if missed else 0
    lora = random_lora(modules, architecture, alpha=4.0)
    tensors, header = forms.written(lora, form)
    fit = fits(tensors, header)["comfyui"]
    assert fit.total - fit.loaded == 2 * missed, fit


def test_comfyui_knows_xlabs_names_only_of_a_whole_adapter():
    def xlabs(doubles, singles):
        layers = [(f"double_blocks.{n}.processor.qkv_lora2", 36) for n in range(doubles)]
        layers += [(f"single_blocks.{n}.processor.qkv_lora", 36) for n in range(singles)]
        return {
            f"{name}.{half}.weight": float32_tensor(np.ones((2, 12) if half == "down" else (rows, 2)))
            for name, rows in layers
            for half in ("down", "up")
        }

    assert loaded(fits(xlabs(19, 38))["comfyui"]) == (114, 114)
    assert loaded(fits(xlabs(1, 1))["comfyui"]) == (0, 4)
    assert loaded(fits(xlabs(19, 38))["forge"]) == (0, 114)


def test_forge_refuses_a_file_of_which_more_than_twelve_tensors_are_left_over():
    few = {f"unet.mid_block.attentions.0.transformer_blocks.{n}.ff.net.2": (8, 8) for n in range(3)}
    attention = "unet.mid_block.attentions.0.transformer_blocks.{}.attn1.to_q"
    for missed in (6, 7):  # ComfyUI and Forge look for attention under the names of 2023
        modules = few | {attention.format(n): (8, 8) for n in range(missed)}
        found = fits(*key_formats.write(random_lora(modules, "stable_diffusion_xl"), "canonical"))
        assert loaded(found["comfyui"]) == (6, 6 + 2 * missed)
        assert loaded(found["forge"]) == ((6, 18) if missed == 6 else (0, 20))
    assert "more than 12" in found["forge"].reason % found["forge"].params
    # Alphas count, and so do DoRA's lengths under a name that it does not look for.
    blocks = {name: shape for name, shape in MODULES["flux_1"].items() if name.startswith("transformer.t")}
    dora = fits(*key_formats.write(random_lora(blocks, "flux_1", alpha=4.0, dora=True), "canonical"))
    assert dora["comfyui"].loaded and not dora["forge"].loaded


def test_peft_files_keep_doras_lengths_from_comfyui():
    modules = {name: shape for name, shape in MODULES["flux_1"].items() if name.startswith("transformer.t")}
    lora = random_lora(modules, "flux_1", rank=4, alpha=4.0, dora=True)
    fit = fits(*key_formats.write(lora, "canonical"))["comfyui"]
    assert fit.total - fit.loaded == len(modules) and "lengths" in fit.reason


# sd-scripts: networks/lora.py and lora_flux.py


def test_sd_scripts_makes_layers_inside_its_blocks_alone():
    xl = fits(key_formats.to_kohya(random_lora(SDXL, "stable_diffusion_xl"), "stable_diffusion_xl"))["kohya"]
    # conv_in, conv_out, the two embeddings and the projection.
    assert loaded(xl) == (26, 36) and xl.reason == OTHER_LAYERS
    sd_1 = key_formats.to_kohya(random_lora(SD_1, "stable_diffusion_1"), "stable_diffusion_1")
    assert loaded(fits(sd_1)["kohya"]) == (14, 14)
    assert loaded(fits(renamed(sd_1, "lora_te_", "lora_te1_"), {"ss_base_model_version": "sd_v1"})["kohya"]) == (12, 14)
    flux = key_formats.to_kohya(random_lora(MODULES["flux_1"], "flux_1"), "flux_1")
    assert loaded(fits(flux)["kohya"]) == (32, 36)
    without = {name: tensor for name, tensor in flux.items() if not name.endswith(".alpha")}
    assert loaded(fits(without)["kohya"]) == (0, 36)


def test_sd_scripts_needs_lycoris_for_its_kinds():
    name = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    lokr = {f"{name}.lokr_w1": float32_tensor(np.ones((2, 2))), f"{name}.lokr_w2": float32_tensor(np.ones((4, 4)))}
    fit = fits(lokr)["kohya"]
    assert loaded(fit) == (2, 2) and fit.params == {"kind": "LoKr"} and "LyCORIS" in fit.reason


# InvokeAI: backend/patches


def test_invokeai_turns_stabilitys_names_for_sdxl_alone():
    xl = key_formats.to_kohya(random_lora(SDXL, "stable_diffusion_xl"), "stable_diffusion_xl")
    assert loaded(fits(xl)["invokeai"]) == (36, 36)
    other = renamed(xl, "lora_te1_", "lora_te_")
    assert loaded(fits(other)["invokeai"]) == (0, 36)
    name = "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k"
    plain = {
        f"{name}.lora_down.weight": float32_tensor(np.ones((2, 768))),
        f"{name}.lora_up.weight": float32_tensor(np.ones((8, 2))),
    }
    assert loaded(fits(plain)["invokeai"]) == (0, 2)
    assert loaded(fits(key_formats.write(random_lora(SD_1, "stable_diffusion_1"), "canonical")[0])["invokeai"]) == (
        0,
        14,
    )


def test_invokeai_knows_a_flux_file_by_all_its_names():
    modules = MODULES["flux_1"]
    blocks = {name: shape for name, shape in modules.items() if "transformer_blocks" in name}
    flux = key_formats.to_kohya(random_lora(blocks, "flux_1"), "flux_1")
    assert loaded(fits(flux)["invokeai"]) == (len(flux) // 3 * 2, len(flux) // 3 * 2)
    more = key_formats.to_kohya(random_lora(blocks | {"transformer.x_embedder": (12, 64)}, "flux_1"), "flux_1")
    assert fits(more)["invokeai"].loaded == 0


def _cross(width):
    return {"unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k": (8, width)}


def klein(*, feed_forward=False, first=0):
    """[klein] 4B's attention, as wide as it is."""
    modules = {f"transformer.transformer_blocks.{first}.attn.{n}": (3072, 3072) for n in ("to_q", "to_k", "to_out.0")}
    modules[f"transformer.single_transformer_blocks.{first}.attn.to_qkv_mlp_proj"] = (27648, 3072)
    if feed_forward:
        modules[f"transformer.transformer_blocks.{first}.ff.linear_in"] = (18432, 3072)
    return random_lora(modules, "flux_2", rank=2, alpha=3.0)


def test_invokeai_would_take_the_attention_of_the_smallest_flux_2_for_flux_1():
    whole = key_formats.write(klein(feed_forward=True), "comfyui")[0]
    assert not any("txt_in" in name for name in whole) and loaded(fits(whole)["invokeai"]) == (8, 8)
    tensors, header = key_formats.write(klein(), "comfyui")
    marks = {name: tensor for name, tensor in tensors.items() if "txt_in" in name}
    assert {tensor.shape for tensor in marks.values()} == {(1, 7680), (3072, 1)}
    assert not any(any(tensor.data) for tensor in marks.values())
    for program in ("invokeai", "comfyui", "diffusers"):
        assert loaded(fits(tensors, header)[program]) == (8, 8), program
    without = {name: tensor for name, tensor in tensors.items() if name not in marks}
    fit = fits(without)["invokeai"]
    assert loaded(fit) == (0, 6) and "FLUX.1" in fit.reason
    # Read again it is the adapter that it was, and written again there is one such layer.
    read = key_formats.read(tensors, header)
    assert read.tensors == key_formats.scaled_for(klein(), "comfyui").tensors
    assert key_formats.write(read, "comfyui")[0] == tensors


def test_invokeai_knows_a_lokr_of_flux_2_only_where_it_can_work_out_its_size():
    def lokr(path, rows, columns, whole):
        second = {"lokr_w2": (rows // 4, columns // 4)}
        if not whole:
            second = {"lokr_w2_a": (rows // 4, 1), "lokr_w2_b": (1, columns // 4)}
        parts = {"lokr_w1": (4, 4)} | second
        return {
            f"diffusion_model.{path}.{part}": safetensors_file.Place("F16", shape, 0, 0)
            for part, shape in parts.items()
        }

    def told(tensors):
        header = safetensors_file.Header(tensors, {"ss_base_model_version": "flux2"}, 0)
        return {fit.program: fit for fit in inspection.of_header(header, 1, {}, {}).programs}["invokeai"]

    proj = "double_blocks.0.img_attn.proj"
    assert told(lokr(proj, 4096, 4096, True)).loaded == 2
    assert not told(lokr(proj, 4096, 4096, False)).loaded
    assert not told(lokr(proj, 3072, 3072, True)).loaded
    both = lokr(proj, 3072, 3072, True) | lokr("double_blocks.0.img_mlp.0", 18432, 3072, True)
    assert told(both).loaded == 4


def test_invokeai_reads_flux_2_in_diffusers_names_where_it_can_tell_it_from_flux_1():
    assert loaded(fits(*key_formats.write(klein(), "canonical"))["invokeai"]) == (8, 8)
    later = fits(*key_formats.write(klein(first=1), "canonical"))["invokeai"]
    assert loaded(later) == (0, 8) and "FLUX.1" in later.reason
    old = fits(klein().tensors, key_formats.diffusers_header(klein()))["invokeai"]
    assert loaded(old) == (8, 8) and old.params == {"factor": "0.667"}


SHAPES = {
    "Stable Diffusion 1.5": ("stable_diffusion_1", MODULES["stable_diffusion_1"]),
    "SDXL": (
        "stable_diffusion_xl",
        {name: SDXL[name] for name in SDXL if name.startswith("unet.") and "attentions" in name},
    ),
    "FLUX.1": (
        "flux_1",
        {name: shape for name, shape in forms.modules_of("flux_1").items() if "transformer_blocks" in name},
    ),
    "FLUX.2 [klein]": ("flux_2", dict.fromkeys(klein(feed_forward=True).alphas, ())),
}
EVERYWHERE = "ComfyUI, AUTOMATIC1111, Forge, diffusers, kohya sd-scripts, InvokeAI"


@pytest.mark.parametrize(
    ("base", "network", "others", "diffusers"),
    [
        ("Stable Diffusion 1.5", "lora", EVERYWHERE, "diffusers"),
        ("SDXL", "lora", EVERYWHERE, "diffusers"),
        ("SDXL", "dora", "ComfyUI (a little off), Forge (a little off)", "diffusers"),
        ("FLUX.1", "lora", "ComfyUI, Forge, diffusers, kohya sd-scripts, InvokeAI", "ComfyUI, Forge, diffusers"),
        ("FLUX.2 [klein]", "lora", "ComfyUI, diffusers, InvokeAI", "ComfyUI, diffusers, InvokeAI"),
    ],
)
def test_the_hubs_card_names_the_programs_that_load_each_file(tmp_path, base, network, others, diffusers):
    architecture, modules = SHAPES[base]
    lora = (
        random_lora(modules, architecture, rank=2, alpha=3.0, dora=network == "dora")
        if any(modules.values())
        else klein(feed_forward=True)
    )
    path = tmp_path / "a.safetensors"
    for dialect, expected in ((key_formats.key_formats_for(architecture)[0], others), ("canonical", diffusers)):
        path.write_bytes(safetensors_file.to_bytes(*key_formats.write(lora, dialect)))
        assert card.programs_of(inspecting.of_file(path)) == expected


def test_the_hubs_card_of_other_kinds(tmp_path):
    path = tmp_path / "a.safetensors"
    name = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    lokr = {f"{name}.lokr_w1": float32_tensor(np.ones((2, 2))), f"{name}.lokr_w2": float32_tensor(np.ones((4, 4)))}
    path.write_bytes(safetensors_file.to_bytes(lokr, {}))
    assert card.programs_of(inspecting.of_file(path)) == (
        "ComfyUI, AUTOMATIC1111, Forge, kohya sd-scripts (with LyCORIS), InvokeAI"
    )
    own = tmp_path / "own.safetensors"
    export.for_engines(path, own, name="x")
    assert card.programs_of(inspecting.of_file(own)) == "Livery"
    facts = card.CardFacts(
        name="A", purpose="style", version=1, base_name="Livery built-in", base_repository="", base_licence="",
        licence="mit", trigger_word="x", strength=1, rank=2, alpha=2, note="", files=[("a.safetensors", EVERYWHERE)],
        is_only_for_livery=True,
    )  # fmt: skip
    assert "| `a.safetensors` | Livery |" in card.model_card(facts), "no other program has its base"
