"""A document of headings, paragraphs, tables and pictures, written as Markdown, as Typst (for PDF) and, its tables, as LaTeX.

Text is plain but for `code` between backticks. Everything else stays what it is in each of the three: no character of it is markup.
"""

import html
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Table:
    """
    Attributes:
        name: of its file among the LaTeX tables.
        align: a letter a column, l or r; "p" is a column of running text.
        rows: cells as text; None is a rule between groups of rows.
        holds: which numbers of a longer table it shows, as values of that table's index (see `paper.published.read`).
    """

    name: str
    head: Sequence[str]
    align: str
    rows: Sequence[Sequence[str] | None]
    holds: Sequence[int] = field(default=())

    def __post_init__(self) -> None:
        for row in (self.head, self.align, *self.cells):
            if len(row) != len(self.head):
                raise ValueError(f"table {self.name}: {len(row)} cells, expected {len(self.head)}: {row}")

    @property
    def cells(self) -> list[Sequence[str]]:
        """The rows without the rules between them."""
        return [row for row in self.rows if row is not None]


@dataclass(frozen=True)
class Picture:
    """
    Attributes:
        path: of a PNG, which Markdown shows. The same picture as a PDF, for print, lies beside it.
    """

    path: Path
    caption: str


@dataclass(frozen=True)
class Contents:
    """The headings that come after it, of level 2."""


Block = Heading | Paragraph | Table | Picture | Contents


def inline(text: str, plain: Callable[[str], str], code: Callable[[str], str]) -> str:
    """Text with each stretch written by one of the two."""
    return "".join((code if k % 2 else plain)(part) for k, part in enumerate(text.split("`")) if part)


# Markdown


def markdown(blocks: Sequence[Block], folder: Path) -> str:
    """As GitHub reads it; pictures are linked from `folder`."""
    return "\n".join(
        _markdown_contents(blocks[k:]) if isinstance(block, Contents) else _markdown_block(block, folder)
        for k, block in enumerate(blocks)
    )


def _markdown_contents(after: Sequence[Block]) -> str:
    heads = [block.text for block in after if isinstance(block, Heading) and block.level == 2]
    return "".join(f"- [{_markdown(head)}](#{anchor(head)})\n" for head in heads)


def anchor(head: str) -> str:
    """What GitHub links a heading by: its letters, digits, hyphens and underscores in lower case, with a hyphen for each space."""
    return re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-")


def _markdown_block(block: Heading | Paragraph | Table | Picture, folder: Path) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {_markdown(block.text)}\n"
        case Paragraph():
            return f"{_markdown(block.text)}\n"
        case Picture():
            return f"![{_markdown(block.caption)}]({block.path.relative_to(folder).as_posix()})\n"
        case Table():
            head, *rows = [[_markdown(cell) for cell in row] for row in (block.head, *block.cells)]
            return markdown_table(head, rows, block.align)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> str:
    """Lines of a table whose cells are Markdown already.

    Args:
        align: a letter a column, "r" is a column of numbers; without it, all are of text.
    """
    rule = ["--:" if letter == "r" else "---" for letter in align or "l" * len(head)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))


def _markdown(text: str) -> str:
    return inline(
        text,
        markdown_text,
        lambda part: f"`{part.replace('|', '&#124;')}`" if "|" not in part else f"<code>{markdown_text(part)}</code>",
    )


MARKUP = r"\`*_[]|~#"
FORMULAS_TOO = MARKUP + "{}()!$"
"""For a stranger's text, which may hold a formula."""


def markdown_text(text: str, markup: str = MARKUP) -> str:
    """Text that stays text in Markdown, on one line.

    Args:
        markup: characters that a backslash is put before.
    """
    text = html.escape(text.replace("\n", " "), quote=False)
    return re.sub(f"([{re.escape(markup)}])", r"\\\1", text)


# Typst


def typst(blocks: Sequence[Block], folder: Path, title: str) -> str:
    """The source of the PDF; its bytes depend on the document alone. Paths are relative to `folder`."""
    return _TYPST_HEAD.format(title=typst_string(title)) + "".join(_typst_block(block, folder) for block in blocks)


_TYPST_HEAD = """\
#set document(title: {title}, date: none)
#set page(paper: "a4", margin: (x: 1.6cm, y: 1.8cm), numbering: "1")
#set text(size: 9pt, lang: "en")
#set par(justify: false)
#set table(stroke: none, inset: (x: 3pt, y: 2.2pt))
#show table: set text(size: 7.5pt)
#show raw: set text(size: 0.95em)
#set figure(numbering: none)
#show heading: set block(above: 1.4em, below: 0.8em)
"""


