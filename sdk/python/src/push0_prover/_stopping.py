"""What becomes of a SIGTERM or a Ctrl-C: `Cancelled` is raised wherever the prover's code is.

So its `finally` clauses run, and what it has begun can be ended. A prover that is within native code does
not return to Python in time: then the process ends without it. A second signal ends it at once.

Not here: the cancel line of the serve contract (`_serve`).
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import NoReturn, Optional

from ._failures import Cancelled
from ._stdio import flush


class Stopping:
    """Set up once a process, from its main thread."""

    def __init__(self) -> None:
        #: The signal that came; None as long as there was none.
        self.signal: Optional[int] = None
        self._seen = threading.Event()
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(reader,), daemon=True).start()
        for number in SIGNALS:
            signal.signal(number, self._stop)
        os.register_at_fork(after_in_child=_be_ordinary)

    def die(self) -> NoReturn:
        """Ends the process as the signal would have."""
        number = self.signal or signal.SIGTERM
        flush()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        os._exit(128 + number)

    def _stop(self, number: int, _frame: Optional[FrameType]) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self.signal = number
        self._seen.set()
        raise Cancelled(f"stopped by {signal.Signals(number).name}")

    def _watch(self, reader: int) -> None:
        """Ends the process if Python does not come round to the handler."""
        while True:
            number = os.read(reader, 1)[0]
            if number in SIGNALS and not self._seen.wait(NATIVE_SECONDS):
                os._exit(128 + number)


def _be_ordinary() -> None:
    """A fork of this process is nobody's prover: a signal to it is none to its parent."""
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


SIGNALS = (signal.SIGTERM, signal.SIGINT)

#: How long native code may keep Python from its handler.
NATIVE_SECONDS = 1.0
