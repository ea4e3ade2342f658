"""A strategy in a confined process: the same numbers as outside, and access to nothing else."""

import os
import socket
from pathlib import Path

import pytest

from benchmark.conformance.toy_tasks import INSTANCES, TASK_SETTINGS
from benchmark.core.loop import run
from benchmark.entries.entry import Entry
from benchmark.errors import ContractBroken, Stopped, StrategyFailed, ThriveError, TrackBroken, Unsupported
from benchmark.isolation import sandbox
from benchmark.isolation.confined import Limits
from benchmark.isolation.remote import Remote
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import KDE
from tests.conftest import ENTRIES

TASK = Gaussian(d=2, n=12)
LIMITS = Limits(cpu_seconds=30, wall_seconds=90, processes=8)
CARD = """
api: 1
id: strange
name: Strange
version: 1.0.0
authors: [Nobody]
licence: Apache-2.0
description: A strategy of a test.
track: {track}
budget: growing
tuned_on: nothing
configurations_tried: 1
"""
USES_EVERYTHING = """
import numpy as np
from benchmark import FitOptions, SampleRequest, Strategy, TrainingSet


class Everything(Strategy):
    def training_set(self, context, pool):
        self.pool = pool
        bought = context.buy_real(3)
        if context.t == 1:
            return bought.all() + pool.sample(3, context.rng)
        x, likely = pool.features(), pool.log_likelihood(pool.ids[:8])
        far = pool.ids[np.argsort(np.abs(x).sum(axis=1))[:4]]
        old = pool.ids[pool.generation() < context.t - 1][:4]
        drawn = pool.latest().sample(5, context.rng) + pool.real().all()
        assert len(np.asarray(drawn)) == len(drawn) == 17
        assert len(pool.generations(0, 1)) == 12 and pool.is_real().sum() >= 12
        weights = np.exp(likely - likely.max())
        return TrainingSet(drawn, 0.5) + TrainingSet(far) + TrainingSet(pool.ids[:5], weights[:5]) + TrainingSet(pool.rows(old))

    def sample_request(self, context):
        return SampleRequest(count=2 * context.n, temperature=0.9)

    def keep(self, context, candidates):
        scores = candidates.verifier_scores(2.0) - candidates.log_likelihood(under="first")
        return candidates.ids[np.argsort(scores)[: context.n + 2]] if context.t % 2 else candidates.first(context.n)

    def fit_options(self, context):
        return FitOptions(blend=("first", 0.1), negative=(TrainingSet(self.pool.sample(6, context.rng), 2.0), 0.05))
"""


@pytest.fixture
def entry(tmp_path):
    """An entry of this code and track."""

    def write(code: str, track: str = "assisted") -> Entry:
        folder = tmp_path / "clone" / "submissions" / "strange"
        folder.mkdir(parents=True)
        for above in (tmp_path, *folder.parents[:2], folder):
            above.chmod(0o755)
        (folder / "card.yaml").write_text(CARD.format(track=track))
        (folder / "strategy.py").write_text(code)
        return Entry(folder)

    return write


def inside(entry: Entry, task=TASK, seed=1, horizon=3, limits=LIMITS, seconds=60):
    with Remote(entry, limits, seconds) as remote:
        return list(run(task, remote.make, entry.rules, seed, horizon))


def ended(task, make, entry: Entry, seed=1, horizon=4) -> list[str]:
    """All records, to the last bit, and the refusal that ended them, if one did."""
    records: list[str] = []
    try:
        records += (repr(record) for record in run(task, make, entry.rules, seed, horizon))
    except Unsupported as refusal:
        records.append(str(refusal))
    return records


@pytest.mark.parametrize("id", sorted(ENTRIES))
def test_every_entry_gives_the_same_numbers_inside_and_outside(id):
    """Baselines and submissions, to the bit; the language model is the stand-in of `thrive check`.

    An entry may refuse an instance unannounced only on task-settings that are never ranked.
    """
    found = ENTRIES[id]
    fitting = {name: task for name, task in INSTANCES.items() if TASK_SETTINGS[name] not in found.card.not_for}
    for name, task in fitting.items():
        horizon = 3 if name == "gaussian" else 2  # a process takes half a second
        with Remote(found, LIMITS) as remote:
            inside = ended(task, remote.make, found, horizon=horizon)
        assert inside == ended(task, found.make, found, horizon=horizon)
        assert len(inside) == horizon or TASK_SETTINGS[name] in ("linear_regression", "discrete")


