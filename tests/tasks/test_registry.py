"""A task-setting is added by its file and one line of the registry."""

import json
import os
import shutil
import subprocess
import sys

COIN = """
from dataclasses import dataclass

from benchmark.tasks.discrete import Discrete


@dataclass(frozen=True)
class Coin(Discrete):
    pass
"""
LINE = '    "coin": {"class_name": "Coin", "title": "A coin", "small": {"coin": {"outcomes": 2, "n": 24}}},\n'
SEEN = """
import json

from benchmark.conformance import check, experiments
from benchmark.results.labels import task_title
from tests.conftest import ENTRIES
from tests.core import test_contract

ran = experiments.experiment(ENTRIES["replace"], 10, "coin")
print(json.dumps({"check": list(check.INSTANCES), "contract": list(test_contract.INSTANCES), "title": task_title("coin"),
                  "error": ran["error"], "records": len(ran["records"])}))
"""


def test_a_task_setting_is_a_file_and_a_line(root, tmp_path):
    """`thrive check` and the tests of the contract include it, its title is shown, and an entry runs on it."""
    shutil.copytree(root / "benchmark", tmp_path / "benchmark", ignore=shutil.ignore_patterns("assets", "__pycache__"))
    tasks = tmp_path / "benchmark" / "tasks"
    (tasks / "coin.py").write_text(COIN)
    head, first, tail = (tasks / "__init__.py").read_text().partition("TASKS: dict[str, Setting] = {\n")
    (tasks / "__init__.py").write_text(f"{head}{first}{LINE}{tail}")
    paths = os.pathsep.join(map(str, (tmp_path, root)))
    done = subprocess.run([sys.executable, "-c", SEEN], cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths},
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "coin" in found["check"]
    assert "coin" in found["contract"]
    assert (found["title"], found["error"], found["records"]) == ("A coin", "", 4)
