"""The verifier: given an envelope and nothing else that it would have to believe, accepts or refuses.

| what the prover's `verify` does | line on stdout | exit |
|---|---|---|
| returns `Accepted(claim)` | `{"vkey":…,"claim":…}` | 0 |
| returns or raises `Refused(why)` | `{"refused":"why"}` | 1 |
| (is not asked: the envelope is damaged, a mock, or of another key) | `{"refused":"why"}` | 1 |
| anything else: another value, another exception, `sys.exit` | `{"undecided":"why"}` | 2 |

The line counts, and not the exit code: a crash before the line is no verdict, and refuses nothing.

Not here: the mathematics (`Prover.verify`), and which key to trust.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Tuple, Type

from ._envelope import Damaged, Envelope, EnvelopeError, compact, in_order
from ._failures import Failure, classify, plain, trace
from ._loaded import Loaded
from ._prover import Accepted, Prover, Refused
from ._stdio import Replies, complain
from ._stopping import Stopping
from ._task import read_bounded


def verify(of: Type[Prover], path: str, out: Replies, stopping: Stopping) -> int:
    """Verifies the envelope at `path`. Gives the exit code."""
    try:
        line, code = _accepted(*_judge(of, path))
    except Refused as refused:
        line, code = _refused(refused)
    except BaseException as error:
        if stopping.signal is not None:
            raise
        line, code = _undecided(error)
    try:
        out.write(line + b"\n")
    except OSError as error:
        complain(f"error: no verdict: stdout: {error}")
        return NO_VERDICT
    return code


def _judge(of: Type[Prover], path: str) -> Tuple[Loaded, Any]:
    """The claim of a proof that is accepted."""
    envelope = _open(of, read_bounded(path, of.file_bytes_max))
    loaded = Loaded(of)
    pinned = envelope.program.vkey
    if pinned is not None and pinned != loaded.vkey:
        raise Refused(f"made under key {pinned}, this verifier has {loaded.vkey or 'none'}")
    said = loaded.prover.verify(envelope)
    if isinstance(said, Refused):
        raise said
    if not isinstance(said, Accepted):
        kind = type(said).__name__
        raise Failure(f"verify returned {kind}: return Accepted(claim) or Refused(why)")
    claim = in_order(said.claim)
    if envelope.claim is not None:
        # As text: to Python, true and 1 are equal.
        stated, derived = (json.dumps(of, sort_keys=True) for of in (envelope.claim, claim))
        if stated != derived:
            raise Refused(f"the envelope claims {stated}, the public values say {derived}")
    return loaded, claim


def _open(of: Type[Prover], data: bytes) -> Envelope:
    """What can be refused without keys."""
    try:
        envelope = Envelope.decode(data, of.file_bytes_max)
    except Damaged as error:
        raise Refused(str(error)) from None
    if of.mock:
        raise Refused("a mock proves nothing")
    if envelope.mock:
        raise Refused("the envelope says mock: it proves nothing")
    return envelope


def _accepted(loaded: Loaded, claim: Any) -> Tuple[bytes, int]:
    line = compact({"vkey": loaded.vkey, "claim": claim}).encode("utf-8")
    if len(line) > LINE_BYTES_MAX:
        raise Failure(f"the claim makes a line of {len(line)} bytes; {LINE_BYTES_MAX} are read")
    return line, 0


def _refused(refused: Refused) -> Tuple[bytes, int]:
    why = plain(refused.why)
    complain(f"refused: {why}")
    return _line({"refused": why}), 1


def _undecided(error: BaseException) -> Tuple[bytes, int]:
    if not isinstance(error, (Failure, EnvelopeError)):
        complain(trace(error))
    _, message = classify(error)
    complain(f"error: no verdict: {message}")
    return _line({"undecided": message}), NO_VERDICT


def _line(of: Dict[str, Any]) -> bytes:
    return json.dumps(of, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


#: The exit code of every program that could not do what it was asked.
NO_VERDICT = 2

#: push0 reads lines of 60 kB at the most.
LINE_BYTES_MAX = 60_000
