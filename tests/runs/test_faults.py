"""Faults, each injected into a real sweep: no finished cell is lost or counted twice, the one at fault fails by name, the others go on.

After each, the same command, without the fault, ends well, and the cells have the numbers of a sweep that nothing befell.
"""

import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmark.runs.cells import as_bytes, checksum, files_in, provenance_of
from tests.conftest import tiny_profile
from tests.runs.test_cell_process import entry
from tests.runs.test_dask import cluster
from tests.runs.test_records import is_alive
from thrive.group import INTERRUPTED

pytestmark = pytest.mark.long

PARAMS = tiny_profile(
    "gaussian: {horizon: 30, seeds: 75, instances: [{d: 2, n: 12, seconds: 0.01}, {d: 3, n: 12, seconds: 0.01}]}",
    "kde: {horizon: 5, seeds: 10, instances: [{data: moons, bandwidth: 0.3, n: 12, seconds: 0.01}]}",
)
"""Of 14 cells."""
CELLS = 14
RUN = (sys.executable, "-m", "thrive.cli", "run", "-j", "2")
SECONDS = 600
"""Within which every sweep here ends, on a machine with much else to do."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory, root) -> Path:
    """A clone whose sweep ended without a fault."""
    folder = tmp_path_factory.mktemp("faults") / "clone"
    shutil.copytree(root / "baselines", folder / "baselines", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "params.yaml").write_text(PARAMS)
    done = sweep(folder)
    assert done.returncode == 0, done.stderr
    assert len(files_in(folder / "cells")) == CELLS
    return folder


@pytest.fixture
def clone(whole: Path, tmp_path: Path) -> Path:
    """A clone in which nothing is computed."""
    return shutil.copytree(whole, tmp_path / "clone", ignore=shutil.ignore_patterns("cells", "results"))


def environment(tmp: Path | None, fault: str) -> dict[str, str]:
    """That of a sweep; with a fault, code that every one of its processes runs as it starts."""
    paths = [str(Path(__file__).parents[2])]
    if tmp is not None:
        (tmp / "fault").mkdir(exist_ok=True)
        (tmp / "fault" / "sitecustomize.py").write_text(textwrap.dedent(fault))
        paths.insert(0, str(tmp / "fault"))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def start(clone: Path, *words: str, fault: str = "", command=RUN, **options) -> subprocess.Popen:
    env = environment(clone.parent if fault else None, fault)
    return subprocess.Popen(
        [*command, *words], cwd=clone, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options,
    )  # fmt: skip


def end(process: subprocess.Popen) -> subprocess.CompletedProcess:
    out, said = process.communicate(timeout=SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, out, said)


def sweep(clone: Path, *words: str, **options) -> subprocess.CompletedProcess:
    return end(start(clone, *words, **options))


def records(clone: Path) -> dict[str, list[list]]:
    """By key; of every file there is."""
    found: dict[str, list[list]] = {}
    for key, path in files_in(clone / "cells"):
        found.setdefault(key, []).append(pq.read_table(path).to_pylist())
    return found


def names(clone: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for _, path in files_in(clone / "cells")}


def wait_for_cells(clone: Path, count: int = 1, process: subprocess.Popen | None = None) -> None:
    """Until so many are finished, and the store is there; or until the process has ended."""
    ends = time.monotonic() + SECONDS
    while not (clone / "cells").is_dir() or len(files_in(clone / "cells")) < count:
        if process is not None and process.poll() is not None:
            return
        assert time.monotonic() < ends
        time.sleep(0.01)


def goes_on(clone: Path, whole: Path, kept: dict[str, int] | None = None) -> None:
    """The same command ends well, computes nothing again that was kept, and has the numbers and scores of a whole sweep."""
    kept = names(clone) if kept is None else kept
    done = sweep(clone, "-j", "1")
    assert done.returncode == 0, done.stderr
    assert f"{len(kept)} cells finished, {CELLS - len(kept)} to do" in done.stderr
    assert kept.items() <= names(clone).items()
    expected = records(whole)
    found = records(clone)
    assert set(found) == set(expected)
    assert all(each == expected[key][0] for key, copies in found.items() for each in copies)
    assert not list((clone / "cells").glob("*/*.txt"))  # no failure is left
    for task in ("gaussian", "kde"):
        ours, theirs = (
            pq.read_table(folder / "results" / "tiny" / task / "scores.parquet") for folder in (clone, whole)
        )
        assert ours.equals(theirs)


def last_lines(done: subprocess.CompletedProcess, count: int = 2) -> str:
    return "\n".join(done.stderr.strip().splitlines()[-count:])


def ends_by_and_by(group: int) -> None:
    deadline = time.monotonic() + 60
    while is_alive(group) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_alive(group)


def children(pid: int) -> list[int]:
    words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(word) for word in words]


def is_worker(pid: int) -> bool:
    try:
        return (
            b"loky" in Path(f"/proc/{pid}/cmdline").read_bytes()
            and b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
    except OSError:
        return False


def test_a_worker_is_killed_from_outside(clone, whole):
    """Its cell is computed again, and nothing fails."""
    process = start(clone)
    wait_for_cells(clone)
    workers = [pid for pid in children(process.pid) if is_worker(pid)]
    assert workers
    os.kill(workers[0], signal.SIGKILL)
    done = end(process)
    assert done.returncode == 0, done.stderr
    assert len(files_in(clone / "cells")) == CELLS
    goes_on(clone, whole)


DEATHS = {
    "kills its worker": ("os.kill(os.getppid(), 9)", "its worker was killed, for want of memory or by an entry"),
    "aborts": ("os.abort()", "killed by SIGABRT"),
    "reads nowhere": ("import ctypes; ctypes.string_at(0)", "killed by SIGSEGV"),
    "is killed for memory": ("os.kill(os.getpid(), 9)", "killed by SIGKILL"),
    "hangs": ("time.sleep(3600)", "TimedOut"),
    "hangs for good": ("signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); time.sleep(3600)", "TimedOut"),
    "fills memory": ("bytearray(1 << 50)", "MemoryError"),
    "leaves": ("os._exit(0)", "ended without an answer, with status 0"),
}


@pytest.mark.parametrize("name", DEATHS)
def test_an_entry(name, clone, whole):
    """What it does to its process costs its own cells alone, and they are named, with the command to type."""
    inside, told = DEATHS[name]
    entry(clone, "bad", "import os, signal, sys, time", f"if context.t == 2: {inside}")
    short = "import benchmark.runs.sweep as s; s.LEAST_SECONDS, s.PATIENCE = 20.0, 1" if "TimedOut" in told else ""
    done = sweep(
        clone,
        "-s",
        "bad",
        "-t",
        "kde",
        fault=PATCHED.format(module="benchmark.runs.sweep", code=short) if short else "",
    )
    assert done.returncode == 1
    assert told in done.stderr
    assert "kde moons h=0.3 n=12 · bad · seeds 0:10" in done.stderr
    assert last_lines(done, 1).startswith("1 of 3 cells failed; the others are kept. ")
    assert len(files_in(clone / "cells")) == 2
    status = subprocess.run(
        [*RUN[:3], "status"], cwd=clone, env=environment(None, ""), capture_output=True, text=True
    ).stdout
    assert "bad" not in status  # the profile does not name it
    shutil.rmtree(clone / "submissions")
    shutil.rmtree(clone / "cells" / "failed")
    goes_on(clone, whole)


PATCHED = """
import importlib.abc, importlib.util, sys

