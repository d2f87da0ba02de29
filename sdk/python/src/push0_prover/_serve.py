"""The serve contract: one process, many tasks, one JSON object a line.

    stdin ──▶ reader thread ──prove──▶ queue ──▶ main thread: load, then prove one by one
                    └─────────cancel──▶ an event that `Progress` shows ─┘     │
    stdout ◀──────────── ready, progress, done, failed ◀─────────────────────┘

The main thread proves, since signals come there and some libraries work nowhere else. The end of stdin
ends the process at once, whatever it does: whoever asked has gone.

Not here: who starts the process, and when it is cancelled.
"""

from __future__ import annotations

import io
import json
import os
import queue
import threading
import time
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple, Type

from . import _wire as wire
from ._failures import Cancelled, Failure, classify, trace
from ._file import fail
from ._loaded import Loaded
from ._output import store
from ._progress import Progress
from ._prover import Prover
from ._stdio import Replies, complain, end, take_stdin
from ._stopping import Stopping
from ._task import Task, read_input


def serve(of: Type[Prover], args: Tuple[str, ...], out: Replies, stopping: Stopping) -> int:
    """Serves until stdin ends. `args` are the program's own and go before those of each task."""
    desk = Desk(io.FileIO(take_stdin()), out)
    threading.Thread(target=desk.read, daemon=True).start()
    try:
        loaded = Loaded(of)
    except BaseException as error:
        if stopping.signal is not None:
            raise
        return fail(error)
    desk.say({"ready": {"vkey": loaded.vkey}})
    while True:
        job = desk.jobs.get()
        reply = _attempt(loaded, args, job, desk, stopping)
        desk.close(job)
        desk.say(reply)


@dataclass(frozen=True)
class Job:
    """A task on its way to the main thread."""

    task: str
    attempt: int
    stage: str
    args: Tuple[str, ...]
    input: str
    output: str
    deadline: Optional[float]
    cancelled: threading.Event

    @staticmethod
    def of(request: Dict[str, Any]) -> Job:
        left = None if request.get("deadline_ms") is None else wire.u64(request, "deadline_ms")
        return Job(
            task=wire.text(request, "task"),
            attempt=wire.u64(request, "attempt"),
            stage=wire.text(request, "stage"),
            args=wire.texts(request, "args") if "args" in request else (),
            input=wire.text(request, "input"),
            output=wire.text(request, "output"),
            deadline=None if left is None else time.monotonic() + left / 1000,
            cancelled=threading.Event(),
        )


class Desk:
    """The reading side, and the only one that writes replies."""

    def __init__(self, stdin: io.FileIO, out: Replies) -> None:
        self.jobs: queue.Queue[Job] = queue.Queue(QUEUE_MAX)
        self._stdin = io.BufferedReader(stdin)
        self._out = out
        self._open: Dict[int, threading.Event] = {}
        self._lock = threading.Lock()

    def read(self) -> None:
        """Reads lines until there are no more, and ends the process."""
        try:
            end(self._read())
        except BaseException as error:
            complain(f"error: stdin: {error}")
            end(1)

    def say(self, reply: Dict[str, Any]) -> None:
        """Writes one line. If nobody can read it, nobody wants the proof: the process ends."""
        try:
            self._out.write(json.dumps(reply, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            complain(f"error: stdout: {error}")
            end(1)

    def close(self, job: Job) -> None:
        with self._lock:
            self._open.pop(job.attempt, None)

    def _read(self) -> int:
        while True:
            line = self._stdin.readline(LINE_BYTES_MAX)
            if not line:
                return 0
            if not line.endswith(b"\n"):
                complain("error: stdin ended in the middle of a line, or a line is too long")
                return 1
            try:
                self._answer(line)
            except wire.FormatError as error:
                shown = line.decode("utf-8", "replace").rstrip()[:LINE_CHARS_SHOWN]
                complain(f"error: line not understood ({error}): {shown}")

    def _answer(self, line: bytes) -> None:
        of = wire.fields(wire.load(line), "the line")
        if "prove" in of:
            self._enqueue(Job.of(wire.fields(of["prove"], "prove")))
        elif "cancel" in of:
            attempt = wire.u64(wire.fields(of["cancel"], "cancel"), "attempt")
            with self._lock:
                cancelled = self._open.get(attempt)
            if cancelled is not None:
                cancelled.set()
        else:
            raise wire.FormatError("neither prove nor cancel")

    def _enqueue(self, job: Job) -> None:
        with self._lock:
            if job.attempt in self._open:
                complain(f"error: attempt {job.attempt} is already here")
                return
            self._open[job.attempt] = job.cancelled
        try:
            self.jobs.put_nowait(job)
        except queue.Full:
            self.close(job)
            self.say(_failed(job, "transient", "too many tasks are queued"))


def _attempt(
    loaded: Loaded, args: Tuple[str, ...], job: Job, desk: Desk, stopping: Stopping
) -> Dict[str, Any]:
    """Proves, and gives the answer."""

    def tell(fraction: float) -> None:
        desk.say({"progress": {"attempt": job.attempt, "fraction": fraction}})

    try:
        _prove(loaded, args, job, Progress(tell, job.cancelled))
        return {"done": {"attempt": job.attempt}}
    except BaseException as error:
        if stopping.signal is not None:
            raise
        if job.cancelled.is_set():
            return _failed(job, Cancelled.failure_class, "cancelled")
        if not isinstance(error, Failure):
            complain(trace(error))
        return _failed(job, *classify(error))


def _prove(loaded: Loaded, args: Tuple[str, ...], job: Job, progress: Progress) -> None:
    progress.check()
    items, raw = read_input(job.input, loaded.prover.file_bytes_max)
    task = Task(
        id=job.task,
        attempt=job.attempt,
        stage=job.stage,
        args=args + job.args,
        deadline=job.deadline,
        input_items=items,
        input_raw=raw,
    )
    made = loaded.prover.prove(task, progress)
    progress.check()
    store(loaded.prover, loaded.vkey, made, job.output)


def _failed(job: Job, failure_class: str, message: str) -> Dict[str, Any]:
    return {"failed": {"attempt": job.attempt, "class": failure_class, "message": message}}


#: Tasks that may wait behind the running one: push0 sends the next when one has ended.
QUEUE_MAX = 64

#: The longest line that is read: paths and arguments, never artifacts.
LINE_BYTES_MAX = 1 << 20

#: How much of a line that makes no sense is shown.
LINE_CHARS_SHOWN = 200