def _typst_block(block: Block, folder: Path) -> str:
    match block:
        case Heading():
            return f"\n#heading(level: {block.level})[{_typst(block.text)}]\n"
        case Paragraph():
            return f"\n{_typst(block.text)}\n"
        case Picture():
            path = typst_string("/" + block.path.with_suffix(".pdf").relative_to(folder).as_posix())
            return f"\n#figure(image({path}, width: 100%), caption: [{_typst(block.caption)}])\n"
        case Contents():
            return "\n#context outline(title: none, target: selector(heading.where(level: 2)).after(here()))\n"
        case Table():
            return _typst_table(block)


def _typst_table(table: Table) -> str:
    columns = ", ".join("1fr" if letter == "p" else "auto" for letter in table.align)
    align = ", ".join("right" if letter == "r" else "left" for letter in table.align)
    rule, thick = "table.hline(stroke: 0.3pt),\n", "table.hline(stroke: 0.7pt),\n"
    head = ", ".join(f"[*{_typst(cell)}*]" for cell in table.head)
    body = "".join(
        rule if row is None else ", ".join(f"[{_typst(cell)}]" for cell in row) + ",\n" for row in table.rows
    )
    return f"\n#table(columns: ({columns},), align: ({align},),\n{thick}table.header({head}),\n{rule}{body}{thick})\n"


def _typst(text: str) -> str:
    return inline(text, lambda part: f"#text({typst_string(part)})", lambda part: f"#raw({typst_string(part)})")


def typst_string(text: str) -> str:
    """A string literal: inside one, only backslash and quote mean anything."""
    return json.dumps(text.replace("\n", " "), ensure_ascii=False)


def pdf(source: str, folder: Path) -> bytes:
    """The compiled document, with the fonts that the compiler carries."""
    import typst as compiler

    content: Any = source.encode()  # the compiler's types ask for one type of source and folder
    return bytes(compiler.compile(content, root=str(folder), ignore_system_fonts=True))


# LaTeX


LONG = 45
"""Rows that fit on a page."""
TEXT_WIDTH = 12
"""Centimetres that columns of running text share; one alone takes half."""


def latex(table: Table, written_by: str) -> str:
    """For `\\input`: a tabular, or a longtable where it is longer than a page; needs booktabs, and longtable for that."""
    kind = "longtable" if len(table.cells) > LONG else "tabular"
    columns = table.align.replace("p", f"p{{{TEXT_WIDTH / max(table.align.count('p'), 2):.1f}cm}}")
    needs = "booktabs" + (" and longtable" if kind == "longtable" else "")
    head = [r"\toprule", latex_row(table.head), r"\midrule", *([r"\endhead"] if kind == "longtable" else [])]
    body = [r"\midrule" if row is None else latex_row(row) for row in table.rows]
    lines = [f"% Written by `{written_by}`. Do not edit. Needs {needs}.", rf"\begin{{{kind}}}{{{columns}}}",
             *head, *body, r"\bottomrule", rf"\end{{{kind}}}"]  # fmt: skip
    return "\n".join(lines) + "\n"


def latex_row(row: Sequence[str]) -> str:
    """A row of cells as text. A bracket after the end of the row before would be an argument of that."""
    cells = " & ".join(inline(cell, latex_text, lambda part: rf"\texttt{{{latex_text(part)}}}") for cell in row)
    return ("{}" if cells.startswith("[") else "") + cells + r" \\"


_LATEX = {
    "–": "--", "−": r"\ensuremath{-}", "…": r"\ldots{}", "’": "'", "·": r"\ensuremath{\cdot}", "×": r"\ensuremath{\times}",
    "→": r"\ensuremath{\to}", "√": r"\ensuremath{\surd}", "²": r"\ensuremath{^2}", "|": r"\ensuremath{|}",
}  # fmt: skip
"""Characters whose LaTeX by pylatexenc needs another font or package (textcomp), or no ASCII."""


@cache
def _encoder() -> Any:
    from pylatexenc.latexencode import RULE_DICT, UnicodeToLatexConversionRule, UnicodeToLatexEncoder

    own = UnicodeToLatexConversionRule(RULE_DICT, {ord(character): words for character, words in _LATEX.items()})
    return UnicodeToLatexEncoder(
        conversion_rules=[own, "defaults"],
        replacement_latex_protection="braces-after-macro",
        unknown_char_policy="fail",
        unknown_char_warning=False,
    )


def latex_text(text: str) -> str:
    """Text that stays text in LaTeX, in ASCII.

    Raises:
        ValueError: a character is not known here.
    """
    try:
        return str(_encoder().unicode_to_latex(text.replace("\n", " ")))
    except ValueError as error:
        raise ValueError(
            f"{text!r}: no LaTeX is known for it: {error}. Add the character to _LATEX in {__name__}."
        ) from error
