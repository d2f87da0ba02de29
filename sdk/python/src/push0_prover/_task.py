"""What a prover is given: a task, its input, and the items in it.

Files are read within a bound, and an item only when its bytes are asked for, so a large input costs no
memory before it is needed. An item's bytes are those that its SHA-256 names, or there are none.

Not here: who asks for the task (`_file`, `_serve`), and what the input looks like as a file (`_wire`).
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from dataclasses import dataclass, field
from typing import Any, List, Optional, Tuple

from ._failures import InvalidInput, Transient, Unprovable
from ._wire import BundleItem, FormatError, Key, ResultFile, bundle_items, load


@dataclass(frozen=True)
class Item:
    """One input of a task."""

    #: What it is about.
    key: Key
    #: The task that made it, in hex. None: a block from the source.
    task: Optional[str] = None
    #: The program that made it. None: a block from the source.
    program: Optional[str] = None
    #: The public values of an earlier result, where they are known.
    public_values: Optional[bytes] = None
    #: Where its bytes are. `bytes` checks them; a program that reads the file itself must, too.
    path: str = ""
    #: SHA-256 of its bytes, in hex.
    sha256: str = ""
    bytes_max: int = field(default=1 << 30, repr=False)
    _bytes: List[bytes] = field(default_factory=list, repr=False, compare=False)

    @staticmethod
    def of(key: Key, data: bytes, task: Optional[str] = None) -> Item:
        """An item that is not in a file: for a prover's own tests."""
        sha256 = hashlib.sha256(data).hexdigest()
        return Item(key=key, task=task, sha256=sha256, _bytes=[data])

    @staticmethod
    def at(item: BundleItem, bytes_max: int) -> Item:
        return Item(
            key=item.key,
            task=item.task,
            program=item.program,
            public_values=item.public_values,
            path=item.path,
            sha256=item.sha256,
            bytes_max=bytes_max,
        )

    @property
    def bytes(self) -> bytes:
        """A block's JSON, or what the earlier task's prover wrote.

        Raises `Transient` where they cannot be read or are damaged: push0 looks at its files again.
        """
        if not self._bytes:
            data = read_bounded(self.path, self.bytes_max)
            found = hashlib.sha256(data).hexdigest()
            if found != self.sha256:
                raise Transient(f"item {self.path}: SHA-256 is {found}, not {self.sha256}")
            self._bytes.append(data)
        return self._bytes[0]

    def json(self) -> Any:
        """The bytes as JSON: a block, or a part of one. Raises `InvalidInput`."""
        try:
            return json.loads(self.bytes)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"{self._name()} is not JSON: {error}") from None

    def result(self) -> ResultFile:
        """The bytes as the result of an earlier task, made with an SDK. Raises `InvalidInput`."""
        if self.task is None:
            raise InvalidInput(f"{self._name()} is a block from the source, not a result")
        try:
            return ResultFile.decode(self.bytes)
        except FormatError as error:
            raise InvalidInput(f"{self._name()} is no result: {error}") from None

    def _name(self) -> str:
        return f"item {self.key.first}..={self.key.last}"


@dataclass(frozen=True)
class Task:
    """One attempt at one task."""

    #: The task's id, in hex. Empty where nobody gave one.
    id: str = ""
    #: The attempt's id. 0 where nobody gave one.
    attempt: int = 0
    #: The stage of the pipeline. Empty where nobody gave one.
    stage: str = ""
    #: The program's arguments, then the stage's. The same under both contracts.
    args: Tuple[str, ...] = ()
    #: When the attempt is over, as `time.monotonic()` tells time. None: no limit.
    deadline: Optional[float] = None
    input_items: Optional[Tuple[Item, ...]] = field(default=None, repr=False)
    input_raw: Optional[bytes] = field(default=None, repr=False)

    @property
    def items(self) -> Tuple[Item, ...]:
        """The task's inputs in key order (`give = "bundle"`)."""
        if self.input_items is None:
            raise InvalidInput('the input is not a bundle: this prover needs give = "bundle"')
        return self.input_items

    @property
    def raw(self) -> bytes:
        """The input's bytes: one item, or a JSON array of several (`give = "raw"`)."""
        if self.input_raw is None:
            raise InvalidInput('the input is a bundle: this prover needs give = "raw" or "number"')
        return self.input_raw

    @property
    def number(self) -> int:
        """The first block's number (`give = "number"`)."""
        digits = self.raw.strip()
        if not digits.isdigit() or len(digits) > 20:
            raise InvalidInput('the input is no block number: this prover needs give = "number"')
        return int(digits)

    def seconds_left(self) -> Optional[float]:
        """The time until the deadline; less than 0 past it, None without one."""
        return None if self.deadline is None else self.deadline - time.monotonic()


def read_input(path: str, bytes_max: int) -> Tuple[Optional[Tuple[Item, ...]], Optional[bytes]]:
    """What is at `path`: the items of a bundle, or raw bytes."""
    data = read_bounded(path, bytes_max)
    if not (data.lstrip().startswith(b"{") and b'"push0"' in data and b'"items"' in data):
        return None, data
    try:
        value = load(data)
    except FormatError:
        return None, data
    try:
        items = bundle_items(value)
    except FormatError as error:
        raise InvalidInput(f"bundle: {error}") from None
    if items is None:
        return None, data
    return tuple(Item.at(item, bytes_max) for item in items), None


def read_bounded(path: str, bytes_max: int) -> bytes:
    """A file's bytes. Raises `Unprovable` where there are too many: that is a limit of this prover."""
    too_large = f"{path}: more than {bytes_max} bytes, which is the `file_bytes_max` of this prover"
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise Transient(f"{path}: not a file")
            if found.st_size > bytes_max:
                raise Unprovable(too_large)
            data = file.read(bytes_max + 1)
    except (OSError, ValueError) as error:
        raise Transient(f"{path}: {error}") from None
    if len(data) > bytes_max:
        raise Unprovable(too_large)
    return data


def _without_waiting(path: str, flags: int) -> int:
    """Opens a pipe that nobody writes to, too: it is then found to be no file."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
