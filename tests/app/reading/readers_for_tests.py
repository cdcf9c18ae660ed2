"""Readers that do what broken files make decoders do; registered by the tests of the pool alone."""

import ctypes
import os
import socket
import time
from typing import Any

from app.images.errors import TruncatedImage


def echo(question: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    return {"question": question, "process": os.getpid()}, blobs


def refuse(question: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    raise TruncatedImage(name=question)


def fail(question: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    raise ZeroDivisionError(question)


def work(question: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    end = time.monotonic() + question
    while time.monotonic() < end:
        pass
    return None, []


def hold(question: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    """In C and with the interpreter held, as some decoders do."""
    ctypes.pythonapi.usleep(int(question * 1e6))
    return None, []


def crash(question: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    ctypes.string_at(0)
    return None, []


def grow(question: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    return {"length": len(bytearray(question))}, []


def flood(question: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    return None, [bytes(question)]


def look_around(question: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    path, port = question
    can_write = can_connect = True
    try:
        with open(path, "wb") as file:
            file.write(b"x" * 10)
    except OSError:
        can_write = False
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        can_connect = False
    opened = []
    for _ in range(200):
        try:
            opened.append(socket.socket())
        except OSError:
            break
    return {
        "environment": dict(os.environ),
        "can_write": can_write,
        "can_connect": can_connect,
        "open": len(opened),
    }, []
