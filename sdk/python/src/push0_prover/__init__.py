"""The SDK for prover authors in Python: write the maths, and `main` speaks every contract of push0.

    prover.py ARGS --input-path F --output-path F    one task, then exit    (file contract)
    prover.py ARGS                                   many tasks, by lines   (serve contract)
    prover.py verify --input-path ENVELOPE           accept or refuse       (verifier)

A prover is a class that extends `Prover`, and a program that ends with `main(MyProver)`.

Not here: how provers are run, watched and killed, and which tasks there are. push0 does that.
"""

from ._cli import main
from ._envelope import (
    Damaged,
    Envelope,
    EnvelopeError,
    HistoryEntry,
    JointEnvelope,
    JointProof,
    Program,
    read_proof_file,
)
from ._failures import (
    Cancelled,
    Failure,
    InvalidInput,
    Resource,
    TimedOut,
    Transient,
    Unprovable,
)
from ._progress import Progress
from ._prover import Accepted, Parts, Proof, Prover, Raw, Refused
from ._stdio import guard_stdout
from ._task import Item, Task
from ._wire import BundleItem, FormatError, Key, ResultFile, vkey_of

#: The version of this package. The build reads it from here.
__version__ = "0.1.0"

__all__ = [
    "Accepted",
    "BundleItem",
    "Cancelled",
    "Damaged",
    "Envelope",
    "EnvelopeError",
    "Failure",
    "FormatError",
    "HistoryEntry",
    "InvalidInput",
    "Item",
    "JointEnvelope",
    "JointProof",
    "Key",
    "Parts",
    "Program",
    "Progress",
    "Proof",
    "Prover",
    "Raw",
    "Refused",
    "Resource",
    "ResultFile",
    "Task",
    "TimedOut",
    "Transient",
    "Unprovable",
    "guard_stdout",
    "main",
    "read_proof_file",
    "vkey_of",
]
