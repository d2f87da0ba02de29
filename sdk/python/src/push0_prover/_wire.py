"""The formats that push0 and provers share: keys, bundles and results, and how bytes stand in JSON.

What push0 wrote is read strictly: a key that stands twice, NaN or a number of hundreds of digits is an
error. Fields that are not known are passed over, so that a newer push0 can say more.

Not here: the envelope of a proof (`_envelope`), and who says what when (`_serve`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple


class FormatError(ValueError):
    """The bytes are not what the format says."""


@dataclass(frozen=True)
class Key:
    """What an item is about: a span of blocks of one chain, or a part of one block."""

    chain: int
    first: int
    last: int
    #: The hash of the last block, as `0x…`.
    tip: str
    part: Optional[int] = None

    @staticmethod
    def from_json(value: object) -> Key:
        of = fields(value, "key")
        part = None if of.get("part") is None else u64(of, "part")
        tip = hash32(text(of, "tip"))
        return Key(u64(of, "chain"), u64(of, "first"), u64(of, "last"), tip, part)

    def to_json(self) -> Dict[str, Any]:
        part = {} if self.part is None else {"part": self.part}
        return {"chain": self.chain, "first": self.first, "last": self.last, **part, "tip": self.tip}


@dataclass(frozen=True)
class BundleItem:
    """One input of a task, by reference."""

    key: Key
    #: Where its bytes are.
    path: str
    #: SHA-256 of those bytes, in hex.
    sha256: str
    #: The task that made it, in hex. None: a block from the source.
    task: Optional[str] = None
    #: The program that made it. None: a block from the source.
    program: Optional[str] = None
    #: The public values of an earlier result, where they are known.
    public_values: Optional[bytes] = None

    @staticmethod
    def from_json(value: object) -> BundleItem:
        of = fields(value, "item")
        values = maybe_text(of, "public_values")
        return BundleItem(
            key=Key.from_json(of.get("key")),
            path=text(of, "path"),
            sha256=digest(text(of, "sha256")),
            task=maybe_text(of, "task"),
            program=maybe_text(of, "program"),
            public_values=None if values is None else from_hex(values),
        )

    def to_json(self) -> Dict[str, Any]:
        of: Dict[str, Any] = {"key": self.key.to_json()}
        if self.task is not None:
            of["task"] = self.task
        if self.program is not None:
            of["program"] = self.program
        of.update(path=self.path, sha256=self.sha256)
        if self.public_values is not None:
            of["public_values"] = to_hex(self.public_values)
        return of


@dataclass(frozen=True)
class ResultFile:
    """What a prover of an SDK writes when it has made a proof."""

    vkey: Optional[str]
    #: Whether this proves nothing.
    mock: bool
    public_values: bytes
    proof: bytes

    @staticmethod
    def decode(data: bytes) -> ResultFile:
        of = fields(load(data), "result")
        if of.get("format") != RESULT_FORMAT:
            raise FormatError(f"format is {of.get('format')!r:.60}, not {RESULT_FORMAT!r}")
        vkey = maybe_text(of, "vkey")
        return ResultFile(
            vkey=None if vkey is None else check_vkey(vkey),
            mock=flag(of, "mock"),
            public_values=from_hex(text(of, "public_values")),
            proof=from_base64(text(of, "proof")),
        )

    def encode(self) -> bytes:
        of = {
            "format": RESULT_FORMAT,
            "vkey": self.vkey,
            "mock": self.mock,
            "public_values": to_hex(self.public_values),
            "proof": to_base64(self.proof),
        }
        return json.dumps(of, separators=(",", ":")).encode()


def vkey_of(verification_key: bytes) -> str:
    """The digest of a verification key in the prover's own encoding, as `sha256:…`."""
    return "sha256:" + hashlib.sha256(verification_key).hexdigest()


def check_vkey(vkey: str) -> str:
    if not isinstance(vkey, str) or not VKEY.fullmatch(vkey):
        raise FormatError(f"{vkey!r:.80} is no key: it is sha256: and 64 digits, as of vkey_of(bytes)")
    return vkey


