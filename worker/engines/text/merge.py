"""``python -m worker.engines.text.merge adapter.safetensors OUT``: base and adapter as one model.

``OUT`` that ends in ``.gguf`` becomes one file for llama.cpp and Ollama, for a base that is such a file itself (the one
that comes along is); anything else a folder that transformers loads.
"""

import argparse
from pathlib import Path

from worker.engines.contracts import Base
from worker.engines.text.merging import merged_folder, merged_gguf


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m worker.engines.text.merge", description=__doc__)
    parser.add_argument("adapter", type=Path, help="the adapter's safetensors file, as downloaded")
    parser.add_argument("out", type=Path, help="a file that ends in .gguf, or a folder")
    parser.add_argument("--base", default="builtin", help="builtin, a hub repository, or an absolute folder")
    parser.add_argument("--precision", choices=("f16", "q8_0"), default="f16", help="of a .gguf file")
    arguments = parser.parse_args()
    base = Base(arguments.base, "causal_lm", arguments.base)
    if arguments.out.suffix == ".gguf":
        made = merged_gguf(base, arguments.adapter, arguments.out, arguments.precision)
    else:
        made = merged_folder(base, arguments.adapter, arguments.out)
    print(made)


if __name__ == "__main__":
    main()