class After(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "{module}":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            exec({code!r})
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, After())
"""
"""Runs code once a module is imported."""


def test_more_memory_than_the_container_has(clone, whole, tmp_path):
    """The limit that counts is the container's, and not the machine's."""
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "memory.max").write_text(str(1 << 30))
    entry(clone, "hog", inside="bytearray(3 << 29)")
    code = f"import benchmark.runs.machine as m; from pathlib import Path; m.MOUNT = Path({str(tmp_path / 'group')!r})"
    done = sweep(clone, "-s", "hog", "-t", "kde", fault=PATCHED.format(module="benchmark.runs.machine", code=code))
    assert done.returncode == 1
    assert "hog" in done.stderr
    assert "MemoryError" in done.stderr
    assert len(files_in(clone / "cells")) == 2
    shutil.rmtree(clone / "submissions")
    shutil.rmtree(clone / "cells" / "failed")
    goes_on(clone, whole)


def test_the_sweep_itself_is_killed(clone, whole):
    process = start(clone)
    wait_for_cells(clone, 2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=SECONDS)
    ends_by_and_by(process.pid)
    assert 2 <= len(files_in(clone / "cells")) < CELLS
    goes_on(clone, whole)


FULL = """
import errno, os
real, count = os.fsync, [0]
def fsync(number):
    name = os.readlink(f"/proc/self/fd/{number}")
    if "/cells/.writing-" in name:
        count[0] += 1
        if count[0] > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
    return real(number)
