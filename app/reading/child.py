"""One disposable process: ``python -I child.py FOLDER LIFE`` reads questions from its input and writes answers.

It has no environment but what reading needs, no database and no open file but its pipes, and no network where the
system lets it leave its own. Each question sets how much
processor time and memory it may take from then on; the system ends the process that takes more. It ends by itself when
nothing was asked for a while, when its input closes, and, whatever it is doing, when the process that started it is
gone: LIFE is the end of a pipe that nobody writes to.
"""

import contextlib
import importlib
import math
import os
import select
import signal
import sys
import time
import traceback
from typing import Any

IDLE_SECONDS = 60.0
MB = 1_000_000
OPEN_FILES = 64
NEW_USERS, NEW_NETWORK = 0x1000_0000, 0x4000_0000
"""Linux's ``CLONE_NEWUSER`` and ``CLONE_NEWNET``."""


def main() -> int:
    folder, life = sys.argv[1], int(sys.argv[2])
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    _limit_for_good()
    _end_with(life)
    leave_the_network()
    # Whatever a library prints must not get between the answers.
    answers = os.dup(1)
    os.dup2(2, 1)
    from app.reading import wire

    while select.select([0], [], [], IDLE_SECONDS)[0]:
        try:
            head, blobs = wire.read(_exactly, sys.maxsize)
        except EOFError:
            break
        for piece in wire.packed(*_answer(head, blobs)):
            _write(answers, piece)
        del head, blobs
    return 0


def _answer(head: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    from app.errors import AppError
    from app.reading.registry import READERS

    reader = READERS[head["reader"]]
    begin = time.process_time()
    _limit(math.ceil(begin) + reader.seconds, reader.memory_mb * MB + 2 * sum(map(len, blobs)))
    found: list[bytes] = []
    try:
        module, _, name = reader.function.partition(":")
        answer, found = getattr(importlib.import_module(module), name)(head["question"], blobs)
        outcome = {"answer": answer}
    except AppError as refused:
        kind = type(refused)
        outcome = {"refused": f"{kind.__module__}:{kind.__qualname__}", "params": refused.params}
    except Exception:  # noqa: BLE001 - what a reader did not foresee is a property of the file; told and logged there
        outcome = {"failed": traceback.format_exc()[-4000:]}
    return {**outcome, "seconds": time.process_time() - begin, "memory": _resident()}, found


def _limit_for_good() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))


def leave_the_network() -> bool:
    """Into a network of its own, from which nothing is reached; whether the system lets it, which containers mostly do
    not. Root keeps its users, as without them it could not read what belongs to others."""
    if sys.platform != "linux":
        return False
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        is_root = os.getuid() == 0
        return bool(ctypes.CDLL(None).unshare(NEW_NETWORK if is_root else NEW_NETWORK | NEW_USERS) == 0)
    return False


def _limit(seconds: int, memory: int) -> None:
    """Of this process since its start, where the system has such limits. The starter's time limit is there besides."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_AS, (memory, resource.RLIM_INFINITY))


def _end_with(life: int) -> None:
    """Be ended by a signal once the other end of ``life`` closes, also in the middle of a decoder."""
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import fcntl

        signal.signal(signal.SIGIO, signal.SIG_DFL)
        fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
        if select.select([life], [], [], 0)[0]:  # it was gone before we listened
            os._exit(0)


def _resident() -> int:
    from app.machine.memory import process_memory

    return process_memory() or 0


def _exactly(count: int) -> bytes:
    content = bytearray()
    while len(content) < count:
        piece = os.read(0, min(count - len(content), 2**20))
        if not piece:
            raise EOFError
        content += piece
    return bytes(content)


def _write(file: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(file, rest) :]


if __name__ == "__main__":
    os._exit(main())  # at once: an exit status of 0 means that nothing was being read
