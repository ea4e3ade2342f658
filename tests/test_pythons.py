"""Every supported Python gives the same keys and the same numbers: smoke without the language model, whose torch is for one Python."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from packaging.requirements import Requirement

from benchmark.runs.cells import files_in
from benchmark.tasks import TASKS

pytestmark = pytest.mark.long
OTHERS = ("3.12", "3.13")
DIGESTS = """
import json
from pathlib import Path
from benchmark.tasks import TASKS
from benchmark.runs.keys import digest_of_task_setting
from benchmark.entries.catalogue import find
tasks = {name: digest_of_task_setting(name) for name in TASKS}
print(json.dumps([tasks, {id: entry.digest for id, entry in find(Path(".")).items()}]))
"""


def interpreter(version: str) -> str | None:
    """Of a Python of this version, if this machine has one: on PATH, or of pyenv or uv."""
    homes = [Path.home() / ".pyenv" / "versions", Path.home() / ".local" / "share" / "uv" / "python"]
    found = [str(path) for home in homes for path in sorted(home.glob(f"*{version}.*/bin/python{version}"))]
    for path in [shutil.which(f"python{version}"), *found]:
        if path and subprocess.run([path, "-c", "import ensurepip"], capture_output=True).returncode == 0:
            return path
    return None


def needed(root: Path) -> list[str]:
    """What the benchmark itself needs, and what that needs, each as the lock has it."""
    lock = dict(re.findall(r"^([^=\s]+)==(\S+)$", (root / "requirements.lock").read_text(), re.MULTILINE))
    pins = {re.sub("[-_.]+", "-", name).lower(): f"{name}=={version}" for name, version in lock.items()}
    waiting = [
        Requirement(line) for line in tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    ]
    found: dict[str, str] = {}
    while waiting:
        name = re.sub("[-_.]+", "-", waiting.pop().name).lower()
        if name not in found and name in pins:
            found[name] = pins[name]
            waiting += [
                one for line in importlib.metadata.requires(name) or [] if not (one := Requirement(line)).marker or one.marker.evaluate({"extra": ""})
            ]  # fmt: skip
    return sorted(found.values())


def clone(root: Path, folder: Path) -> Path:
    shutil.copytree(root / "baselines", folder / "baselines", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "requirements.lock"):
        shutil.copy(root / name, folder)
    return folder


def run(python: str, folder: Path, root: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([python, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


SETTINGS = [word for task in ("gaussian", "kde") for word in ("-t", task)]


@pytest.fixture(scope="module")
def here(root, tmp_path_factory) -> tuple[list, dict[str, list]]:
    """Digests, and records by key, of the Python that runs the tests."""
    return made(sys.executable, clone(root, tmp_path_factory.mktemp("here") / "clone"), root)


def made(python: str, folder: Path, root: Path) -> tuple[list, dict[str, list]]:
    run(python, folder, root, "-m", "thrive.cli", "run", "--profile", "smoke", "-j", "1", *SETTINGS)
    records = {key: pq.read_table(path).to_pylist() for key, path in files_in(folder / "cells")}
    return json.loads(run(python, folder, root, "-c", DIGESTS)), records


@pytest.mark.parametrize("version", OTHERS)
def test_another_python_has_the_same_keys_and_numbers(version, here, root, tmp_path):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no python{version} on PATH, of pyenv or of uv, on this machine")
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True)
    own = str(tmp_path / "venv" / "bin" / "python")
    installed = subprocess.run([own, "-m", "pip", "install", "--quiet", *needed(root)], capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr
    digests, records = made(own, clone(root, tmp_path / "clone"), root)
    assert set(digests[0]) == set(TASKS)
    assert digests == here[0]
    assert len(records) >= 8
    assert records == here[1]
