"""``python -m tests.benchmarks.layouts``: milliseconds that drawing one finished ad takes, checks included.

One line for each channel on the screen, over all layouts in both themes, with a photograph of 1600 × 1600 px and words
that were never set before; and one over all of them. Each number is a median: on the clock, and of the processor's
time, in which other programs on the machine do not count. A cell may take 300 ms on an idle core.
"""

import statistics
import time
from dataclasses import replace

from app.layouts.channels import channels
from app.layouts.designs import layouts
from app.layouts.render import render
from app.layouts.values import THEMES
from tests.tools import layout_samples as samples

MOST_MS = 300


def main() -> None:
    photo = samples.landscape()
    slots = samples.slots("de", photo, focus=(0.62, 0.46))
    count = 0
    everything: list[tuple[float, float]] = []
    for place in (one for one in channels() if one.paper is None):
        taken: list[tuple[float, float]] = []
        for layout in layouts():
            for theme in THEMES:
                count += 1
                # A number in the words, so that nothing which was set before is found again.
                fresh = replace(slots, badge=f"Ab {count} €", headline=f"{slots.headline} {count}")
                began = time.perf_counter(), time.process_time()
                render(layout, theme, place.canvas, fresh, samples.locale("de"), samples.COLOURS)
                taken.append((time.perf_counter() - began[0], time.process_time() - began[1]))
        everything += taken
        print(f"{place.key:24}{_told(taken)}")
    print(f"{'all ' + str(len(everything)) + ' cells':24}{_told(everything)}, asked: at most {MOST_MS} ms")


def _told(taken: list[tuple[float, float]]) -> str:
    clock, processor = (statistics.median(column) * 1000 for column in zip(*taken, strict=True))
    return f"{clock:6.0f} ms on the clock {processor:6.0f} ms of the processor"


if __name__ == "__main__":
    main()