def test_a_confined_process_finds_what_the_digest_holds_and_nothing_else(entry):
    """No README, no card, no comment: who writes a result into them would be verified with it, and could change it afterwards."""
    found = entry("""
from pathlib import Path  # 1.0
from benchmark import Strategy


class Looks(Strategy):
    \"\"\"1.0\"\"\"

    def training_set(self, context, pool):
        import sys
        here = Path(sys.modules[type(self).__module__].__dict__["__" + "file__"])
        assert [path.name for path in here.parent.iterdir() if path.name != "__pycache__"] == ["strategy.py"]
        assert here.read_text().count("1.0") == 1
        return pool.all()
""")
    (found.folder / "README.md").write_text("1.0")
    assert len(inside(found)) == 3


def test_an_empty_draw_gives_the_same_numbers_inside_and_outside(entry):
    """A generation's share may be empty; early-half then asks for `sample(0)`."""
    code = (
        "from benchmark import Strategy\n\n\nclass Shares(Strategy):\n    def training_set(self, context, pool):\n"
        "        nothing = pool.sample(0, context.rng)\n"
        "        assert len(nothing) == len(pool.features(nothing)) == len(pool.log_likelihood(nothing) if context.t > 1 else []) == 0\n"
        "        return pool.latest().sample(0, context.rng) + pool.real().sample(3, context.rng) + nothing\n"
    )
    found = entry(code, "assisted")
    assert ended(TASK, found.make, found) == [repr(record) for record in inside(found, horizon=4)]


@pytest.mark.parametrize("task", [TASK, KDE("moons", 0.3, 12)], ids=lambda task: task.name)
def test_a_strategy_that_uses_everything_gives_the_same_numbers_inside_and_outside(entry, task):
    code = USES_EVERYTHING
    if isinstance(task, KDE):  # which has not all knobs
        code = code.replace(", negative=(TrainingSet(self.pool.sample(6, context.rng), 2.0), 0.05)", "")
    found = entry(code)
    assert inside(found, task, horizon=4) == list(run(task, found.make, found.rules, 1, 4))


def attempt(entry, code: str, track: str = "assisted", **more):
    body = "".join(f"        {line}\n" for line in code.splitlines())
    head = "from benchmark import Strategy\n\n\nclass Strange(Strategy):\n    def training_set(self, context, pool):\n"
    return inside(entry(f"{head}{body}        return pool.all()\n", track), **more)


@pytest.mark.parametrize(("code", "error", "told"), [
    ("raise RuntimeError('boom')", StrategyFailed, r"RuntimeError: boom \(.*strategy.py:6"),
    ("return pool.ids + 1000", ContractBroken, r"training_set\(\) at iteration 1: id \d+ is not of this view"),
    ("pool.rows(pool.ids + 1000)", ContractBroken, "not of this view"),
    ("return pool", ContractBroken, "returned nothing"),
    ("pool.names.history", StrategyFailed, "AttributeError"),
    ("while True: pass", Stopped, "gave no answer|used up"),
    ("x = bytearray(64 << 30)", StrategyFailed, "MemoryError"),
    ("import os; os._exit(3)", Stopped, "ended with status 3"),
    ("import os; os.write(1, b'\\xff' * 100); os.kill(os.getpid(), 9)", Stopped, "SIGKILL"),
])  # fmt: skip
def test_errors_of_a_broken_strategy_are_distinguished(entry, code, error, told):
    with pytest.raises(error, match=told):
        attempt(entry, code, seconds=3)


