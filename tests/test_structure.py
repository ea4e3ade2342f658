"""How the parts may depend on one another, and what start-up may not cost."""

import ast
import subprocess
import sys

import pytest

PARTS = ("benchmark", "baselines", "submissions", "leaderboard", "paper")
ALLOWED = {"benchmark": {"benchmark"}, "baselines": {"benchmark"}, "submissions": {"benchmark"},
           "leaderboard": {"benchmark", "leaderboard"}, "paper": {"benchmark", "paper"}}  # fmt: skip


def imported(path):
    """(part, inside a function) for each import of one of our parts."""
    tree = ast.parse(path.read_text())
    lazy = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    for node in ast.walk(tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in getattr(node, "names", [])] if isinstance(node, ast.Import) else []  # fmt: skip
        for name in names:
            if name.split(".")[0] in PARTS:
                yield name.split(".")[0], id(node) in lazy


@pytest.mark.parametrize("part", PARTS)
def test_imports_run_one_way(root, part):
    """paper, leaderboard and entries import benchmark; never back, never each other. The command line alone may, lazily."""
    for path in (root / part).rglob("*.py"):
        for other, lazy in imported(path):
            may = other in ALLOWED[part] or (path.name == "cli.py" and part == "benchmark" and lazy)
            assert may, f"{path.relative_to(root)} imports {other}"


@pytest.mark.parametrize("module", ["thrive.cli", "benchmark.tasks.gaussian", "benchmark.tasks.language_model"])
def test_start_up_imports_nothing_heavy(module):
    """`thrive --help` answers at once, and nothing imports torch before a language model is needed."""
    heavy = {"torch", "transformers", "datasets", "pandas", "seaborn", "sklearn", "dvc", "pydantic"}
    code = f"import sys, {module}; print(*(set(sys.modules) & {heavy!r}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_the_lock_holds_every_dependency(root):
    """`make` installs from requirements.lock alone: each requirement of pyproject.toml stands there, exactly."""
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    locked = {canonicalize_name(r.name): r for line in (root / "requirements.lock").read_text().splitlines()
              if line and not line.startswith("#") for r in [Requirement(line)]}  # fmt: skip
    for text in wanted:
        requirement = Requirement(text)
        (exact,) = locked[canonicalize_name(requirement.name)].specifier
        assert exact.operator == "=="
        assert requirement.specifier.contains(exact.version), text


def test_figures_are_drawn_again_when_their_code_changes(root):
    """The stage of the paper's figures depends on all that paper/plots/figures.py imports from paper, and they from it."""
    import yaml

    found, waiting = set(), ["figures"]
    while waiting:
        name = waiting.pop()
        found.add(f"paper/{name}.py")
        tree = ast.parse((root / "paper" / f"{name}.py").read_text())
        imports = [
            n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and (n.module or "").split(".")[0] == "paper"
        ]
        names = {a.name for n in imports if n.module == "paper" for a in n.names} | {
            n.module[6:] for n in imports if n.module != "paper"
        }
        waiting += [n for n in names if f"paper/{n}.py" not in found]
    stages = yaml.safe_load((root / "paper" / "dvc.yaml").read_text())["stages"]
    assert found <= {*stages["figures"]["deps"], "paper/shell.py"}  # which starts a module as a command
