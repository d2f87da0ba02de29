"""Keeps the protocol's pipes apart from everything that prints or reads.

push0 reads replies and verdicts from file descriptor 1. Libraries print there too, in Python and beneath
it. So the descriptor is copied to a private one, and stderr is put in its place. Under serve, requests
come on descriptor 0, which a child process would inherit: it is moved away likewise.

Not here: what is written (`_serve`, `_verify`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import threading
from typing import NoReturn, Optional


class Replies:
    """What was stdout when the process started. A line is written whole, whichever thread writes it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def write(self, line: bytes) -> None:
        with self._lock:
            left = memoryview(line)
            while left:
                left = left[os.write(self._descriptor, left) :]


_replies: Optional[Replies] = None


def guard_stdout() -> None:
    """From here on all that prints goes to stderr.

    `main` does it first of all. Call it at the top of the file if imports print.
    """
    take_stdout()


def take_stdout() -> Replies:
    global _replies
    if _replies is None:
        private = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, FIRST_PRIVATE)
        _put_stderr_for_stdout()
        _replies = Replies(private)
        # What was printed before is in this buffer, and goes to stderr too.
        _by_lines(sys.stdout)
    return _replies


def take_stdin() -> int:
    """What was stdin. In its place there is nothing to read."""
    private = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, FIRST_PRIVATE)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return private


def complain(line: str) -> None:
    """Writes a line to stderr. That nobody reads it is no reason to stop."""
    with contextlib.suppress(OSError, ValueError, AttributeError, RuntimeError):
        sys.stderr.write(line.rstrip() + "\n")
        sys.stderr.flush()


def end(code: int) -> NoReturn:
    """Ends the process at once: no thread, no `atexit` and no destructor can hold or change its end."""
    flush()
    os._exit(code)


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError, RuntimeError):
            stream.flush()


def _put_stderr_for_stdout() -> None:
    try:
        os.dup2(2, 1)
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.close(nothing)


def _by_lines(stream: object) -> None:
    """Each line is seen when it is printed, and in its order."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(line_buffering=True, errors="backslashreplace")


#: 0, 1 and 2 have a meaning.
FIRST_PRIVATE = 3
