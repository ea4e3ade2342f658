"""The page in docs has what the committed tables say."""

import pytest

from benchmark.errors import ThriveError
from maps import page


def test_a_page_without_marks_is_refused():
    with pytest.raises(ThriveError, match="Put them where the part goes"):
        page.inject("no marks", "orders", "words")


@pytest.mark.parametrize("name", page.PARTS)
def test_the_page_is_made_from_the_committed_tables(root, name):
    text = (root / page.PAGE).read_text(encoding="utf-8")
    assert page.inject(text, name, page.PARTS[name](root)) == text
