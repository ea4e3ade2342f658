"""Each cell runs in its own process: entries do not influence each other, and the loaded code is that of the key."""

import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import stamps
from benchmark.entries.catalogue import find
from benchmark.runs import process, sweep
from benchmark.runs.cells import Store
from benchmark.runs.pool_of_workers import KILLED
from benchmark.runs.project import Project
from tests.runs.test_records import PARAMS, clone  # noqa: F401

POISONS = {
    "loss": "import benchmark.core.loop\nbenchmark.core.loop._loss = lambda *_: 1.0",
    "stream": "import benchmark.core.loop\nfrom benchmark.core.streams import stream\nbenchmark.loop.stream = lambda *_: stream(0, 'x')",
    "fit": "import benchmark.tasks.gaussian as g\ng.Gaussian.fit = g.Gaussian.blend = None",
    "numpy-errors": "import numpy\nnumpy.seterr(all='raise')",
    "numpy-function": "import numpy\nnumpy.isfinite = lambda x: False",
    "environment": "import os\nos.environ.clear()\nos.environ['OMP_NUM_THREADS'] = '7'",
    "folder": "import os\nos.chdir('/')",
    "warnings": "import warnings\nwarnings.simplefilter('error')",
    "modules": "import sys\nfor n in [n for n in sys.modules if n.startswith(('benchmark', 'numpy'))]: sys.modules[n] = None",
    "builtins": "import builtins\nbuiltins.len = lambda x: 0\nbuiltins.float = None",
    "signals": "import signal\nfor s in (signal.SIGALRM, signal.SIGTERM): signal.signal(s, signal.SIG_IGN)",
    "limits": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,)).start()",
}
DEATHS = {
    "leaves": ("os._exit(0)", "ended without an answer, with status 0"),
    "leaves-3": ("os._exit(3)", "ended without an answer, with status 3"),
    "segfault": ("faulthandler.disable(); os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
    "memory": ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
    "exits": ("sys.exit('enough')", "SystemExit: enough"),
    "asks": ("input('Which rows?')", "EOFError"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "own-base": ("raise type('Stop', (BaseException,), {})('x')", "StrategyFailed: Stop: x"),
    "generator-exit": ("raise GeneratorExit", "StrategyFailed: GeneratorExit"),
    "stop-iteration": ("raise StopIteration", "StrategyFailed: StopIteration"),
    "speechless": (
        "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})()",
        "StrategyFailed: Mute, whose text cannot be read",
    ),
    "screams": ("raise ValueError('\\x1b[31m' + 'x' * 100_000)", "StrategyFailed: ValueError: \\x1b[31mxxx"),
    "alarms": ("signal.alarm(1); time.sleep(3600)", "an alarm rang that is not the harness's"),
    "closes": ("os.closerange(3, 99)", "ended without an answer"),
    "leaves-a-child": ("os.fork() or time.sleep(3600); os._exit(4)", "ended without an answer, with status 4"),
    "deaf": ("signal.signal(signal.SIGALRM, signal.SIG_IGN); time.sleep(3600)", "TimedOut: not finished in 2 s"),
}
REPLACE = """
{code}
from benchmark import Strategy


class Entry(Strategy):
    def training_set(self, context, pool):
        {inside}
        return pool.latest().all()
"""


def entry(home: Path, id: str, code: str = "", inside: str = "pass") -> None:
    """An entry that does what replace does, and something else."""
    folder = home / "submissions" / id
    shutil.copytree(home / "baselines" / "replace", folder)
    card = folder / "card.yaml"
    card.write_text(card.read_text().replace("id: replace", f"id: {id}").replace("role: reference\n", ""))
    (folder / "strategy.py").write_text(REPLACE.format(code=code, inside=inside))


def swept(home: Path, ids: list[str], jobs: int = 1) -> tuple[list[sweep.Failure], dict[str, list[dict]]]:
    """The failures, and the records of finished Gaussian cells by entry."""
    found = find(home)
    cells = sweep.cells(Project.load(home, "tiny"), "gaussian", [found[id] for id in ids])
    store = Store(home / "cells")
    failures = sweep.compute(home, store, sweep.plan(store, cells).to_do, jobs)
    return failures, {cell.entry.id: table.to_pylist() for cell in cells if (table := store.read(cell))}


@pytest.mark.parametrize("jobs", [1, 2])
def test_nothing_of_an_entry_reaches_another(clone, jobs):  # noqa: F811
    """Honest entries that run after entries which change their process have the same numbers as alone."""
    _, alone = swept(clone, ["replace", "accumulate"])
    shutil.rmtree(clone / "cells")
    before = dict(os.environ)
    for id, code in POISONS.items():
        entry(clone, id, code=f"# {id}\n{code}")
    _, found = swept(clone, [*POISONS, "replace", "accumulate"], jobs)
    assert {id: found[id] for id in alone} == alone
    assert {record["test_loss"] for record in found["loss"] if record["t"] > 1} == {
        1.0
    }  # where it is, the poison works
    assert dict(os.environ) == before


def test_a_process_that_dies_is_named_and_stops_no_other(clone, monkeypatch):  # noqa: F811
    monkeypatch.setattr(sweep, "LEAST_SECONDS", 2.0)
    for id, (inside, _) in DEATHS.items():
        entry(clone, id, "import faulthandler, os, signal, sys, time", f"if context.t == 2: {inside}")
    failures, found = swept(clone, [*DEATHS, "accumulate"])
    assert set(found) == {"accumulate"}
    errors = {failure.cell.entry.id: failure.error for failure in failures}
    assert set(errors) == set(DEATHS)
    assert [id for id, (_, told) in DEATHS.items() if told not in errors[id]] == [], errors
    for id in DEATHS:
        assert "seed 0, iteration 2" in errors[id] or id in ("closes", "screams")
        assert errors[id].isprintable()
        assert len(errors[id]) < 4000
    for id in ("exits", "asks", "interrupts", "own-base", "generator-exit", "stop-iteration", "speechless"):
        assert f"{id}/strategy.py:8" in errors[id]
        assert next(failure for failure in failures if failure.cell.entry.id == id).details.count("Traceback") <= (
            id == "interrupts"
        )


def test_an_error_names_seed_iteration_and_the_entrys_own_file(clone):  # noqa: F811
    entry(
        clone,
        "late",
        "from benchmark.core.streams import stream",
        "if context.t == 4 and context.rng.bit_generator.state == stream(1, 'strategy', 4).bit_generator.state: raise ValueError('x')",
    )
    [failure], _ = swept(clone, ["late"])
    assert "ValueError: x" in failure.error
    assert "seed 1, iteration 4" in failure.error
    assert str(clone / "submissions" / "late" / "strategy.py") in failure.error
    assert failure.details == ""  # what a user caused has no traceback


def test_prints_and_files_stay_where_they_are_made(clone, capfd, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    before = {path for path in tmp_path.rglob("*") if "cells" not in path.parts}
    entry(
        clone,
        "writes",
        "import pathlib",
        "print('noise'); pathlib.Path('x').write_text('y'); pathlib.Path(__file__).with_name('z').write_text('')",
    )
    before |= set((clone / "submissions").rglob("*")) | {clone / "submissions"}
    failures, _ = swept(clone, ["writes"])
    assert failures == []
    assert {path for path in tmp_path.rglob("*") if "cells" not in path.parts} == before
    assert "noise" not in "".join(capfd.readouterr())


def test_targets_of_links_count_as_files_of_the_entry(clone):  # noqa: F811
    """The folder to which a link leads counts in the key and is there when the entry runs."""
    entry(clone, "linked", "from . import data, more\nassert (data.A, more.__name__[-4:]) == (1, 'more')")
    folder = clone / "submissions" / "linked"
    other = clone / "baselines" / "accumulate"
    (other / "data.py").write_text("A = 1\n")
    (other / "more").mkdir()
    (other / "more" / "x.csv").write_text("1")
    (folder / "data.py").symlink_to(other / "data.py")
    (folder / "more").symlink_to(other / "more")
    assert swept(clone, ["linked"])[0] == []
    before = find(clone)["linked"].digest
    (other / "more" / "x.csv").write_text("2")
    assert find(clone)["linked"].digest != before


def test_nothing_is_kept_of_an_entry_that_is_edited_meanwhile(clone):  # noqa: F811
    """Another entry, whose cell comes first, edits it between key and run."""
    victim = clone / "baselines" / "accumulate" / "strategy.py"
    entry(
        clone, "edits", "import pathlib", f"p = pathlib.Path({str(victim)!r}); p.write_text(p.read_text() + 'A = 1\\n')"
    )
    [failure], found = swept(clone, ["edits", "accumulate"])
    assert failure.cell.entry.id == "accumulate"
    assert "changed while the sweep ran: nothing that depends on it is kept. Run it again." in failure.error
    assert str(victim.parent) in failure.error
    assert set(found) == {"edits"}


def test_an_entry_edited_and_restored_while_it_runs_has_its_own_numbers(clone):  # noqa: F811
    _, alone = swept(clone, ["replace"])
    own = clone / "submissions" / "edited" / "strategy.py"
    edit = f"p = pathlib.Path({str(own)!r}); text = p.read_text(); p.write_text(text.replace('latest()', 'real()'))"
    entry(clone, "edited", f"import pathlib\n{edit}", "p.write_text(text)")
    failures, found = swept(clone, ["edited"])
    assert failures == []
    assert [r["test_loss"] for r in found["edited"]] == [r["test_loss"] for r in alone["replace"]]


@pytest.mark.long
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("restored", [True, False])
def test_nothing_is_kept_if_code_of_the_harness_is_edited_meanwhile(clone, root, jobs, restored):  # noqa: F811
    """Also if it is restored, with its old modification time."""
    shutil.copytree(root / "benchmark", clone / "benchmark", ignore=shutil.ignore_patterns("__pycache__", "assets"))
    loop = clone / "benchmark" / "core" / "loop.py"
    back = "p.write_text(text); os.utime(p, ns=(s.st_atime_ns, s.st_mtime_ns))" if restored else "pass"
    edit = f"p = pathlib.Path({str(loop)!r}); s = p.stat(); text = p.read_text(); p.write_text(text.replace('simplest_loss', 'real_loss')); {back}"
    entry(clone, "edits", "import os, pathlib", f"if context.t == 1: {edit}")
    command = [sys.executable, "-m", "thrive.cli", "run", "-j", jobs, "-t", "gaussian", "--only", "-s", "edits"]
    done = subprocess.run(
        command, cwd=clone, env={**os.environ, "PYTHONPATH": str(clone)}, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert f"{loop} changed while the sweep ran: nothing that depends on it is kept. Run it again." in done.stderr
    assert list((clone / "cells").glob("*.parquet")) == []


def test_bytecode_older_than_its_source_is_not_run(tmp_path, monkeypatch):
    """Python compares only size and second: after an edit of "1" to "2" in the same second it would still run 1."""
    module = tmp_path / "number.py"
    module.write_text("A = 1\n")
    written = module.stat()
    py_compile.compile(str(module))
    module.write_text("A = 2\n")
    os.utime(module, ns=(written.st_atime_ns, written.st_mtime_ns))
    monkeypatch.setattr(stamps, "PACKAGE", tmp_path)
    monkeypatch.setattr(stamps, "_FIRST", {})
    bytecode = Path(__import__("importlib.util").util.cache_from_source(str(module)))
    os.utime(bytecode, ns=(0, module.stat().st_ctime_ns - 1))
    stamps.watch_package()
    assert not bytecode.exists()
    assert stamps.changed() == []
    module.write_text("A = 3\n")
    module.write_text("A = 2\n")
    assert stamps.changed() == [module]


def test_a_message_with_infinities_comes_back_as_it_was(tmp_path):
    sent = {"x": [float("inf"), -float("inf"), 0.1 + 0.2, 5e-324, None, True, "ü\n"]}
    assert process.in_a_process_of_its_own(lambda: sent, 10, tmp_path).answer == sent
    nan = process.in_a_process_of_its_own(lambda: float("nan"), 10, tmp_path).answer
    assert nan != nan


def test_an_entry_that_is_deleted_during_a_sweep_stops_no_other(clone, monkeypatch):  # noqa: F811
    entry(clone, "gone")
    both = [find(clone)[id] for id in ("gone", "replace")]
    cells = sweep.cells(Project.load(clone, "tiny"), "gaussian", both)
    assert all(cell.key and cell.seconds for cell in cells)
    shutil.rmtree(clone / "submissions" / "gone")
    store = Store(clone / "cells")
    [failure] = sweep.compute(clone, store, cells, jobs=2)
    assert (failure.cell.entry.id, failure.error.split(":")[0]) == ("gone", "BadEntry")
    assert [cell.entry.id for cell in cells if cell in store] == ["replace"]


@pytest.mark.long
def test_a_cell_whose_worker_is_killed_fails_by_name_and_the_others_go_on(clone):  # noqa: F811
    entry(clone, "kills", inside="__import__('os').kill(__import__('os').getppid(), 9)")
    project, all_entries = Project.load(clone, "tiny"), find(clone)
    entries = [all_entries[id] for id in ("kills", "replace", "accumulate")]
    cells = [cell for task in ("gaussian", "kde") for cell in sweep.cells(project, task, entries)]
    store = Store(clone / "cells")
    failures = sweep.compute(clone, store, cells, jobs=2)
    assert {failure.cell.entry.id for failure in failures} == {"kills"}
    assert {failure.error for failure in failures} == {f"{KILLED}. The others went on."}
    assert [cell for cell in cells if cell not in store] == [c for c in cells if c.entry.id == "kills"]


def test_an_entry_finds_no_file_that_the_sweep_has_open(tmp_path):
    reader, writer = os.pipe()

    def work() -> list[bool]:
        """For each path, whether a stranger's code could write to it."""
        found = []
        for number in (reader, writer):
            try:
                os.fstat(number)
                found.append(True)
            except OSError:
                found.append(False)
        return found

    assert process.in_a_process_of_its_own(work, 10, tmp_path).answer == [False, False]
    os.close(reader)
    os.close(writer)


assert "seeds: 3" in PARAMS  # which the seeds named above are of


ANSWERS = {
    "list": "[1]", "records of numbers": "{'records': [1, 2]}", "refused for no reason": "{'refused': {}}", "error alone": "{'error': 'x'}",
    "text": "'done'", "records of others": "{'records': [{'seed': 7, 't': 1}]}",
}  # fmt: skip


def test_an_invalid_answer_is_a_failure_with_a_name(clone):  # noqa: F811
    """The entry writes to the pipe on which the harness sends the answer of the process."""
    for k, answer in enumerate(ANSWERS.values()):
        write = f"from benchmark.messages import encode; line = encode({answer})"
        send = "[os.write(n, line) for n in range(3, 60) if os.path.exists(f'/proc/self/fd/{n}') and 'pipe' in os.readlink(f'/proc/self/fd/{n}')]"
        entry(clone, f"says-{k}", f"import os\n{write}", f"{send} and os._exit(0)")
    failures, found = swept(clone, [*(f"says-{k}" for k in range(len(ANSWERS))), "accumulate"])
    assert set(found) == {"accumulate"}
    assert len(failures) == len(ANSWERS)
    for failure in failures:
        assert "its process sent" in failure.error, failure
        assert failure.details == ""


def test_files_outside_the_key_cannot_be_read(clone):  # noqa: F811
    """README, card and comments of an entry are in no key: its code finds none of them."""
    for id, name in (("reads-more", "README.md"), ("reads-card", "card.yaml")):
        entry(clone, id, "from pathlib import Path", f"(Path(__file__).parent / '{name}').read_text()")
        (clone / "submissions" / id / "README.md").write_text("1.0")
        [failure], _ = swept(clone, [id])
        assert "FileNotFoundError" in failure.error
    entry(
        clone,
        "reads-comment",
        "import sys  # 1.0",
        "open(sys._getframe().f_globals['__' + 'file__']).read().split(chr(35))[1]",
    )
    [failure], _ = swept(clone, ["reads-comment"])
    assert "IndexError" in failure.error
