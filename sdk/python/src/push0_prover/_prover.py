"""What a prover author extends and returns.

Not here: processes, files and lines, which `main` takes care of.
"""

from __future__ import annotations

import abc
import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, List, Optional, Union

if TYPE_CHECKING:
    from ._envelope import Envelope
    from ._progress import Progress
    from ._task import Task


@dataclass(frozen=True)
class Proof:
    """A proof, which `Prover.verify` accepts."""

    public_values: bytes
    proof: bytes

    def __post_init__(self) -> None:
        _bytes(self.public_values, "public_values")
        _bytes(self.proof, "proof")


@dataclass(frozen=True)
class Parts:
    """The parts that a task was split into, at least one. Each is a JSON value and becomes an item."""

    parts: List[Any]

    def __post_init__(self) -> None:
        if not isinstance(self.parts, list) or not self.parts:
            raise ValueError("parts must be a list that is not empty")


@dataclass(frozen=True)
class Raw:
    """Bytes that are written as they are."""

    data: bytes

    def __post_init__(self) -> None:
        _bytes(self.data, "data")


@dataclass(frozen=True)
class Accepted:
    """The proof is good, and is of what was asked for.

    The claim is what the public values say, as JSON: take it from them, never from the envelope.
    """

    claim: Any


class Refused(Exception):
    """The proof is not good, or proves something else. May be returned or raised."""

    def __init__(self, why: str) -> None:
        if not isinstance(why, str) or not why:
            raise TypeError("a refusal needs a reason: Refused('why')")
        super().__init__(why)
        self.why = why


class Prover(abc.ABC):
    """A prover: what it proves, and how a proof of it is checked.

    One value is made a process, without arguments. It may prove many tasks, one after another.
    """

    #: Names the prover in `--help` and its cache directory. None: the name of its file.
    name: ClassVar[Optional[str]] = None
    #: Whether its proofs prove nothing. Its results say so, and its verifier refuses everything.
    mock: ClassVar[bool] = False
    #: The most that is read of any one file: an input, an item, an envelope.
    file_bytes_max: ClassVar[int] = 1 << 30

    def load(self, cache: pathlib.Path) -> None:
        """Loads keys and circuits, once a process. Import what is slow or noisy here.

        `cache` is a directory that is there, and may be kept between runs. Several processes may use it
        at once: write a temporary file and rename it.
        """

    @abc.abstractmethod
    def vkey(self) -> Optional[str]:
        """The digest of the key that its proofs are checked with, by `vkey_of`; None without such a key."""

    @abc.abstractmethod
    def prove(self, task: Task, progress: Progress) -> Union[Proof, Parts, Raw]:
        """Makes one proof, or raises an exception of the class that says what should be done."""

    @abc.abstractmethod
    def verify(self, envelope: Envelope) -> Union[Accepted, Refused]:
        """Checks `envelope.proof` against `envelope.public_values`, and these against `envelope.key`.

        Where `envelope.inputs` is a list, the proof must be of exactly these inputs. It is None where a
        stranger asks. A valid proof of something else must be refused.

        Only what this returns or raises explicitly is a verdict. Any other end is none.
        """


def _bytes(value: object, name: str) -> None:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"{name} is {type(value).__name__}, not bytes")
