"""What the three provers prove: that a commitment is of these blocks, in this order, without a gap.

A transcript is JSON. Of a range it is `{"blocks":[…]}`, with number, hash, parent's hash and SHA-256 of each
block's bytes. Of what was joined it is `{"parts":[…]}`, with the transcripts of the parts. The public values
are what a transcript comes to (`Statement`), so whoever has the transcript can compute them again.

This is no zero-knowledge proof: a transcript is as long as the chain, and hides nothing.
"""

import hashlib
import json
import pathlib
import struct
import sys
from dataclasses import dataclass

# So that the example runs in a clone as it is. An installed SDK needs no such line.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "sdk/python/src"))

from push0_prover import Accepted, Refused  # noqa: E402


@dataclass(frozen=True)
class Statement:
    """What the public values say: 112 bytes."""

    first: int
    last: int
    parent: bytes
    tip: bytes
    commitment: bytes

    def encode(self):
        return LAYOUT.pack(self.first, self.last, self.parent, self.tip, self.commitment)

    def claim(self):
        names = ("parent", "tip", "commitment")
        hashes = {name: "0x" + getattr(self, name).hex() for name in names}
        return {"first": self.first, "last": self.last, **hashes}


def block_entry(data):
    """A block of a transcript, from its bytes."""
    block = json.loads(data)
    sha256 = hashlib.sha256(data).hexdigest()
    number = int(block["number"], 16)
    return {"number": number, "hash": block["hash"], "parent": block["parentHash"], "sha256": sha256}


def state(transcript):
    """The statement that a transcript proves. Raises `Refused` if it proves none."""
    try:
        if "blocks" in transcript:
            return _joined([_of_block(entry) for entry in transcript["blocks"]], RANGE)
        return _joined([state(part) for part in transcript["parts"]], JOIN)
    except (LookupError, TypeError, ValueError, RecursionError, struct.error) as error:
        raise Refused(f"this is no transcript: {error!r}") from error


def encode(transcript):
    return json.dumps(transcript, separators=(",", ":"), sort_keys=True).encode()


def judge(envelope, proof):
    """Accepts a transcript if it makes the public values, and these are about what was asked for."""
    try:
        transcript = json.loads(proof)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the proof is not JSON: {error}") from error
    statement = state(transcript)
    if statement.encode() != envelope.public_values:
        return Refused("the transcript makes other public values")
    key = envelope.key
    if (statement.first, statement.last, "0x" + statement.tip.hex()) != (key.first, key.last, key.tip):
        return Refused(f"it is about blocks {statement.first} to {statement.last}")
    return Accepted(statement.claim())


def _of_block(entry):
    """One block as a range of one."""
    parent, tip = (bytes.fromhex(entry[name][2:]) for name in ("parent", "hash"))
    number, sha256 = entry["number"], bytes.fromhex(entry["sha256"])
    if {len(parent), len(tip), len(sha256)} != {32}:
        raise ValueError(f"a hash of block {number} has not 32 bytes")
    return Statement(number, number, parent, tip, sha256)


def _joined(parts, kind):
    """Neighbours as one; each must follow the one before it."""
    for before, after in zip(parts, parts[1:]):
        if (after.first, after.parent) != (before.last + 1, before.tip):
            raise Refused(f"block {after.first} does not follow block {before.last}")
    packed = b"".join(part.encode() for part in parts)
    commitment = hashlib.sha256(kind + packed).digest()
    return Statement(parts[0].first, parts[-1].last, parts[0].parent, parts[-1].tip, commitment)


LAYOUT = struct.Struct(">QQ32s32s32s")

# What is hashed for a range can never be taken for what is hashed for a join.
RANGE = b"push0 example range\0"
JOIN = b"push0 example join\0"
