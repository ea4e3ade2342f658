"""A result depends on the repository, the lock and the machine's arithmetic, and on nothing else that a user has lying about."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.entries.entry import Entry
from benchmark.runs import machine
from tests.conftest import tiny_profile

PARAMS = tiny_profile(
    "gaussian: {horizon: 5, seeds: 3, instances: [{d: 2, n: 12, seconds: 0.01}]}",
    "kde: {horizon: 5, seeds: 3, instances: [{data: moons, bandwidth: 0.3, n: 12, seconds: 0.01}]}",
).replace("[replace, accumulate]", "[real-only, replace, accumulate, accumulate-subsample]")
LOOKS = "figure.dpi: 33\naxes.facecolor: red\nfont.size: 30\ntext.usetex: True\n"
NOWHERE = "/dev/null/nowhere"
SURROUNDINGS = {
    "of a notebook": {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    "no home, no cache": dict.fromkeys(
        ("HOME", "HF_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), NOWHERE
    ),
    "threads": {"OMP_NUM_THREADS": "7", "OPENBLAS_NUM_THREADS": "7", "MKL_NUM_THREADS": "7"},
    "a terminal of letters": {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "TERM": "dumb",
        "COLUMNS": "20",
    },
    "an interpreter of another kind": {"PYTHONOPTIMIZE": "1", "PYTHONHASHSEED": "3", "TZ": "Asia/Tokyo"},
}
COMMANDS = (
    ("run", "--profile", "tiny"), ("score",), ("board",), ("figures", "--at", "leaderboard", "--to", "figures", "--only", "fig1"),
)  # fmt: skip


@pytest.fixture(scope="module")
def clone(tmp_path_factory, root) -> Path:
    folder = tmp_path_factory.mktemp("surroundings") / "clone"
    shutil.copytree(root / "baselines", folder / "baselines")
    shutil.copy(root / "README.md", folder)
    (folder / "params.yaml").write_text(PARAMS)
    return folder


def made(clone: Path, folder: Path, root: Path, **environment: str) -> dict[str, bytes]:
    """What the commands write in a copy of the clone, but for times."""
    shutil.copytree(clone, folder)
    for words in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "thrive.cli", *words],
            cwd=folder, env={**os.environ, "PYTHONPATH": str(root), **environment}, capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    kept = [
        path for name in ("leaderboard", "figures") for path in (folder / name).iterdir() if path.name != "about.json"
    ]
    return {path.name: path.read_bytes() for path in kept if path.suffix != ".html"}


def test_results_and_figures_are_the_same_whatever_the_surroundings(clone, root, tmp_path):
    """All at once: settings of matplotlib and of a notebook, no home, many threads, a terminal without letters, a file that is open elsewhere."""
    plain = made(clone, tmp_path / "plain", root)
    (tmp_path / "matplotlibrc").write_text(LOOKS)
    (clone / "baselines" / "replace" / ".strategy.py.swp").write_bytes(b"\0")
    (clone / "baselines" / "replace" / "strategy.py~").write_text("half a")
    everything = {name: value for some in SURROUNDINGS.values() for name, value in some.items()}
    odd = made(clone, tmp_path / "odd", root, **everything, MATPLOTLIBRC=str(tmp_path / "matplotlibrc"))
    assert {"scores.parquet", "leaderboard.json", "fig1.png", "fig1.pdf"} <= set(plain)
    assert [name for name in plain if plain[name] != odd[name]] == []


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity of processes")
def test_no_more_processes_than_cores_that_were_granted(root):
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from benchmark.runs.machine import cores; print(cores())"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_the_memory_of_a_container_is_the_limit(tmp_path, monkeypatch):
    for content, limit in (("1000000\n", 1_000_000), ("max\n", None), (None, None)):
        file = tmp_path / "memory.max"
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content)
        monkeypatch.setattr(machine, "CONTAINERS_LIMITS", (str(file),))
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        assert machine.memory_limit() == (limit or whole)


@pytest.mark.parametrize(
    "name", [".DS_Store", ".strategy.py.swp", "strategy.py~", "#strategy.py#", ".ipynb_checkpoints/strategy.py"]
)
def test_files_of_editors_are_no_part_of_an_entry(name, root, tmp_path):
    folder = shutil.copytree(root / "baselines" / "replace", tmp_path / "replace")
    digest = Entry(folder).digest
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("half a (")
    assert Entry(folder).digest == digest
