"""The generated parts of docs/how-much-real-data.md: `python -m maps.page` writes them."""

from collections.abc import Callable
from pathlib import Path

from benchmark.errors import ThriveError
from benchmark.runs.cells import write_atomically
from maps import folk, orders
from paper import shell

PAGE = Path("docs", "how-much-real-data.md")
PARTS: dict[str, Callable[[Path], str]] = {"folk rule": folk.block, "orders": orders.block}
"""By name: what makes the part from the tables of a clone."""


def inject(text: str, name: str, words: str) -> str:
    """Put a part between its marks.

    Raises:
        ThriveError: a mark is missing.
    """
    marks = f"<!-- {name}: written by `python -m maps.page` -->", f"<!-- end of {name} -->"
    before, begin, rest = text.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise ThriveError(f"{PAGE}: the marks {marks[0]} and {marks[1]} are missing. Put them where the part goes.")
    return f"{before}{begin}\n{words}{end}{after}"


def main() -> None:
    """Write every part."""
    root = Path(__file__).parents[1]
    text = (root / PAGE).read_text(encoding="utf-8")
    for name, make in PARTS.items():
        text = inject(text, name, make(root))
    write_atomically(root / PAGE, text.encode())


if __name__ == "__main__":
    shell.run(main)
