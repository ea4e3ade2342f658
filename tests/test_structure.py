"""The structure of the repository: names in documents, the folders of tests, imports, and the lock file."""

import ast
import re
import subprocess
import sys

import pytest


def test_every_test_file_that_a_document_or_docstring_names_exists(root):
    """By its path from the root of the clone."""
    words = ["git", "ls-files", "*.md", "*.py", "*.toml", "*.yaml", "*.yml", "Makefile"]
    files = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    named = {
        (file, name)
        for file in files
        for name in re.findall(r"(?<![\w/])(?:tests/[\w/]*)?test_\w+\.py", (root / file).read_text())
    }
    assert {file for file, _ in named} >= {"docs/security.md", "benchmark/tasks/language_model/llama.py"}
    assert [pair for pair in named if not (root / pair[1]).is_file()] == []


def test_every_module_that_a_document_runs_exists(root):
    """In documents, docstrings and the reasons of the report, but not in the changelog, which names old commands too."""
    words = ["git", "ls-files", "*.md", "*.py", "*.csv", "*.yaml", "Makefile", ":!CHANGELOG.md"]
    files = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    named = {
        (file, name)
        for file in files
        for name in re.findall(
            r"python -m ((?:benchmark|leaderboard|maps|paper|thrive|tests)[\w.]*\w)", (root / file).read_text()
        )
    }
    assert len(named) > 5
    paths = [(file, root.joinpath(*name.split("."))) for file, name in named]
    assert [(f, p) for f, p in paths if not (p.with_suffix(".py").is_file() or (p / "__main__.py").is_file())] == []


def test_tests_mirror_the_folders_of_the_code(root):
    packages = {path.parent.name for path in root.glob("*/__init__.py")} | {
        path.parent.name for path in (root / "benchmark").glob("*/__init__.py")
    }
    assert {path.parent.name for path in (root / "tests").glob("*/test_*.py")} - {"speed"} <= packages


@pytest.mark.parametrize("folder", ["baselines", "submissions", "maps/entries"])
def test_an_entry_imports_only_the_surface(root, folder):
    """Import-linter checks the layers of the packages, but entries are not a package."""
    for path in (root / folder).rglob("*.py"):
        imports = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = [
            name for node in imports
            for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
        ]  # fmt: skip
        ours = [name for name in names if name.split(".")[0] in ("benchmark", "leaderboard", "maps", "paper", "thrive")]
        assert set(ours) <= {"benchmark"}, path


@pytest.mark.parametrize("module", ["thrive.cli", "benchmark.tasks.gaussian", "benchmark.tasks.language_model"])
def test_start_up_imports_nothing_heavy(module):
    """`thrive --help` answers at once, and nothing imports torch before a language model is needed."""
    heavy = {"torch", "transformers", "datasets", "pandas", "seaborn", "sklearn", "dvc", "pydantic"}
    code = f"import sys, {module}; print(*(set(sys.modules) & {heavy!r}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_the_lock_holds_every_dependency(root):
    """`make` installs only from requirements.lock, which must have an exact version of each requirement in pyproject.toml."""
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
