"""A directory of its own for each test, and the processes of the prover under test.

Not here: any claim about the SDK.
"""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

TESTS = pathlib.Path(__file__).resolve().parent
SOURCES = TESTS.parent / "src"
sys.path.insert(0, str(SOURCES))

from push0_prover import BundleItem, Envelope, Key, Program, vkey_of  # noqa: E402

UNRULY = TESTS / "provers" / "unruly.py"
KEY = Key(chain=1, first=5, last=6, tip="0x" + "01" * 32)
VKEY = vkey_of(b"unruly")

#: More than anything here takes on a busy machine.
PATIENCE_SECONDS = 60


class Room(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="push0-sdk-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return str(self.folder / name)

    def write(self, name, data):
        (self.folder / name).write_bytes(data)
        return self.path(name)

    def read(self, name):
        return (self.folder / name).read_bytes()

    def item(self, name, data, **more):
        path = self.write(name, data)
        return BundleItem(key=KEY, path=path, sha256=hashlib.sha256(data).hexdigest(), **more)

    def start(self, args, script=UNRULY, **env):
        given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1"}
        child = subprocess.Popen(
            [sys.executable, str(script), *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**given, "PUSH0_CACHE": self.path("cache"), **env},
            cwd=self.folder,
        )
        self.addCleanup(end, child)
        return child

    def run_to_end(self, args, **more):
        child = self.start(args, **more)
        out, err = child.communicate(timeout=PATIENCE_SECONDS)
        return Ended(child.returncode, out.decode(), err.decode())

    def prove(self, what, data=b"5", **env):
        paths = ["-i", self.write("in", data), "--output-path", self.path("out")]
        return self.run_to_end([*paths, what], **env)

    def verify(self, envelope, **more):
        data = envelope if isinstance(envelope, bytes) else envelope.encode()
        return self.run_to_end(["verify", "--input-path", self.write("envelope", data)], **more)

    def serve(self, args=(), **more):
        return Served(self.start(list(args), PUSH0_CONTRACT="serve", **more), self)


class Ended:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Served:
    """A prover that serves."""

    def __init__(self, child, room):
        self.child, self.room, self.errors = child, room, []
        threading.Thread(target=self._keep_errors, daemon=True).start()

    def ask(self, attempt, what, data=b"5", **more):
        request = {"task": "2a", "attempt": attempt, "stage": "leaf", "args": [what]}
        request["input"] = self.room.write(f"in-{attempt}", data)
        request["output"] = self.room.path("out")
        self.line(json.dumps({"prove": {**request, "deadline_ms": 60_000, **more}}))

    def line(self, text):
        self.child.stdin.write(text.encode() + b"\n")
        self.child.stdin.flush()

    def reply(self):
        """The next line; a test that waits for ever is ended."""
        timer = threading.Timer(PATIENCE_SECONDS, self.child.kill)
        timer.start()
        line = self.child.stdout.readline()
        timer.cancel()
        return json.loads(line) if line else None

    def end(self):
        self.child.stdin.close()
        return self.wait()

    def wait(self):
        code = self.child.wait(PATIENCE_SECONDS)
        rest = self.child.stdout.read()
        assert rest == b"", rest
        return code

    def _keep_errors(self):
        for line in self.child.stderr:
            self.errors.append(line.decode())


def end(child):
    if child.poll() is None:
        child.send_signal(signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout, child.stderr):
        try:
            pipe.close()
        except OSError:
            pass


def envelope(proof, **more):
    of = dict(pipeline="demo", key=KEY, program=Program("unruly", None), mock=False)
    return Envelope(**{**of, "public_values": b"v", "proof": proof.encode(), **more})
