"""How a running proof tells how far it is, and learns that nobody wants it any more.

Not here: who listens (`_file`, `_serve`).
"""

from __future__ import annotations

import math
import threading
import time
from typing import Callable, Optional

from ._failures import Cancelled


class Progress:
    """A handle on the attempt that is being proved. Other threads may use it too.

    One that is made without arguments tells nobody: for a prover's own tests.
    """

    def __init__(
        self,
        tell: Optional[Callable[[float], None]] = None,
        cancelled: Optional[threading.Event] = None,
    ) -> None:
        self._tell = tell
        self._cancelled = cancelled or threading.Event()
        self._last = -math.inf
        self._lock = threading.Lock()

    def fraction(self, fraction: float) -> None:
        """Tells how far the proof is, from 0 to 1. At most ten a second are passed on."""
        if self._tell is None or not math.isfinite(fraction) or not self._is_due():
            return
        self._tell(min(max(float(fraction), 0.0), 1.0))

    @property
    def is_cancelled(self) -> bool:
        """Whether the proof is no longer wanted."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raises `Cancelled` once the proof is no longer wanted. Call it between two steps."""
        if self.is_cancelled:
            raise Cancelled("cancelled")

    def _is_due(self) -> bool:
        with self._lock:
            now = time.monotonic()
            is_due = now - self._last >= INTERVAL_MIN_SECONDS
            if is_due:
                self._last = now
            return is_due


INTERVAL_MIN_SECONDS = 0.1
