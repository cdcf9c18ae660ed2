"""``python -m tests.benchmarks.fusing``: what an adapter costs in each pass through the built-in model's denoiser,
beside the weights and fused into them, and after how many passes fusing has paid for itself.

Prints milliseconds by the clock and, in brackets, of the processor's own time. Judges nothing.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from worker.engines.contracts import Base
from worker.engines.image.base import fusing, hot_swap, lora
from worker.engines.image.families import stable_diffusion


def milliseconds(call: Callable[[], object], times: int) -> tuple[float, float]:
    """Medians by the clock and of the processor's time, after one to warm up."""
    call()
    seen, computed = [], []
    for _ in range(times):
        began, computing = time.perf_counter(), time.process_time()
        call()
        seen.append(time.perf_counter() - began)
        computed.append(time.process_time() - computing)
    return statistics.median(seen) * 1000, statistics.median(computed) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--side", type=int, default=256, help="of the pictures, in pixels")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--targets", choices=sorted(lora.TARGETS), default="attention_and_feed_forward")
    arguments = parser.parse_args()
    loaded = stable_diffusion.load(Base("livery-builtin", "stable_diffusion", "builtin"))
    unet, generator = loaded.pipeline.unet, torch.Generator().manual_seed(1)
    lora.inject(unet, arguments.rank, arguments.rank, lora.TARGETS[arguments.targets], generator)
    side = arguments.side // loaded.pipeline.vae_scale_factor
    # Twice the pictures: with and without the words.
    noise = torch.randn(2 * arguments.batch, unet.config.in_channels, side, side, generator=generator)
    words = torch.randn(2 * arguments.batch, 77, unet.config.cross_attention_dim, generator=generator)

    @torch.no_grad()
    def one_pass() -> None:
        unet(noise, torch.tensor(500), words)

    def there_and_back() -> None:
        assert fusing.fuse(loaded, passes=10**6), "this base is not fused"
        fusing.restore(loaded)

    beside = milliseconds(one_pass, arguments.times)
    cost = milliseconds(there_and_back, arguments.times)
    fusing.fuse(loaded, passes=10**6)
    fused = milliseconds(one_pass, arguments.times)
    hot_swap.forget(loaded)
    print(
        f"rank {arguments.rank} on {arguments.targets}, {arguments.batch} pictures of {arguments.side} × "
        f"{arguments.side}, {torch.get_num_threads()} threads"
    )
    for name, (seen, computed) in (("beside the weights", beside), ("fused", fused), ("fusing and back", cost)):
        print(f"{name:20} {seen:8.1f} ms ({computed:.1f})")
    print(f"{'ratio of a pass':20} {beside[0] / fused[0]:8.2f}    ({beside[1] / fused[1]:.2f})")
    for name, at in (("the clock", 0), ("processor's time", 1)):
        saved = beside[at] - fused[at]
        print(f"paid for after {cost[at] / saved:.1f} passes by {name}" if saved > 0 else f"never paid for by {name}")


if __name__ == "__main__":
    main()