os.fsync = fsync
"""


def test_the_disk_fills_up_in_the_midst(clone, whole):
    done = sweep(clone, fault=FULL)
    assert done.returncode == 1
    assert "No space left on device. Free some space and repeat the command: finished work is kept." in last_lines(
        done, 1
    )
    assert len(files_in(clone / "cells")) == 3
    assert not list((clone / "cells").glob(".writing-*"))
    goes_on(clone, whole)


def test_a_disk_that_is_really_full(clone, whole):
    """A file system of 200 kB, of which everything but 100 is taken."""
    (clone / "cells").mkdir()
    mount = f"mount -t tmpfs -o size=260k none {clone}/cells && {' '.join(RUN)}; code=$?; ls {clone}/cells/*.parquet | wc -l; exit $code"
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    if subprocess.run([*command[:-1], f"mount -t tmpfs none {clone}/cells"], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a file system of their own")
    done = sweep(clone, command=command)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "repeat the command" in last_lines(done, 1) or "the others are kept" in last_lines(done, 1)
    assert 0 < int(done.stdout.split()[-1]) < CELLS
    goes_on(clone, whole)


def without_privilege() -> None:
    """Root may write everywhere by two capabilities, which the sweep then starts without."""
    if os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.skipif(sys.platform != "linux", reason="privileges are dropped as Linux has them")
def test_permission_is_lost_in_the_midst(clone, whole):
    process = start(clone, preexec_fn=without_privilege)
    wait_for_cells(clone)
    (clone / "cells").chmod(0o555)
    done = end(process)
    kept = names(clone)
    (clone / "cells").chmod(0o755)
    assert done.returncode == 1
    assert "Permission denied. Give yourself permission to read and write it, and repeat the command." in last_lines(
        done, 1
    )
    assert 1 <= len(kept) < CELLS
    goes_on(clone, whole)


@pytest.mark.skipif(sys.platform != "linux", reason="privileges are dropped as Linux has them")
def test_a_cell_that_may_not_be_read(clone, whole):
    sweep(clone, "-t", "kde")
    _, path = files_in(clone / "cells")[0]
    path.chmod(0)
    done = sweep(clone, preexec_fn=without_privilege)
    path.chmod(0o644)
    assert done.returncode == 1
    assert f"{path.name}: Permission denied. Give yourself permission" in last_lines(done, 1)
    goes_on(clone, whole)


SPOILS = {
    "truncated": lambda b: b[: len(b) // 2],
    "empty": lambda b: b"",
    "one bit": lambda b: b[:300] + bytes([b[300] ^ 1]) + b[301:],
}


@pytest.mark.parametrize("name", SPOILS)
def test_a_spoiled_cell(name, clone, whole):
    sweep(clone, "-t", "kde")
    _, path = files_in(clone / "cells")[0]
    path.write_bytes(SPOILS[name](path.read_bytes()))
    done = sweep(clone, "-t", "kde")
    assert done.returncode == 0
    assert f"{path.name}: truncated or edited since it was written; computing it again." in done.stderr
    assert "1 cells finished, 1 to do" in done.stderr
    goes_on(clone, whole)


OTHERS = {
    "columns": lambda path: as_bytes(
        pq.read_table(path).drop_columns(["real_loss"]), provenance_of(pq.read_table(path))
    ),
    "rows": lambda path: as_bytes(pq.read_table(path)[:-1], provenance_of(pq.read_table(path))),
    "provenance": lambda path: as_bytes(pq.read_table(path), {}),
    "no Parquet": lambda path: b"seed,t,test_loss\n0,1,2.0\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_cell_of_another_schema(name, clone, whole):
    """Its checksum fits. It is found when it is read, which ends the command with a line; the same command then goes on."""
    sweep(clone, "-t", "kde")
    shutil.rmtree(clone / "results")
    key, path = files_in(clone / "cells")[0]
    content = OTHERS[name](path)
    path.unlink()
    path.with_name(f"{key}.{checksum(content)}.parquet").write_bytes(content)
    done = sweep(clone, "-t", "kde")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "held other records than those of this cell, though its checksum fits" in last_lines(done, 1)
    assert "all others are kept: the same command computes it again" in last_lines(done, 1)
    goes_on(clone, whole)


def test_two_sweeps_at_once_on_one_store(clone, whole):
    both = [start(clone) for _ in range(2)]
    for done in map(end, both):
        assert done.returncode == 0, done.stderr
    assert set(records(clone)) == set(records(whole))
    done = sweep(clone)
    assert f"{CELLS} cells finished, 0 to do" in done.stderr
    expected = records(whole)
    assert all(each == expected[key][0] for key, copies in records(clone).items() for each in copies)
    scores = [pq.read_table(folder / "results" / "tiny" / "gaussian" / "scores.parquet") for folder in (clone, whole)]
    assert scores[0].equals(scores[1])  # and nobody counts twice


MOMENTS = [
    0.1,
    0.3,
    0.6,
    1.0,
    1.5,
    2.2,
    "0 cells",
    "1 cells",
    "2 cells",
    "3 cells",
    "5 cells",
    "7 cells",
    "9 cells",
    "11 cells",
    "12 cells",
    "13 cells",
]
"""Seconds after the start, while modules are imported; and how many cells are finished."""
HOW = [(moment, (signal.SIGINT, signal.SIGTERM)[k % 2], k % 4 > 1) for k, moment in enumerate(MOMENTS)]
"""Each with the signal, and whether it comes twice."""


@pytest.mark.parametrize(("moment", "number", "twice"), HOW)
def test_it_is_interrupted(moment, number, twice, clone, whole):
    process = start(clone, "-j", random.choice("12"))
    if isinstance(moment, str):
        wait_for_cells(clone, int(moment.split()[0]), process)
        time.sleep(random.random() / 10)
    else:
        time.sleep(moment)
    process.send_signal(number)
    if twice:
        time.sleep(random.random() / 4)
        process.send_signal(number)
    done = end(process)
    begun = (clone / "cells").is_dir()  # before, Python itself may be starting, which ends in its own way
    assert "Traceback" not in done.stderr or not begun, done.stderr
    if done.returncode != 0:  # it was not done before
        assert done.returncode in (128 + number, -number)
        if begun:
            assert last_lines(done, 1) == INTERRUPTED
    ends_by_and_by(process.pid)
    assert not list((clone / "cells").glob(".writing-*"))
    goes_on(clone, whole)


def test_the_scheduler_of_dask_is_killed(clone, whole, tmp_path):
    pytest.importorskip("distributed")
    (tmp_path / "dask").mkdir()
    with cluster(tmp_path / "dask") as (address, scheduler):
        process = start(clone, "--parallel", address)
        wait_for_cells(clone, 2)
        scheduler.kill()
        done = end(process)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{address}: the scheduler ended. Finished cells are kept: start it, and repeat the command." in last_lines(
        done, 1
    )
    assert 2 <= len(files_in(clone / "cells")) < CELLS
    goes_on(clone, whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_interrupted_while_dask_computes(number, clone, whole, tmp_path):
    pytest.importorskip("distributed")
    (tmp_path / "dask").mkdir()
    with cluster(tmp_path / "dask") as (address, _):
        process = start(clone, "--parallel", address)
        wait_for_cells(clone, 2)
        process.send_signal(number)
        done = end(process)
    assert done.returncode == 128 + number
    assert last_lines(done, 1) == INTERRUPTED
    goes_on(clone, whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_dvc_repro_is_interrupted_and_run_again(number, clone, whole):
    """DVC removes what a stage made before it runs the stage again; cells are no product of a stage."""
    for words in (["init", "-q"], ["config", "user.email", "t@example.org"], ["config", "user.name", "t"]):
        subprocess.run(["git", *words], cwd=clone, check=True)
    command = f"{' '.join(RUN)}"
    (clone / "dvc.yaml").write_text(
        f"stages:\n  score:\n    cmd: {command}\n    deps: [params.yaml, baselines]\n    outs: [results]\n"
    )
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "-q"], cwd=clone, check=True)
    process = start(clone, command=[*dvc, "repro"])
    wait_for_cells(clone, 2)
    os.killpg(process.pid, number)
    process.communicate(timeout=SECONDS)
    assert process.returncode != 0
    ends_by_and_by(process.pid)
    kept = names(clone)
    assert 2 <= len(kept) < CELLS
    again = sweep(clone, command=[*dvc, "repro"])
    assert again.returncode == 0, again.stderr
    assert kept.items() <= names(clone).items()
    assert len(names(clone)) == CELLS
    goes_on(clone, whole)
