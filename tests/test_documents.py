"""What documents show runs."""

import json
import re

import pytest
import yaml

from benchmark.runs.form import Profile
from benchmark.strict_yaml import PlainLoader


def test_the_notebook_runs(root, monkeypatch):
    """Its code cells, one after the other, in one namespace."""
    monkeypatch.chdir(root)
    cells = json.loads((root / "docs" / "python.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5
    found: dict[str, object] = {"__name__": "notebook"}
    for k, source in enumerate(code):
        exec(compile(source, f"docs/python.ipynb, code cell {k}", "exec"), found)
    by_share = found["by_share"]
    assert by_share[0.0] < by_share[1.0], "the latest generation alone is replace"
    assert len(found["board"]) > 30


def test_a_notebook_is_committed_without_outputs(root):
    cells = json.loads((root / "docs" / "python.ipynb").read_text())["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)


@pytest.mark.parametrize("name", ["python.md"])
def test_profiles_in_documents_are_profiles(root, name):
    blocks = re.findall(r"(?:^    .*\n|^\n)+", (root / "docs" / name).read_text(), re.MULTILINE)
    profiles = [block for block in blocks if "suites:" in block]
    assert profiles
    for block in profiles:
        text = block.partition("\n    thrive")[0]
        for content in yaml.load(text, PlainLoader).values():
            Profile.model_validate(content)
