"""docs/security.md: every test that it names exists."""

import ast
import re


def test_every_test_that_the_page_names_exists(root):
    page = (root / "docs" / "security.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", page)
    assert len(named) > 30
    for file, test in named:
        tree = ast.parse((root / file).read_text())
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, f"{file}::{test}"


def test_the_page_has_a_row_for_each_known_kind_of_exploit(root):
    page = (root / "docs" / "security.md").read_text()
    rows = re.findall(r"^\| (V\d) [^|]+\|([^|]+)\|([^|]+)\|$", page, re.MULTILINE)
    assert [row[0] for row in rows] == [f"V{k}" for k in range(1, 9)]
    assert all("test_" in holds and does_not.strip() for _, holds, does_not in rows)
