"""Why there is no result: one exception for each class of failure, and what other exceptions count as.

Not here: refusals of a verifier (`Refused`), which are no failures.
"""

from __future__ import annotations

import errno
import os
import traceback
from typing import Tuple


class Failure(Exception):
    """It went wrong, and nobody knows why. push0 tries a few more times."""

    failure_class = "failed"


class Transient(Failure):
    """It may well work another time. push0 tries again, elsewhere if it can."""

    failure_class = "transient"


class Resource(Failure):
    """Out of memory or disk. push0 tries again where there is more."""

    failure_class = "resource"


class TimedOut(Failure):
    """The time does not suffice. push0 tries a few more times."""

    failure_class = "timeout"


class Unprovable(Failure):
    """There is no proof of this, or it is over a limit of this prover. push0 does not try again."""

    failure_class = "unprovable"


class InvalidInput(Failure):
    """The input is not what it should be. push0 parks the task."""

    failure_class = "invalid_input"


class Cancelled(BaseException):
    """Nobody wants the proof any more.

    `except Exception` does not catch it. Let it pass, and clean up in `finally`.
    """

    failure_class = "cancelled"


def classify(error: BaseException) -> Tuple[str, str]:
    """The class of an exception that a prover's code raised, and a message for people."""
    if isinstance(error, (Failure, Cancelled)):
        return error.failure_class, plain(text_of(error) or error.failure_class)
    message = plain(f"{type(error).__name__}: {text_of(error)}".rstrip(": "))
    if isinstance(error, MemoryError):
        return Resource.failure_class, message
    if isinstance(error, OSError) and error.errno in OUT_OF_ROOM:
        return Resource.failure_class, message
    return Failure.failure_class, message


def trace(error: BaseException) -> str:
    """The traceback of an exception, from where the prover's own code begins."""
    at = error.__traceback__
    while at is not None and os.path.dirname(at.tb_frame.f_code.co_filename) == HERE and at.tb_next:
        at = at.tb_next
    return "".join(traceback.format_exception(type(error), error, at))


def plain(text: str) -> str:
    """The text as UTF-8 can hold it, cut to a length that a line can hold."""
    if len(text) > MESSAGE_CHARS_MAX:
        text = text[:MESSAGE_CHARS_MAX] + "…"
    return text.encode("utf-8", "replace").decode("utf-8")


def text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its message cannot be shown)"


#: The exit codes of the file contract. Every other class ends with 1.
EXIT_CODES = {"transient": 75, "unprovable": 77, "resource": 137}

OUT_OF_ROOM = (errno.ENOMEM, errno.ENOSPC, errno.EDQUOT)

HERE = os.path.dirname(__file__)

#: Of a message so much is told.
MESSAGE_CHARS_MAX = 8192
