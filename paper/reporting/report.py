"""The reproduction report: every published number compared with ours, and with its closed form if there is one.

    python -m paper.reporting.report

writes `report.md`, `report.pdf` and the tables as `tables/*.tex`, from `data/` (see `paper.data`), `published.csv`,
`published_cardinality.csv` and `reasons.csv`. All numbers are computed from these files; only the reasons for differences are written by hand.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import ascii_uppercase

from benchmark.results import document
from benchmark.results.document import Block, Contents, Heading, Paragraph, Picture, Table
from benchmark.results.labels import task_title
from benchmark.runs.cells import write_atomically
from paper import shell
from paper.reporting import cardinality as report_cardinality
from paper.reporting import defects as report_defects
from paper.reporting import early_warning as report_warnings
from paper.reporting import text as report_text
from paper.reporting.cost import cost_section
from paper.reporting.evidence import Evidence, compared, load
from paper.reporting.front import TITLE, WRITTEN_BY, front
from paper.reporting.parts import PARTS, part_section
from paper.reporting.summary import summary

HERE = Path(__file__).parents[1]
BAND = "Lines: means over seeds. Bands: 95 % bootstrap intervals of the means."
FIGURES = {
    "fig4": (
        "The three workflows side by side, by iteration. Under replace, grey is the range of the other two.",
        ("gaussian", "kde", "linear_regression", "language_model"),
    ),
    "fig3": (
        "Language models: test loss on held-out real text by iteration, nats per token of each tokenizer.",
        ("language_model",),
    ),
    "fig1": (
        "Gaussian estimation: fitted densities, share of the variance that is left, squared error of the mean.",
        ("gaussian",),
    ),
    "fig2": ("Kernel density estimation: negative log-likelihood of held-out real points.", ("kde",)),
    "fig5": ("Test loss by synthetic rows, a line for each number of real rows; the appendix tells the seeds.", ()),
}
"""In the order of the report, each with what is seen and the task-settings of the paper's profile that it shows."""
FIRST = 1
"""Figures on the pages before the appendices."""
LIMITATIONS = (
    "Published numbers were read off figures, to 0.3 % or to the digits given; of some the number of seeds is not known.",
    "Our language models are small and embedded: their losses are no counterpart of Gemma 2's, only the patterns are. Which pattern appears "
    "depends on trained weights against tokens of one generation (`docs/language-model.md`).",
    "Intervals are over seeds alone: they say nothing of other data sets, models or hyperparameters.",
    "Workflows share their seeds, so that intervals of differences which are not paired are too wide rather than too narrow.",
)


def blocks(evidence: Evidence, figures: Path) -> list[Block]:
    """The whole report.

    Raises:
        AssertionError: a published number occurs nowhere, or twice.
    """
    numbers = compared(evidence)
    made = [
        *front(numbers, evidence),
        *pictures(figures, list(FIGURES)[:FIRST], evidence),
        Heading("Contents"),
        Contents(),
        Heading("Limitations"),
        *map(Paragraph, LIMITATIONS),
        Heading("How to cite"),
        Paragraph(
            "`CITATION.cff` cites Thrive, in any style that GitHub offers, and the paper that is reproduced here."
        ),
        *pictures(figures, list(FIGURES)[FIRST:], evidence),
        *appendices(
            [
                *summary(numbers),
                *report_defects.section(numbers, evidence),
                *(block for part in PARTS for block in part_section(part, numbers, evidence)),
                *report_text.fine_tuning(numbers, evidence),
                *report_text.pretrained(evidence.smollm2),
                *report_text.pretraining(numbers, evidence.from_scratch),
                *report_warnings.section(evidence.early_warning),
                *report_cardinality.section(evidence),
                *cost_section(evidence),
            ]
        ),
    ]
    held = sorted(index for block in made if isinstance(block, Table) for index in block.holds)
    assert held == list(numbers.index), "a published number occurs nowhere in the report, or twice"
    return made


def appendices(made: Sequence[Block]) -> Iterator[Block]:
    """Each heading of level 2 with a letter."""
    letters = iter(ascii_uppercase)
    for block in made:
        if isinstance(block, Heading) and block.level == 2:
            block = Heading(f"{next(letters)}. {block.text}")
        yield block


def pictures(folder: Path, names: Sequence[str], evidence: Evidence) -> Iterator[Block]:
    """Figures that were drawn, each with what is seen and the seeds of its task-settings, at most."""
    about = evidence.paper.about.tasks
    for name in names:
        path, (seen, tasks) = folder / f"{name}.png", FIGURES[name]
        if path.is_file():
            seeds = ", ".join(f"{task_title(task)} {len(about[task].seeds)}" for task in tasks if task in about)
            yield Picture(
                path, f"The paper's Figure {name[3:]}. {seen} {BAND}" + f" Seeds at most: {seeds}." * bool(seeds)
            )


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
