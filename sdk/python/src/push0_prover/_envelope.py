"""The envelope of a proof: one self-describing file, with a digest over all of it.

An envelope has one encoding. Reading it checks the digest, parses, encodes again and compares. The digest
guards against damage, not against a forger, who can compute it too. Only key, public values and proof are
bound by cryptography, and only once a verifier has checked them.

Not here: what makes a proof valid (`Prover.verify`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple, Union

from . import _wire as wire
from ._task import Item, read_bounded
from ._wire import BundleItem, FormatError, Key, Number


class EnvelopeError(FormatError):
    """The bytes are no envelope that this SDK knows. Something else or a newer push0 wrote them."""


class Damaged(EnvelopeError):
    """The bytes are not those that the envelope's digest is of."""


@dataclass(frozen=True)
class Program:
    """What made a proof: a prover, and the key that its proofs are checked with."""

    name: str
    vkey: Optional[str]

    @staticmethod
    def from_json(value: object) -> Program:
        of = wire.fields(value, "program")
        return Program(wire.text(of, "name"), _vkey(of))

    def to_json(self) -> Dict[str, Any]:
        return {"name": self.name, "vkey": self.vkey}


@dataclass(frozen=True)
class HistoryEntry:
    """One task beneath a proof."""

    task: str
    stage: str
    vkey: Optional[str]
    key: Key
    #: The hash of a block, or the id of a task.
    inputs: Tuple[str, ...]
    #: SHA-256 of what its prover wrote.
    output: str

    @staticmethod
    def from_json(value: object) -> HistoryEntry:
        of = wire.fields(value, "history")
        return HistoryEntry(
            task=wire.text(of, "task"),
            stage=wire.text(of, "stage"),
            vkey=_vkey(of),
            key=Key.from_json(of.get("key")),
            inputs=wire.texts(of, "inputs"),
            output=wire.text(of, "output"),
        )

    def to_json(self) -> Dict[str, Any]:
        return {
            "task": self.task,
            "stage": self.stage,
            "vkey": self.vkey,
            "key": self.key.to_json(),
            "inputs": list(self.inputs),
            "output": self.output,
        }


@dataclass(frozen=True)
class Envelope:
    """A proof and all that is known of it."""

    pipeline: str
    #: The span that is to be proved.
    key: Key
    program: Program
    mock: bool
    public_values: bytes
    proof: bytes
    #: What the public values say, on somebody's word. None: nobody has derived it.
    claim: Any = None
    history: Tuple[HistoryEntry, ...] = ()
    #: "trusted" where the hashes of the blocks are taken on the source's word.
    block_hashes: Optional[str] = None
    input_items: Optional[Tuple[BundleItem, ...]] = None
    bytes_max: int = 1 << 30

    @property
    def inputs(self) -> Optional[List[Item]]:
        """The inputs of the task. None where a stranger asks, who has none."""
        if self.input_items is None:
            return None
        return [Item.at(item, self.bytes_max) for item in self.input_items]

    @staticmethod
    def decode(data: bytes, bytes_max: int = 1 << 30) -> Envelope:
        """Reads an envelope of one proof. Raises `EnvelopeError`."""
        file = decode_proof_file(data, bytes_max)
        if not isinstance(file, Envelope):
            raise EnvelopeError("several proofs in one envelope: split() it, and verify each")
        return file

    def encode(self) -> bytes:
        """The one encoding of this envelope."""
        of = _head(self.pipeline, self.key, self.block_hashes)
        of.update(_proof_fields(self))
        of["history"] = [entry.to_json() for entry in self.history]
        if self.input_items is not None:
            of["inputs"] = [item.to_json() for item in self.input_items]
        return _seal(of)


@dataclass(frozen=True)
class JointProof:
    """One of the proofs of a `JointEnvelope`."""

    stage: str
    program: Program
    mock: bool
    public_values: bytes
    proof: bytes
    claim: Any = None


@dataclass(frozen=True)
class JointEnvelope:
    """Several proofs of one span: what a pipeline writes that releases several stages."""

    pipeline: str
    key: Key
    #: In the order of the pipeline's release.
    proofs: Tuple[JointProof, ...]
    history: Tuple[HistoryEntry, ...] = ()
    block_hashes: Optional[str] = None

    def split(self) -> List[Envelope]:
        """Each proof in an envelope of its own, as its verifier takes it."""
        return [
            Envelope(
                pipeline=self.pipeline,
                key=self.key,
                program=proof.program,
                mock=proof.mock,
                public_values=proof.public_values,
                proof=proof.proof,
                claim=proof.claim,
                history=self.history,
                block_hashes=self.block_hashes,
            )
            for proof in self.proofs
        ]

    def encode(self) -> bytes:
        """The one encoding of this envelope."""
        of = _head(self.pipeline, self.key, self.block_hashes)
        of["proofs"] = [{"stage": proof.stage, **_proof_fields(proof)} for proof in self.proofs]
        of["history"] = [entry.to_json() for entry in self.history]
        return _seal(of)


def read_proof_file(path: str, bytes_max: int = 1 << 30) -> Union[Envelope, JointEnvelope]:
    """Reads a final proof of push0: one proof, or several of the same span. Verifies nothing.

    Raises `EnvelopeError`, or a `Failure` where the file cannot be read.
    """
    return decode_proof_file(read_bounded(path, bytes_max), bytes_max)


