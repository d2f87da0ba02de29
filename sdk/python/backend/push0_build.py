"""Builds the package (PEP 517 and 660) with Python alone: a wheel is an archive with a list of its files.

Not here: the version, which stands in `src/push0_prover/__init__.py`.
"""

import base64
import hashlib
import io
import pathlib
import re
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src" / "push0_prover"
NAME = "push0_prover"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    files = {f"{NAME}/{path.name}": path.read_bytes() for path in _sources()}
    return _wheel(wheel_directory, files)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, {f"{NAME}.pth": f"{SOURCES.parent}\n".encode()})


def build_sdist(sdist_directory, config_settings=None):
    base = f"{NAME}-{_version()}"
    own = [ROOT / "pyproject.toml", ROOT / "README.md", pathlib.Path(__file__).resolve()]
    with tarfile.open(pathlib.Path(sdist_directory) / f"{base}.tar.gz", "w:gz") as archive:
        for path in own + _sources():
            archive.add(path, f"{base}/{path.relative_to(ROOT)}")
        _add(archive, f"{base}/PKG-INFO", _metadata())
    return f"{base}.tar.gz"


def _wheel(directory, files):
    version = _version()
    info = f"{NAME}-{version}.dist-info"
    files[f"{info}/METADATA"] = _metadata()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: push0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{name},{_digest(data)},{len(data)}\n" for name, data in files.items()]
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    wheel = f"{NAME}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory) / wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)
    return wheel


def _add(archive, name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _metadata():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return METADATA.format(version=_version(), readme=readme).encode()


def _version():
    text = (SOURCES / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE).group(1)


def _sources():
    return sorted([*SOURCES.glob("*.py"), SOURCES / "py.typed"])


def _digest(data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return "sha256=" + digest.decode().rstrip("=")


METADATA = """\
Metadata-Version: 2.1
Name: push0-prover
Version: {version}
Summary: The SDK for provers of push0 in Python.
License: MIT OR Apache-2.0
Requires-Python: >=3.9
Description-Content-Type: text/markdown

{readme}"""

#: An archive of the same files is the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)
