"""The package itself: it is built without a network, and its README is true."""

import dataclasses
import importlib
import json
import re
import subprocess
import sys
import zipfile

from support import KEY, SOURCES, Room, envelope

import push0_prover

ROOT = SOURCES.parent


class ThePackage(Room):
    def test_a_wheel_holds_the_sources_and_the_version_of_the_package(self):
        backend = self.backend()
        name = backend.build_wheel(str(self.folder))
        self.assertEqual(name, f"push0_prover-{push0_prover.__version__}-py3-none-any.whl")
        with zipfile.ZipFile(self.path(name)) as wheel:
            names = set(wheel.namelist())
            info = name.replace("-py3-none-any.whl", ".dist-info")
            metadata = wheel.read(f"{info}/METADATA").decode()
        sources = {f"push0_prover/{path.name}" for path in SOURCES.glob("push0_prover/*.py")}
        self.assertLessEqual(sources | {"push0_prover/py.typed"}, names)
        self.assertIn(f"\nVersion: {push0_prover.__version__}\n", metadata)
        code = f"import sys; sys.path.insert(0, {self.path(name)!r}); import push0_prover as p; print(p.__file__)"
        ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True)
        self.assertIn(name, ran.stdout.decode())

    def test_the_other_builds_are_there(self):
        backend = self.backend()
        self.assertTrue((self.folder / backend.build_sdist(str(self.folder))).is_file())
        self.assertTrue((self.folder / backend.build_editable(str(self.folder))).is_file())

    def test_all_that_is_named_is_there(self):
        for name in push0_prover.__all__:
            self.assertTrue(hasattr(push0_prover, name), name)

    def test_the_prover_of_the_readme_proves_and_verifies(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        code = re.search(r"```python\n(.*?)```", readme, re.DOTALL).group(1)
        self.assertLessEqual(len(code.splitlines()), 30)
        script = self.write("root.py", code.encode())
        block = self.item("block", b"{}")
        block = dataclasses.replace(block, key=dataclasses.replace(KEY, first=16, last=16))
        bundle = json.dumps({"push0": 1, "items": [block.to_json()]}).encode()
        paths = ["-i", self.write("in", bundle), "-o", self.path("out")]
        self.assertEqual(self.run_to_end(paths, script=script).code, 0)
        made = push0_prover.ResultFile.decode(self.read("out"))
        self.assertEqual(int.from_bytes(made.proof, "big"), 4)
        good = envelope(made.proof.decode(), key=block.key, public_values=made.public_values)
        self.assertEqual(self.verify(good, script=script).code, 0)
        for change in ({"proof": b"5"}, {"public_values": b"17"}, {"key": KEY}):
            done = self.verify(dataclasses.replace(good, **change), script=script)
            self.assertEqual(done.code, 1, done)
            self.assertIn("refused", done.out)

    def backend(self):
        sys.path.insert(0, str(ROOT / "backend"))
        self.addCleanup(sys.path.remove, str(ROOT / "backend"))
        return importlib.import_module("push0_build")