def bundle_items(value: object) -> Optional[List[BundleItem]]:
    """The items of a bundle; None if it is no bundle."""
    if not isinstance(value, dict) or type(value.get("push0")) is not int or "items" not in value:
        return None
    if value["push0"] != BUNDLE_VERSION:
        raise FormatError(f"bundle of version {value['push0']}, not {BUNDLE_VERSION}")
    return [BundleItem.from_json(item) for item in listed(value, "items")]


class Number(float):
    """A number that is no integer, with the text that it was read from."""

    text: str

    def __new__(cls, text: str) -> Number:
        number = super().__new__(cls, text)
        if number in (float("inf"), float("-inf")):
            raise FormatError(f"number out of range: {text:.60}")
        number.text = text
        return number


def load(data: bytes) -> Any:
    """Reads JSON that push0 or a prover wrote."""
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_float=Number,
            parse_int=_integer,
        )
    except RecursionError:
        raise FormatError("nested too deeply") from None
    except ValueError as error:
        raise FormatError(f"not JSON: {error}") from None


def _once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    of = dict(pairs)
    if len(of) != len(pairs):
        raise FormatError("a field stands twice")
    return of


def _no_constant(name: str) -> Any:
    raise FormatError(f"{name} is no number of JSON")


def _integer(digits: str) -> int:
    if len(digits) > INTEGER_DIGITS_MAX:
        raise FormatError(f"an integer of {len(digits)} digits")
    return int(digits)


def fields(value: object, what: str) -> Dict[str, Any]:
    if not isinstance(value, dict):
        raise FormatError(f"{what} is no object")
    return value


def listed(of: Dict[str, Any], name: str) -> List[Any]:
    value = of.get(name)
    if not isinstance(value, list):
        raise FormatError(f"{name} is no list")
    return value


def text(of: Dict[str, Any], name: str) -> str:
    value = of.get(name)
    if not isinstance(value, str):
        raise FormatError(f"{name} is no text" if name in of else f"{name} is missing")
    return value


def maybe_text(of: Dict[str, Any], name: str) -> Optional[str]:
    return None if of.get(name) is None else text(of, name)


def texts(of: Dict[str, Any], name: str) -> Tuple[str, ...]:
    values = listed(of, name)
    if not all(isinstance(value, str) for value in values):
        raise FormatError(f"{name} holds something that is no text")
    return tuple(values)


def flag(of: Dict[str, Any], name: str) -> bool:
    value = of.get(name)
    if not isinstance(value, bool):
        raise FormatError(f"{name} is neither true nor false")
    return value


def u64(of: Dict[str, Any], name: str) -> int:
    value = of.get(name)
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise FormatError(f"{name} is no integer of 64 bits")
    return value


def hash32(value: str) -> str:
    if not HASH32.fullmatch(value):
        raise FormatError(f"{value!r:.80} is no hash: it is 0x and 64 digits")
    return value.lower()


def digest(value: str) -> str:
    if not DIGEST.fullmatch(value):
        raise FormatError(f"{value!r:.80} is no SHA-256: it is 64 digits")
    return value.lower()


def from_hex(value: str) -> bytes:
    digits = value[2:]
    if not value.startswith("0x") or not HEX.fullmatch(digits):
        raise FormatError(f"{value!r:.80} is no hex: it is 0x and an even count of digits")
    return bytes.fromhex(digits)


def to_hex(data: bytes) -> str:
    return "0x" + data.hex()


def from_base64(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError(f"not base64: {error}") from None


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


RESULT_FORMAT = "push0.result/1"
BUNDLE_VERSION = 1

VKEY = re.compile("sha256:[0-9a-f]{64}")
HASH32 = re.compile("0x[0-9a-fA-F]{64}")
DIGEST = re.compile("[0-9a-fA-F]{64}")
HEX = re.compile("([0-9a-fA-F]{2})*")

#: Integers of the formats have 64 bits. No more digits are ever turned into a number.
INTEGER_DIGITS_MAX = 100