def decode_proof_file(data: bytes, bytes_max: int) -> Union[Envelope, JointEnvelope]:
    _check_digest(data)
    try:
        of = wire.fields(wire.load(data), "envelope")
        if of.get("format") != FORMAT:
            raise EnvelopeError(f"format is {of.get('format')!r:.60}, not {FORMAT!r}")
        file = _joint(of) if "proofs" in of else _single(of, bytes_max)
        is_canonical = file.encode() == data
    except EnvelopeError:
        raise
    except ValueError as error:
        raise EnvelopeError(f"not a {FORMAT} envelope: {error}") from None
    if not is_canonical:
        raise EnvelopeError("not in canonical form: not written as push0 writes it")
    return file


def _single(of: Dict[str, Any], bytes_max: int) -> Envelope:
    inputs = None
    if of.get("inputs") is not None:
        inputs = tuple(BundleItem.from_json(item) for item in wire.listed(of, "inputs"))
    return Envelope(
        pipeline=wire.text(of, "pipeline"),
        key=Key.from_json(of.get("key")),
        program=Program.from_json(of.get("program")),
        mock=wire.flag(of, "mock"),
        public_values=wire.from_hex(wire.text(of, "public_values")),
        proof=wire.from_base64(wire.text(of, "proof")),
        claim=of.get("claim"),
        history=_history(of),
        block_hashes=wire.maybe_text(of, "block_hashes"),
        input_items=inputs,
        bytes_max=bytes_max,
    )


def _joint(of: Dict[str, Any]) -> JointEnvelope:
    def proof(value: object) -> JointProof:
        of = wire.fields(value, "proof")
        return JointProof(
            stage=wire.text(of, "stage"),
            program=Program.from_json(of.get("program")),
            mock=wire.flag(of, "mock"),
            public_values=wire.from_hex(wire.text(of, "public_values")),
            proof=wire.from_base64(wire.text(of, "proof")),
            claim=of.get("claim"),
        )

    return JointEnvelope(
        pipeline=wire.text(of, "pipeline"),
        key=Key.from_json(of.get("key")),
        proofs=tuple(proof(value) for value in wire.listed(of, "proofs")),
        history=_history(of),
        block_hashes=wire.maybe_text(of, "block_hashes"),
    )


def _history(of: Dict[str, Any]) -> Tuple[HistoryEntry, ...]:
    return tuple(HistoryEntry.from_json(entry) for entry in wire.listed(of, "history"))


def _vkey(of: Dict[str, Any]) -> Optional[str]:
    vkey = wire.maybe_text(of, "vkey")
    return None if vkey is None else wire.check_vkey(vkey)


def _head(pipeline: str, key: Key, block_hashes: Optional[str]) -> Dict[str, Any]:
    of: Dict[str, Any] = {"format": FORMAT, "pipeline": pipeline, "key": key.to_json()}
    if block_hashes is not None:
        of["block_hashes"] = block_hashes
    return of


def _proof_fields(proof: Union[Envelope, JointProof]) -> Dict[str, Any]:
    return {
        "program": proof.program.to_json(),
        "mock": proof.mock,
        "claim": in_order(proof.claim),
        "public_values": wire.to_hex(proof.public_values),
        "proof": wire.to_base64(proof.proof),
    }


def in_order(value: Any) -> Any:
    """A claim as JSON holds it, with the keys of its objects in order.

    Raises `FormatError` for what push0 could not read again as the same.
    """
    if value is None or isinstance(value, (bool, str, Number)):
        return value
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 64:
            raise FormatError("an integer of more than 64 bits: write it as text")
        return value
    if isinstance(value, float):
        return Number(repr(value)) if value == value else Number("inf")
    if isinstance(value, (list, tuple)):
        return [in_order(item) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise FormatError("an object whose keys are not all text")
        return {key: in_order(value[key]) for key in sorted(value)}
    raise FormatError(f"{type(value).__name__} is nothing that JSON has")


def compact(value: Any) -> str:
    """JSON as push0 writes it. A number that was read keeps its text."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{compact(key)}:{compact(of)}" for key, of in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(compact, value)) + "]"
    if isinstance(value, Number):
        return value.text
    return json.dumps(value, ensure_ascii=False)


def _seal(of: Dict[str, Any]) -> bytes:
    try:
        body = compact(of).encode("utf-8")
    except RecursionError:
        raise FormatError("nested too deeply") from None
    digest = hashlib.sha256(body).hexdigest()
    return body[:-1] + PREFIX + digest.encode("ascii") + SUFFIX


def _check_digest(data: bytes) -> None:
    body, prefix, tail = data.rpartition(PREFIX)
    stated = tail[: -len(SUFFIX)]
    if not prefix or len(stated) != 64 or not tail.endswith(SUFFIX):
        raise Damaged("does not end with a digest and one newline")
    hashed = hashlib.sha256(body)
    hashed.update(b"}")
    found = hashed.hexdigest()
    if found.encode("ascii") != stated:
        shown = stated.decode("ascii", "replace")
        raise Damaged(f"the digest is sha256:{shown}, of the bytes it is sha256:{found}")


FORMAT = "push0.proof/1"
PREFIX = b',"digest":"sha256:'
SUFFIX = b'"}\n'
