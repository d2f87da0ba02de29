"""Makes the one prover of a process, with its cache directory and its key.

Not here: the prover's own `load`.
"""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile
from typing import Optional, Type

from ._failures import Failure, Transient
from ._prover import Prover
from ._wire import FormatError, check_vkey


class Loaded:
    """A prover that is ready, and the key that its proofs are checked with."""

    def __init__(self, of: Type[Prover]) -> None:
        cache = _cache_dir(name_of(of))
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Transient(f"cache {cache}: {error}") from None
        self.prover = of()
        self.prover.load(cache)
        self.vkey: Optional[str] = self.prover.vkey()
        try:
            if self.vkey is not None:
                check_vkey(self.vkey)
        except FormatError as error:
            raise Failure(f"vkey() returned what is no key: {error}") from None


def name_of(of: Type[Prover]) -> str:
    return of.name or os.path.splitext(os.path.basename(sys.argv[0]))[0] or "prover"


def _cache_dir(name: str) -> pathlib.Path:
    given = os.environ.get("PUSH0_CACHE")
    if given:
        return pathlib.Path(given)
    users = os.environ.get("XDG_CACHE_HOME")
    if not users:
        home = os.environ.get("HOME")
        users = os.path.join(home, ".cache") if home else tempfile.gettempdir()
    return pathlib.Path(users) / "push0" / name
