#!/usr/bin/env python3
"""A prover that does what its last argument says; its verifier does what the proof says. For tests."""

import contextlib
import errno
import hashlib
import os
import subprocess
import sys
import threading
import time

import push0_prover as sdk
from push0_prover import Accepted, Proof, Prover, Refused, main

print("printed by an import")


class Unruly(Prover):
    """Does as it is told."""

    name = "unruly"
    file_bytes_max = int(os.environ.get("TEST_BYTES_MAX", 1 << 20))
    mock = "TEST_MOCK" in os.environ

    def load(self, cache):
        print("printed by load")
        if "TEST_LOAD" in os.environ:
            do(os.environ["TEST_LOAD"], None, None)

    def vkey(self):
        return os.environ.get("TEST_VKEY", sdk.vkey_of(b"unruly"))

    def prove(self, task, progress):
        made = do(task.args[-1], task, progress)
        return Proof(b"values", b"proof") if made is None else made

    def verify(self, envelope):
        return JUDGE[envelope.proof.decode()](envelope)


class Sulking(Exception):
    def __str__(self):
        raise ValueError("no text")


def do(what, task, progress):
    if what in RAISES:
        raise RAISES[what]
    return DOES[what](task, progress)


def print_everywhere(_task, _progress):
    print('{"done":{"attempt":1}}')
    sys.__stdout__.write("from the first stdout\n")
    os.write(1, b"from descriptor 1\n")
    subprocess.run(["echo", "from a child"], check=True)


def read_everywhere(_task, _progress):
    if sys.stdin.read() or subprocess.run(["cat"], capture_output=True, check=True).stdout:
        raise sdk.InvalidInput("there was something on stdin")


def wait(_task, progress):
    progress.fraction(0.5)
    while True:
        time.sleep(0.01)
        progress.check()


def finish_cancelled(_task, progress):
    with contextlib.suppress(sdk.Cancelled):
        wait(None, progress)


def fail_cancelled(_task, progress):
    try:
        wait(None, progress)
    except sdk.Cancelled:
        raise ValueError("cleaning up failed") from None


def sleep_deaf(_task, progress):
    try:
        progress.fraction(0.5)
        time.sleep(60)
    except Exception:
        print("caught what was not for it")
    finally:
        print("cleaned up")


def work_natively(_task, progress):
    progress.fraction(0.5)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)  # minutes, and no return to Python


def fork_and_stop_the_child(_task, progress):
    import multiprocessing

    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    time.sleep(0.2)
    child.terminate()
    child.join()
    time.sleep(1.5)
    return sdk.Raw(str(child.exitcode).encode())


def leave_a_thread(_task, _progress):
    threading.Thread(target=time.sleep, args=(60,)).start()


def show(task, _progress):
    left = task.seconds_left()
    said = [task.id, task.attempt, task.stage, task.args, left is not None and 0 < left < 61]
    return sdk.Raw(repr(said).encode())


def read_items(task, _progress):
    first, second = task.items
    return sdk.Raw(repr([first.json(), second.result().proof, second.public_values]).encode())


RAISES = {
    "Failure": sdk.Failure("why"),
    "Transient": sdk.Transient("why"),
    "Resource": sdk.Resource("why"),
    "TimedOut": sdk.TimedOut("why"),
    "Unprovable": sdk.Unprovable("why"),
    "InvalidInput": sdk.InvalidInput("why"),
    "Cancelled": sdk.Cancelled("why"),
    "MemoryError": MemoryError(),
    "full": OSError(errno.ENOSPC, "why"),
    "OSError": OSError(errno.EIO, "why"),
    "ValueError": ValueError("why"),
    "Refused": Refused("why"),
    "SystemExit(0)": SystemExit(0),
    "SystemExit(77)": SystemExit(77),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "Sulking": Sulking(),
    "surrogate": ValueError("\ud800"),
    "long": ValueError("x" * 3_000_000),
}

DOES = {
    "prove": lambda _task, _progress: None,
    "nothing": lambda _task, _progress: 5,
    "text": lambda _task, _progress: Proof("values", b"proof"),
    "parts": lambda _task, _progress: sdk.Parts([1, {"two": 2}]),
    "no-parts": lambda _task, _progress: sdk.Parts([]),
    "NaN-parts": lambda _task, _progress: sdk.Parts([float("nan")]),
    "recurse": lambda task, progress: do("recurse", task, progress),
    "raw": lambda task, _progress: sdk.Raw(task.raw),
    "number": lambda task, _progress: sdk.Raw(str(task.number).encode()),
    "abort": lambda _task, _progress: os.abort(),
    "print": print_everywhere,
    "read": read_everywhere,
    "wait": wait,
    "finish": finish_cancelled,
    "fail": fail_cancelled,
    "sleep": sleep_deaf,
    "native": work_natively,
    "fork": fork_and_stop_the_child,
    "thread": leave_a_thread,
    "show": show,
    "items": read_items,
}


def raising(error):
    def judge(_envelope):
        raise error

    return judge


def crash_after_printing_a_verdict(_envelope):
    print('{"vkey":null,"claim":{}}', flush=True)
    os.write(1, b'{"refused":"printed by the way"}\n')
    raise ValueError("and then it crashed")


JUDGE = {
    "accept": lambda _envelope: Accepted({"b": 1, "a": [0.5, None, "ü"]}),
    "return": lambda _envelope: Refused("bad pairing"),
    "raise": raising(Refused("bad pairing")),
    "None": lambda _envelope: None,
    "True": lambda _envelope: True,
    "False": lambda _envelope: False,
    "class": lambda _envelope: Accepted,
    "no reason": lambda _envelope: Refused(""),
    "ValueError": raising(ValueError("why")),
    "AssertionError": raising(AssertionError()),
    "ImportError": raising(ImportError("no module named curve")),
    "MemoryError": raising(MemoryError()),
    "SystemExit(0)": raising(SystemExit(0)),
    "SystemExit(1)": raising(SystemExit(1)),
    "SystemExit(196)": raising(SystemExit(196)),
    "Transient": raising(sdk.Transient("no keys")),
    "InvalidInput": raising(sdk.InvalidInput("why")),
    "print": crash_after_printing_a_verdict,
    "abort": lambda _envelope: os.abort(),
    "NaN": lambda _envelope: Accepted({"a": float("nan")}),
    "big": lambda _envelope: Accepted({"a": 1 << 64}),
    "object": lambda _envelope: Accepted({"a": object()}),
    "surrogate": lambda _envelope: Accepted({"a": "\ud800"}),
    "long": lambda _envelope: Accepted("x" * 70_000),
    "inputs": lambda envelope: Accepted([item.json() for item in envelope.inputs]),
    "thread": lambda envelope: leave_a_thread(None, None) or Accepted({}),
}

if __name__ == "__main__":
    main(Unruly)
