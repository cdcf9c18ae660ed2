"""What a function costs as its input grows, in processor time of this thread, so that other processes do not count."""

import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


def grows_with_its_length(work: Callable[[int], object], length: int) -> tuple[float, float]:
    """The seconds for ``length`` and twice that; fails where the second is more than three times the first.

    Anything quadratic takes four times as long; a tenth of a second is added for what neither can help, and the best of
    three tries counts.
    """
    tries = []
    for _ in range(3):
        first, second = seconds(lambda: work(length)), seconds(lambda: work(2 * length))
        tries.append((first, second))
        if second <= 3 * first + 0.1:
            return first, second
    raise AssertionError(f"{length} and {2 * length}: {tries}")
