"""The whole pipeline through DVC, in a separate clone, with profile smoke."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmark.digest.hashes import program
from benchmark.runs.keys import CORE
from benchmark.tasks import TASKS


@pytest.fixture(scope="module")
def clone(tmp_path_factory, root) -> Path:
    """The working tree as it would be committed, in a new repository."""
    folder = tmp_path_factory.mktemp("thrive") / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name, follow_symlinks=False)
    (folder / "params.yaml").write_text(
        (root / "params.yaml").read_text().replace("profile: standard", "profile: smoke")
    )
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def call(clone: Path, *words: str) -> str:
    """Run a command of this environment in the clone, on the clone's own code; return all that it prints."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(clone),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(words, cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


STALE = """
import sys
from pathlib import Path
from dvc.repo import Repo

def is_stale(stage):
    return bool(Repo().status(targets=[stage]))

stage, *files = sys.argv[1:]
for name in [None, *files]:
    path = Path(name or "README.md")
    before = path.read_bytes()
    path.write_bytes(before + b"\\n# An edit.\\n")
    print(name, is_stale(stage))
    path.write_bytes(before)
"""


def imported(root: Path, module: str, commands: tuple[str, ...] = ()) -> set[Path]:
    """The files of a module and of all that it imports. Of the command line, only what the given commands import."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        base = root.joinpath(*name.split("."))
        path = base.with_suffix(".py")  # a folder of the same name holds products
        path = path if path.is_file() else base / "__init__.py"
        if path in found or not path.is_file():
            continue
        found.add(path)
        tree = ast.parse(path.read_text())
        if commands and name.startswith("thrive."):
            tree.body = [line for line in tree.body if not of_another_command(line, commands)]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def of_another_command(line: ast.stmt, commands: tuple[str, ...]) -> bool:
    """Whether a line of the command line defines or imports commands, but none of the given ones."""
    if isinstance(line, ast.FunctionDef) and line.decorator_list:
        return line.name not in commands
    if isinstance(line, ast.ImportFrom) and str(line.module).startswith("thrive.") and line.module not in SHARED:
        return not {alias.name for alias in line.names} & {*commands}
    return False


SHARED = {"thrive.group", "thrive.console"}
"""Modules of the command line that hold no command."""
CLOSURE_OF_RUN = {"thrive.cli", "thrive.run", "benchmark.results.profile", "benchmark.runs.project", "benchmark.runs.pool_of_workers", "benchmark.runs.params", "benchmark.runs.sweep", "benchmark.runs.cells", "benchmark.runs.pins", "benchmark.strict_yaml",
                  "benchmark.digest.hashes", "benchmark.digest.program", "benchmark.digest.definitions", "benchmark.digest.dump", "benchmark.core.loop", "benchmark.results.gather"}  # fmt: skip


def closure_of_run(root: Path) -> set[str]:
    """All files of ours whose code `thrive run` may execute."""
    found = imported(root, "thrive.cli", ("run",))
    for task in TASKS:
        found |= imported(root, f"benchmark.tasks.{task}")
    return {str(path.relative_to(root)) for path in found}


def covers(deps: list[str], path: str) -> bool:
    """As DVC sees it: a dependency is a file, or a folder with all that is in it."""
    return any(path == dep or path.startswith(f"{dep}/") for dep in deps)


RENDERERS = (
    "leaderboard/render/html.py",
    "leaderboard/render/page/board.html",
    "leaderboard/render/write.py",
    "paper/plots/figures.py",
    "paper/reporting/report.py",
)


@pytest.mark.parametrize("pipeline", ["dvc.yaml", "paper/dvc.yaml"])
def test_a_score_depends_on_all_code_of_a_run_and_on_no_renderer(root, pipeline):
    stages = yaml.safe_load((root / pipeline).read_text())["stages"]
    scores = [
        stage.get("do", stage) for name, stage in stages.items() if "thrive run" in str(stage.get("do", stage)["cmd"])
    ]
    scores = [stage for stage in scores if isinstance(stage["cmd"], str)]  # the leaderboard's makes pages too
    closure = closure_of_run(root)
    assert {f"{name.replace('.', '/')}.py" for name in CLOSURE_OF_RUN} <= closure
    assert scores
    for stage in scores:
        assert [path for path in closure if not covers(stage["deps"], path)] == []
        assert [path for path in RENDERERS if covers(stage["deps"], path)] == []


def test_the_board_depends_on_all_code_that_makes_it(root):
    deps = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]["leaderboard"]["deps"]
    made_by = imported(root, "thrive.cli", ("run", "score", "board"))
    made_by -= {path for path in made_by if path.name == "__init__.py"}  # which only say what is beside them
    assert [path for path in made_by if not covers(deps, str(path.relative_to(root)))] == []


@pytest.mark.parametrize(("stage", "module"), [
    ("cardinality", "paper.experiments.cardinality"), ("collapse_time", "paper.experiments.collapse_time"),
    ("contamination", "paper.experiments.contamination"),
])  # fmt: skip
def test_stages_without_cells_depend_on_the_code_of_their_numbers(root, stage, module):
    """They depend on nothing else, because they take long: only on code that decides their numbers."""
    deps = yaml.safe_load((root / "paper" / "dvc.yaml").read_text())["stages"][stage]["deps"]
    decides = {d.module.path for task in TASKS for d in program().closure(*CORE, f"benchmark.tasks.{task}")}
    reached = imported(root, module) & decides - {root / "benchmark" / "errors.py"}
    assert len(reached) > 7
    assert [path for path in reached if not covers(deps, str(path.relative_to(root)))] == []


@pytest.mark.parametrize(("stage", "command"), [("map", "map_command"), ("paths", "paths")])
def test_a_map_depends_on_all_code_that_makes_it(root, stage, command):
    stages = yaml.safe_load((root / "maps" / "dvc.yaml").read_text())["stages"]
    deps = stages[stage].get("do", stages[stage])["deps"]
    made_by = {path for path in imported(root, "thrive.cli", (command,)) if path.name != "__init__.py"}
    made_by |= set((root / "maps" / "entries").rglob("*.*"))
    assert root / "maps" / "survey.py" in made_by
    assert [path for path in made_by if not covers(deps, str(path.relative_to(root)))] == []


def test_statistics_depend_on_the_scores_and_on_what_ranks_them(root):
    """They draw boards from the committed scores, and run nothing."""
    deps = yaml.safe_load((root / "paper" / "dvc.yaml").read_text())["stages"]["statistics"]["deps"]
    for path in (
        "leaderboard/scores.parquet",
        "leaderboard/board/ranking.py",
        "benchmark/results/scoring.py",
        "leaderboard/coverage/runs.py",
    ):
        assert (root / path).is_file()
        assert covers(deps, path)


def test_an_edit_of_any_code_of_a_run_makes_its_stage_stale(clone, tmp_path):
    """Every module in turn, as DVC sees it, after the outputs of the stage were declared up to date."""
    folder = shutil.copytree(clone, tmp_path / "clone", symlinks=True)
    made = folder / "results" / "smoke" / "gaussian"
    made.mkdir(parents=True)
    (made / "about.json").write_text("{}\n")
    call(folder, "dvc", "commit", "--force", "score@gaussian")
    files = sorted(closure_of_run(folder))
    printed = call(folder, sys.executable, "-c", STALE, "score@gaussian", *RENDERERS, *files)
    found = dict(line.rsplit(" ", 1) for line in printed.splitlines() if line.endswith(("True", "False")))
    assert found == dict.fromkeys(("None", *RENDERERS), "False") | dict.fromkeys(files, "True")


def test_the_pipeline_end_to_end(clone):
    """From a fresh clone to board and figures. Afterwards nothing runs again, except what a new baseline needs."""
    first = call(clone, "dvc", "repro")
    profile = json.loads((clone / "leaderboard" / "leaderboard.json").read_text())
    assert profile["profile"] == "smoke"
    assert {row["entry"] for row in profile["references"]} == {"real-only", "replace"}
    rows = [row for division in profile["divisions"] for row in division["rows"]]
    assert [row["entry"] for row in rows if row["rank"] is not None] == ["accumulate-subsample", "accumulate"]
    assert all(
        row["outside"] for row in rows if row["rank"] is None
    )  # verified, and not on the instances of this profile
    for name in ("fig1", "fig2", "fig4", "slopes", "collapse-profile"):
        assert (clone / "leaderboard" / "figures" / f"{name}.png").stat().st_size > 10_000
        assert (clone / "leaderboard" / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert "Rank intervals" in (clone / "leaderboard" / "leaderboard.html").read_text()
    printed = call(clone, "thrive", "score", "--json")
    assert json.loads(printed[printed.index("{") : printed.rindex("}") + 1]) == profile
    assert "Running stage 'score@gaussian'" in first

    assert "Data and pipelines are up to date" in call(clone, "dvc", "repro")

    readme = clone / "README.md"
    readme.write_text(readme.read_text() + "\nMore prose.\n")
    assert "Data and pipelines are up to date" in call(clone, "dvc", "repro")

    new = clone / "submissions" / "again"
    shutil.copytree(clone / "baselines" / "accumulate", new)
    (new / "card.yaml").write_text((new / "card.yaml").read_text().replace("id: accumulate", "id: again"))
    code = (new / "strategy.py").read_text().replace("pool.all()", "pool.sample(len(pool), context.rng)")
    (new / "strategy.py").write_text(code)  # other code for the same rows; the same code would share its cells
    params = clone / "params.yaml"
    params.write_text(
        params.read_text().replace("accumulate, accumulate-subsample]", "accumulate, accumulate-subsample, again]", 1)
    )
    listing = call(clone, "thrive", "run", "--dry-run")
    assert {line.split(" · ")[1] for line in listing.splitlines() if line.startswith("to do")} == {"again"}
    assert "Running stage 'score@gaussian'" in call(clone, "dvc", "repro")
    again = json.loads((clone / "leaderboard" / "leaderboard.json").read_text())
    scores = {row["entry"]: row["score"] for division in again["divisions"] for row in division["rows"]}
    assert scores["again"] == scores["accumulate"]


@pytest.mark.parametrize(("stage", "module"), [
    ("figures", "paper.plots.figures"), ("report", "paper.reporting.report"), ("data", "paper.data"),
])  # fmt: skip
def test_products_of_the_paper_are_stale_when_their_code_changes(root, stage, module):
    deps = yaml.safe_load((root / "paper" / "dvc.yaml").read_text())["stages"][stage]["deps"]
    paths = {str(path.relative_to(root)) for path in imported(root, module)}
    ours = {path for path in paths if path.startswith("paper/") and not path.endswith("__init__.py")}
    assert f"{module.replace('.', '/')}.py" in ours
    assert [
        path for path in ours - {"paper/shell.py"} if not covers(deps, path)
    ] == []  # it starts a module as a command
