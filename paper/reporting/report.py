"""The reproduction report: every published number compared with ours, and with its closed form if there is one.

    python -m paper.reporting.report

writes `report.md`, `report.pdf` and the tables as `tables/*.tex`, from `data/` (see `paper.data`), `published.csv`,
`published_cardinality.csv` and `reasons.csv`. All numbers are computed from these files; only the reasons for differences are written by hand.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.results import document
from benchmark.results.document import Block, Heading, Picture, Table
from benchmark.runs.cells import write_atomically
from paper import shell
from paper.reporting import cardinality as report_cardinality
from paper.reporting import defects as report_defects
from paper.reporting import early_warning as report_warnings
from paper.reporting import text as report_text
from paper.reporting.cost import cost_section
from paper.reporting.evidence import Evidence, compared, load
from paper.reporting.parts import PARTS, part_section
from paper.reporting.summary import TITLE, WRITTEN_BY, summary

HERE = Path(__file__).parents[1]
FIGURES = {
    "fig1": "Gaussian estimation: fitted densities, trace ratio, error of the mean",
    "fig2": "Kernel density estimation: test loss",
    "fig3": "Language model: test loss",
    "fig4": "The three workflows side by side",
    "fig5": "Cardinality and proportion of real data",
}


def blocks(evidence: Evidence, figures: Path) -> list[Block]:
    """The whole report.

    Raises:
        AssertionError: a published number occurs nowhere, or twice.
    """
    numbers = compared(evidence)
    made = [
        *summary(numbers, evidence),
        *report_defects.section(numbers, evidence),
        *(block for part in PARTS for block in part_section(part, numbers, evidence)),
        *report_text.fine_tuning(numbers, evidence),
        *report_text.pretrained(evidence.smollm2),
        *report_text.pretraining(numbers, evidence.from_scratch),
        *report_warnings.section(evidence.early_warning),
        *report_cardinality.section(evidence),
        *cost_section(evidence),
        *pictures(figures),
    ]
    held = sorted(index for block in made if isinstance(block, Table) for index in block.holds)
    assert held == list(numbers.index), "a published number occurs nowhere in the report, or twice"
    return made


def pictures(folder: Path) -> Iterator[Block]:
    there = {name: folder / f"{name}.png" for name in FIGURES if (folder / f"{name}.png").is_file()}
    if there:
        yield Heading("Figures")
        yield from (Picture(path, FIGURES[name]) for name, path in there.items())


def write(made: Sequence[Block], folder: Path) -> list[Path]:
    """Markdown, PDF, and each table as LaTeX; returns their paths."""
    contents = {
        folder / "report.md": document.markdown(made, folder).encode(),
        folder / "report.pdf": document.pdf(document.typst(made, folder, TITLE), folder),
        **{
            folder / "tables" / f"{b.name}.tex": document.latex(b, WRITTEN_BY).encode()
            for b in made
            if isinstance(b, Table)
        },
    }
    for path in set((folder / "tables").glob("*.tex")) - set(contents):
        path.unlink()
    for path, content in contents.items():
        write_atomically(path, content)
    return list(contents)


def main() -> None:
    for path in write(blocks(load(), HERE / "figures"), HERE):
        print(path)


if __name__ == "__main__":
    shell.run(main)
