"""What documents show runs."""

import json
import re
import textwrap

import numpy as np
import pytest
import yaml

import benchmark
from benchmark.errors import ThriveError
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


@pytest.mark.parametrize("name", ["python.md", "extending.md"])
def test_profiles_in_documents_are_profiles(root, name):
    blocks = re.findall(r"(?:^    .*\n|^\n)+", (root / "docs" / name).read_text(), re.MULTILINE)
    profiles = [block for block in blocks if "suites:" in block]
    assert profiles
    for block in profiles:
        text = textwrap.dedent(block.partition("\n    thrive")[0])
        for content in yaml.load(text, PlainLoader).values():
            Profile.model_validate(content)


RULE = re.compile(
    r"^(Allowed|Refused) \((\w+), (\w+)\)(?:, `([^\n]+)`)?:\n\n```python\n(.*?)```", re.MULTILINE | re.DOTALL
)


def pairs(root) -> list[tuple[str, ...]]:
    return RULE.findall((root / "docs" / "rules.md").read_text())


def test_rules_are_pairs(root):
    """Under every heading one piece of code is allowed and one refused."""
    sections = (root / "docs" / "rules.md").read_text().split("\n## ")[1:]
    assert len(sections) > 8
    for section in sections:
        assert [verdict for verdict, *_ in RULE.findall(section)] == ["Allowed", "Refused"], section.splitlines()[0]


@pytest.mark.parametrize("k", range(18))
def test_a_rule_is_as_the_document_says(root, k):
    verdict, track, budget, words, code = pairs(root)[k]
    names = {name: getattr(benchmark, name) for name in benchmark.__all__} | {"np": np}
    exec(code, names)
    instance = {"task": "gaussian", "d": 2, "n": 24}
    if verdict == "Allowed":
        assert len(benchmark.run(names["Mine"], instance, 2, horizon=10, track=track, budget=budget)) == 20
    else:
        with pytest.raises(ThriveError, match=re.escape(words)):
            benchmark.run(names["Mine"], instance, 2, horizon=10, track=track, budget=budget)


def test_all_rules_are_tried(root):
    assert len(pairs(root)) == 18


@pytest.mark.parametrize(
    "kind",
    [
        benchmark.Strategy,
        benchmark.Pool,
        benchmark.Candidates,
        benchmark.SampleRequest,
        benchmark.FitOptions,
        benchmark.Context,
        benchmark.Spec,
    ],
)
def test_the_reference_names_all_of_the_interface(root, kind):
    text = (root / "docs" / "interface.md").read_text()
    fields = getattr(kind, "__dataclass_fields__", {})
    public = {name for name in {*vars(kind), *fields} if not name.startswith("_")} - {"asks_for", "drawn"}
    assert [name for name in public if not re.search(rf"`[^`\n]*\b{name}\b", text)] == []
