"""The private copy of an entry: what its digest leaves out is not there to be read."""

import ast
import tokenize

import pytest

from benchmark.entries import snapshot
from benchmark.entries.entry import Entry
from tests.conftest import ENTRIES

TRICKY = b'''# -*- coding: latin-1 -*-
"""Module,
   # no comment \xe9
   of three lines."""
import math  # to round
from benchmark import Strategy


class One(Strategy):  # a class
    """Its docstring.""" ; x = "# kept"

    def training_set(self, context, pool):
        """Over
        two lines."""  # and a comment
        y = "\xe9"; """not the first: kept"""
        return pool.all()

    def keep(self, context, candidates): """alone"""
'''


def test_no_comment_and_no_docstring_is_left_and_every_line_stays():
    bare = snapshot.without_remarks(TRICKY).decode()
    assert bare.count("\n") == TRICKY.count(b"\n")
    assert [line for line in bare.splitlines() if line.strip()] == [
        '"""', '"""', "import math", "from benchmark import Strategy", "class One(Strategy):", '    """""" ; x = "# kept"',
        "    def training_set(self, context, pool):", '        """', '"""', '        y = "é"; """not the first: kept"""',
        "        return pool.all()", '    def keep(self, context, candidates): """"""',
    ]  # fmt: skip


@pytest.mark.parametrize("id", sorted(ENTRIES))
def test_the_copy_means_the_same_and_holds_nothing_more(id, tmp_path):
    copied = snapshot.copy(ENTRIES[id], tmp_path)
    assert Entry.digest.func(copied) == ENTRIES[id].digest
    assert not {"README.md", "card.yaml"} & {path.name for path in copied.folder.iterdir()}
    for path in copied.folder.rglob("*.py"):
        with path.open("rb") as file:
            assert tokenize.COMMENT not in {token.type for token in tokenize.tokenize(file.readline)}
        assert not any((ast.get_docstring(node) or "").strip() for node in ast.walk(ast.parse(path.read_bytes()))
                       if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)))  # fmt: skip


def test_code_that_may_look_at_its_text_is_copied_and_hashed_as_it_is_written(tmp_path):
    """Also where one file looks at another: a helper's docstring may be what strategy.py goes by."""
    folder = tmp_path / "submissions" / "looks"
    folder.mkdir(parents=True)
    (folder / "card.yaml").write_text(
        (ENTRIES["accumulate"].folder / "card.yaml").read_text().replace("accumulate", "looks")
    )
    (folder / "helper.py").write_text('"""1.0"""\n')
    (folder / "strategy.py").write_text("from . import helper\nx = float(helper.__doc__)\n")
    before = Entry(folder).digest
    copied = snapshot.copy(Entry(folder), tmp_path / "copy")
    assert (copied.folder / "helper.py").read_text() == '"""1.0"""\n'
    (folder / "helper.py").write_text('"""2.0"""\n')
    assert Entry(folder).digest != before
