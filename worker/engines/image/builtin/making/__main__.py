"""Builds the built-in model, step by step: `python -m worker.engines.image.builtin.making <step> --work DIR`.

Steps in order: pictures, autoencoder, decoder, text-encoder, denoiser, wording, pack, words, brand, sheet, measure.
Each keeps its results in DIR and goes on from what it finds there. Only `pictures` opens the network.
"""

import argparse
import logging
from pathlib import Path

from worker.engines.image.builtin.making.icon_sets import BRAND_SET, UNSEEN_SETS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m worker.engines.image.builtin.making", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    for name, help_text, minutes in (
        ("pictures", "fetch the icon packages and render them", None),
        ("autoencoder", "train the autoencoder", 25.0),
        ("decoder", "train the autoencoder's decoder alone, against a critic", 35.0),
        ("text-encoder", "train tokenizer and text encoder", 10.0),
        ("denoiser", "train the denoiser", 120.0),
        ("wording", "teach the text encoder how people ask, for a denoiser that is there", 6.0),
        ("pack", "write the model as float16 safetensors", None),
        ("words", "write down what the model knows, and other words for it", None),
        ("brand", "train adapters on the style that was left out and measure how far they carry", None),
        ("sheet", "draw the contact sheets", None),
        ("measure", "print the model's figures and quote them in its card", None),
    ):
        step = steps.add_parser(name, help=help_text)
        step.add_argument("--work", type=Path, required=True, help="folder for pictures, checkpoints and results")
        if minutes is not None:
            step.add_argument("--minutes", type=float, default=minutes, help="wall time to train for")
        if name in ("pictures", "text-encoder", "wording", "words"):
            step.add_argument("--cache", type=Path, help="folder for the packages (default: WORK/cache)")
        if minutes is not None:
            step.add_argument("--from-model", type=Path, help="start from a packed model's weights")
        if name == "autoencoder":
            step.add_argument("--lr", type=float, default=6e-3, help="learning rate after warming up")
        if name == "decoder":
            step.add_argument("--lr", type=float, default=4e-4, help="learning rate after warming up")
            step.add_argument("--critic", type=float, default=0.3, help="the critic's weight, 0 for none")
            step.add_argument("--processes", type=int, default=2, help="processes to share the work on a CPU")
        if name == "denoiser":
            step.add_argument("--batch", type=int, default=64, help="latents per step, over all processes")
            step.add_argument("--lr", type=float, default=5e-3, help="learning rate after warming up")
            step.add_argument("--processes", type=int, default=2, help="processes to share the work on a CPU")
        if name in ("brand", "sheet"):
            from worker.engines.image.measuring.brand_effect import add_recipe_options

            add_recipe_options(step)
        if name == "brand":
            step.add_argument("--set", choices=UNSEEN_SETS, default=BRAND_SET, help="the style that was left out")
            step.add_argument("--divisions", type=int, nargs="+", default=[1, 2, 3], help="seeds that divide the brand")
            step.add_argument("--keep", type=Path, help="folder for adapters and sheets of pictures")
        if name in ("pack", "words", "measure", "brand", "sheet"):
            step.add_argument("--model", type=Path, help="model folder (default: the one that ships)")
    return parser.parse_args()


def main() -> None:
    """Run one step."""
    args = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    match args.step:
        case "pictures":
            from worker.engines.image.builtin.making.prepare import prepare

            prepare(args.cache or args.work / "cache", args.work)
        case "autoencoder":
            from worker.engines.image.builtin.making.training.autoencoder import train

            train(args.work, args.minutes, lr=args.lr, from_model=args.from_model)
        case "decoder":
            from worker.engines.image.builtin.making.training import decoder as train_decoder

            train_decoder.train(
                train_decoder.Options(
                    args.work,
                    args.minutes,
                    lr=args.lr,
                    critic=args.critic,
                    processes=args.processes,
                    from_model=args.from_model,
                )
            )
        case "text-encoder":
            from worker.engines.image.builtin.making.training import text_encoder as train_text_encoder

            train_text_encoder.train(
                args.work, args.cache or args.work / "cache", args.minutes, from_model=args.from_model
            )
        case "denoiser":
            from worker.engines.image.builtin.making.training import denoiser as train_denoiser

            train_denoiser.train(
                train_denoiser.Options(
                    args.work, args.minutes, args.batch, args.lr, args.processes, from_model=args.from_model
                )
            )
        case "wording":
            from worker.engines.image.builtin import layout
            from worker.engines.image.builtin.making.training import wording

            wording.train(
                args.work, args.cache or args.work / "cache", args.from_model or layout.MODEL_DIR, args.minutes
            )
        case "pack":
            from worker.engines.image.builtin import layout
            from worker.engines.image.builtin.making import card
            from worker.engines.image.builtin.making.training import denoiser as train_denoiser

            folder = args.model or layout.MODEL_DIR
            logging.info("%s: %.1f MB", folder, layout.pack(train_denoiser.assemble(args.work), folder) / 1e6)
            card.write(args.work, folder)
        case "words":
            from worker.engines.image.builtin import layout
            from worker.engines.image.builtin.making.words import known

            known.write(args.work, args.cache or args.work / "cache", args.model or layout.MODEL_DIR)
        case "brand" | "sheet":
            _with_adapters(args)
        case "measure":
            from worker.engines.image.builtin import layout
            from worker.engines.image.builtin.making import card, figures

            folder = args.model or layout.MODEL_DIR
            figures.measure(args.work, folder)
            card.write(args.work, folder)


def _with_adapters(args: argparse.Namespace) -> None:
    from worker.engines.contracts import Base
    from worker.engines.image.builtin import layout
    from worker.engines.image.builtin.making import brand, contact_sheet
    from worker.engines.image.measuring.brand_effect import recipe_of

    folder = (args.model or layout.MODEL_DIR).resolve()
    if args.step == "sheet":
        unseen = [name for name in UNSEEN_SETS if name != BRAND_SET]
        contact_sheet.write(args.work, folder, folder / "sheets", recipe_of(args), unseen)
        return
    base = Base("model", "stable_diffusion", str(folder))
    brand.measure_brand(args.work, args.set, recipe_of(args), base, tuple(args.divisions), args.keep)


if __name__ == "__main__":
    main()