@pytest.mark.skipif(sandbox.why_no_bubblewrap() is not None, reason=str(sandbox.why_no_bubblewrap()))
@pytest.mark.parametrize("code", [
    "import socket; socket.create_connection(('127.0.0.1', {port}), 5)",
    "open('{secret}').read()",
    "import pathlib; assert pathlib.Path('{secret}').exists(), 'nothing there'",
    "open('{secret}', 'w').write('spoilt')",
    "import os; os.remove('{secret}')",
    "import pathlib, benchmark; pathlib.Path(benchmark.__file__).write_text('spoilt')",
    "import os\nwhile True:\n    os.fork()",
    "open('big', 'wb').write(bytes(1 << 26))",
])  # fmt: skip
def test_a_hostile_entry_is_stopped_and_nothing_is_lost(entry, tmp_path, code):
    """Sockets, files of the user, endless processes, endless files: each ends in an error, and nothing has changed."""
    secret = Path.home() / f".thrive-test-{os.getpid()}"
    secret.write_text("mine")
    package = Path(sandbox.__file__).with_name("__init__.py").read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        try:
            with pytest.raises((StrategyFailed, Stopped)):
                attempt(entry, code.format(port=server.getsockname()[1], secret=secret), seconds=20)
            assert secret.read_text() == "mine"
            assert Path(sandbox.__file__).with_name("__init__.py").read_bytes() == package
            with pytest.raises(TimeoutError):
                server.accept()
        finally:
            secret.unlink()


@pytest.mark.skipif(sandbox.why_no_bubblewrap() is None, reason="bubblewrap works here")
def test_without_a_sandbox_the_process_says_so(entry):
    with Remote(ENTRIES["accumulate"], LIMITS) as remote:
        remote.make()
        assert remote.process is not None
        assert "no sandbox" in str(remote.process.warning)


def test_blind_withholds_inside_too(entry):
    with pytest.raises(TrackBroken, match="track 'blind'"):
        attempt(entry, "pool.generation()", "blind")


def test_a_blind_strategy_remembers_nothing_in_its_module_or_its_files(entry):
    """Every iteration is a new process with a new scratch folder."""
    hoard = (
        "import pathlib, sys\n"
        "kept = pathlib.Path('kept')\n"
        "assert not kept.exists() and not hasattr(sys, 'kept')\n"
        "sys.kept = True; kept.write_text('a row')"
    )
    assert len(attempt(entry, hoard, "blind")) == 3


def test_the_process_knows_neither_seed_nor_examples_nor_test_data(entry):
    """Of the pool it knows a number and a size. The pinned data are not there."""
    look = (
        "assert set(vars(pool)) == {'_line', '_own', '_number', '_size'}, vars(pool)\n"
        "import benchmark, pathlib\n"
        "assets = pathlib.Path(benchmark.__file__).parent / 'assets'\n"
        "assert not assets.exists() or not list(assets.iterdir()), list(assets.iterdir())"
    )
    if sandbox.why_no_bubblewrap() is not None:
        look = look.splitlines()[0]  # without a sandbox the files are there, as the warning says
    assert len(attempt(entry, look)) == 3


@pytest.mark.parametrize("message", [
    "{'done': {'rows': [{'view': 7, 'all': None}]}}",
    "{'done': {'rows': [{'view': 0, 'drawn': __import__('numpy').array([0, 0])}]}}",
    "{'done': {'options': 3}}",
    "{'ask': '__class__', 'view': 0, 'arguments': []}",
    "{'ask': 'features', 'view': 0, 'arguments': [{'rows': []}]}",
    "{'raised': 'os'}",
    "['done']",
    "{}",
])  # fmt: skip
def test_forged_messages_are_refused(entry, message):
    """The stranger's code can write to the connection too: whatever it sends is a checked answer or an error."""
    with pytest.raises(ThriveError):
        attempt(entry, f"pool._line.send({message})", seconds=10)


def test_exceeded_limits_are_reported(entry):
    with pytest.raises(Stopped, match="used up its 2 s of CPU time"):
        attempt(entry, "while True: pass", limits=Limits(cpu_seconds=2, wall_seconds=60), seconds=30)


def test_the_strategy_gets_the_same_stream_as_outside(entry):
    """Two runs of one seed agree and two seeds differ, although no seed is ever sent."""
    head = "from benchmark import Strategy\n\n\nclass Strange(Strategy):\n    def training_set(self, context, pool):\n"
    found = entry(f"{head}        return pool.sample(1 + int(context.rng.integers(len(pool))), context.rng)\n")
    rows = [[r["training_rows"] for r in inside(found, seed=seed)] for seed in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]
