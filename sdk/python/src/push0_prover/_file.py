"""The file contract: one task from the command line and the environment, one exit code.

Not here: which exception is which class (`_failures`).
"""

from __future__ import annotations

import os
import time
from typing import Optional, Tuple, Type

from ._failures import EXIT_CODES, Failure, classify, trace
from ._loaded import Loaded
from ._output import store
from ._progress import Progress
from ._prover import Prover
from ._stdio import Replies, complain
from ._stopping import Stopping
from ._task import Task, read_input


def prove(
    of: Type[Prover], paths: Tuple[str, str], args: Tuple[str, ...], out: Replies, stopping: Stopping
) -> int:
    """Proves the task at the first path, and writes the result to the second. Gives the exit code."""

    def tell(fraction: float) -> None:
        try:
            out.write(f"progress {fraction:.4f}\n".encode())
        except OSError:
            pass  # Nobody may be reading; the proof goes on.

    source, target = paths
    try:
        task = _task(of, source, args)
        loaded = Loaded(of)
        made = loaded.prover.prove(task, Progress(tell))
        store(loaded.prover, loaded.vkey, made, target)
        return 0
    except BaseException as error:
        if stopping.signal is not None:
            raise
        return fail(error)


def fail(error: BaseException) -> int:
    """Says on stderr what went wrong, and gives the exit code of its class."""
    failure_class, message = classify(error)
    if not isinstance(error, Failure):
        complain(trace(error))
    complain(f"error: {message} ({failure_class})")
    return EXIT_CODES.get(failure_class, 1)


def _task(of: Type[Prover], source: str, args: Tuple[str, ...]) -> Task:
    left = _number("PUSH0_DEADLINE")
    items, raw = read_input(source, of.file_bytes_max)
    return Task(
        id=os.environ.get("PUSH0_TASK", ""),
        attempt=_number("PUSH0_ATTEMPT") or 0,
        stage=os.environ.get("PUSH0_STAGE", ""),
        args=args,
        deadline=None if left is None else time.monotonic() + left / 1000,
        input_items=items,
        input_raw=raw,
    )


def _number(variable: str) -> Optional[int]:
    digits = os.environ.get(variable)
    if digits is None:
        return None
    if not digits.isdecimal() or len(digits) > 20:
        raise Failure(f"{variable}={digits!r:.60} is no number")
    return int(digits)
