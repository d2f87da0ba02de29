"""Writes what a prover made, so that it is there whole or not at all.

Not here: what is in it (`_prover`, `_wire`).
"""

from __future__ import annotations

import json
import os
from typing import Optional

from ._failures import OUT_OF_ROOM, Failure, Resource, Transient
from ._prover import Parts, Proof, Prover, Raw
from ._wire import ResultFile


def store(prover: Prover, vkey: Optional[str], made: object, path: str) -> None:
    """Writes to a temporary name beside `path`, syncs, renames, and syncs the folder."""
    data = _encode(prover, vkey, made)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        try:
            _write_synced(temporary, data)
            os.replace(temporary, path)
        except BaseException:
            _remove(temporary)
            raise
        _sync_folder(os.path.dirname(path) or ".")
    except OSError as error:
        failure = Resource if error.errno in OUT_OF_ROOM else Transient
        raise failure(f"output {path}: {error}") from None


def _encode(prover: Prover, vkey: Optional[str], made: object) -> bytes:
    if isinstance(made, Proof):
        values, proof = bytes(made.public_values), bytes(made.proof)
        return ResultFile(vkey=vkey, mock=prover.mock, public_values=values, proof=proof).encode()
    if isinstance(made, Parts):
        try:
            return json.dumps(made.parts, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise Failure(f"the parts are no JSON: {error}") from None
    if isinstance(made, Raw):
        return bytes(made.data)
    raise Failure(f"prove returned {type(made).__name__}: return Proof, Parts or Raw")


def _write_synced(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
