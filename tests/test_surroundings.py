"""A result depends on the repository, the lock and the machine's arithmetic, and on nothing else that a user has lying about."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.entries.entry import Entry
from benchmark.errors import ThriveError
from benchmark.runs import machine, sweep
from benchmark.runs.project import Project
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


GIGABYTE = 1 << 30
LIMITS = [
    ("0::/\n", {"memory.max": GIGABYTE}, GIGABYTE),  # version 2, a container
    ("0::/\n", {"memory.max": "max"}, None),
    ("0::/slurm/job_7/step_0\n", {"slurm/job_7/memory.max": GIGABYTE, "slurm/job_7/step_0/memory.max": "max"}, GIGABYTE),  # a scheduler's
    ("0::/a\n", {"a/memory.max": 2 * GIGABYTE, "memory.max": GIGABYTE}, GIGABYTE),
    ("4:memory:/docker/7\n3:cpu:/\n0::/\n", {"memory/memory.limit_in_bytes": GIGABYTE}, GIGABYTE),  # version 1, its group mounted
    ("4:cpu,memory:/docker/7\n", {"memory/docker/7/memory.limit_in_bytes": GIGABYTE}, GIGABYTE),
    ("0::/\n", {"memory.max": 1 << 60}, None),
    (None, {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("groups", "files", "limit"), LIMITS)
def test_the_memory_of_a_container_or_of_a_job_is_the_limit(groups, files, limit, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "MOUNT", tmp_path / "mount")
    if groups is not None:
        (tmp_path / "cgroup").write_text(groups)
    for name, content in files.items():
        (tmp_path / "mount" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mount" / name).write_text(f"{content}\n")
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


def keys(home: Path) -> list[str]:
    project = Project.load(home)
    entries = [project.entry(id) for id in project.ids()]
    return [cell.key for task in project.task_settings() for cell in sweep.cells(project, task, entries)]


@pytest.fixture
def home(clone, tmp_path) -> Path:
    return shutil.copytree(clone, tmp_path / "home")


def test_line_endings_and_byte_order_marks_change_no_key(home):
    """As git for Windows checks files out, and as its editors save them."""
    before = keys(home)
    for path in [home / "params.yaml", *home.glob("baselines/*/card.yaml"), *home.glob("baselines/*/*.py")]:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert keys(home) == before


def test_times_of_files_and_the_clones_path_change_no_key(home, tmp_path):
    before = keys(home)
    for path in home.rglob("*"):
        os.utime(path, (0, 0))
    assert keys(home) == before
    moved = home.rename(tmp_path / "another näme with a space")
    assert keys(moved) == before


@pytest.mark.parametrize("how", ["no repository", "a broken one", "no git", "of another user"])
def test_git_that_cannot_answer_leaves_the_commit_open(how, home, monkeypatch):
    if how == "a broken one":
        (home / ".git").write_text("gitdir: nowhere\n")
    if how == "no git":
        monkeypatch.setenv("PATH", str(home))
    if how == "of another user":  # git refuses what it holds to be somebody else's
        subprocess.run(["git", "init", "-q", home], check=True)
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(home.parent))
    found = sweep.provenance(home)
    assert (found["commit"], found["dirty"]) == (None, False)


def test_a_half_saved_file_in_anybodys_folder_stops_nobody_else(home):
    before = keys(home)
    other = shutil.copytree(home / "baselines" / "replace", home / "submissions" / "somebodys")
    (other / "strategy.py").write_text("class Half(")
    (other / "card.yaml").write_text("api: 1\nid: some")
    assert keys(home) == before
    assert [str(fault).count("somebodys") > 0 for fault in Project.load(home).faults] == [True]
    (home / "baselines" / "accumulate" / "helper.py").write_text("def half(")  # of an entry that the profile names
    project = Project.load(home)
    assert "accumulate" not in project.readable
    assert {"replace", "real-only"} <= set(project.readable)


NUMBERS = {
    "1e-2": "0.01", "1E-2": "0.01", "+0.01": "0.01", ".01": "0.01", "0.010": "0.01",
    "010": None, "0o12": None, "0x0A": None, "1:30": None, "1_0": None, ".inf": None, ".nan": None, "'0.01'": None, "yes": None,
}  # fmt: skip
"""Forms of one number, and forms that other versions of YAML read as another one, which are refused."""


@pytest.mark.parametrize("form", NUMBERS)
def test_a_number_has_one_meaning_or_is_refused(form, home):
    before = keys(home)
    text = (home / "params.yaml").read_text()
    (home / "params.yaml").write_text(text.replace("bandwidth: 0.3", f"bandwidth: {form}"))
    if NUMBERS[form] is None:
        with pytest.raises(ThriveError, match="params.yaml"):
            keys(home)
        return
    found = keys(home)
    assert found != before
    (home / "params.yaml").write_text(text.replace("bandwidth: 0.3", f"bandwidth: {NUMBERS[form]}"))
    assert keys(home) == found


@pytest.mark.skipif(sys.platform != "linux", reason="shared memory lies elsewhere")
def test_without_shared_memory_it_runs_in_one_process(home, root):
    """As in some containers: joblib says so, and the cells are computed."""
    mount = "mount -t tmpfs -o ro none /dev/shm"
    apart = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*apart, mount], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a file system of their own")
    command = [*apart, f"{mount} && exec {sys.executable} -m thrive.cli run -j 2 -t gaussian"]
    done = subprocess.run(
        command, cwd=home, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "joblib will operate in serial mode" in done.stderr
    assert len(list((home / "cells").glob("*.parquet"))) == 4
