"""How many numbers agree, what differs and why, and what was not run."""

from collections.abc import Iterator

import pandas as pd

from benchmark.results.document import Block, Heading, Paragraph, Table
from benchmark.results.labels import task_title
from paper import published
from paper.reporting.cardinality import CARDINALITY
from paper.reporting.evidence import REASONS, UNEXPLAINED, against_closed, groups_of, not_needed, rows_of
from paper.reporting.parts import PARTS
from paper.reporting.words import root_mean_square


def summary(numbers: pd.DataFrame) -> Iterator[Block]:
    theirs = numbers[numbers["source"] == published.FIGURE]
    cardinality = pd.read_csv(CARDINALITY)
    yield Heading("Numbers that agree")
    yield from _counts(theirs, len(cardinality))
    yield from _agreement(theirs)
    yield from _what_differs(theirs)
    yield from _what_was_not_run(theirs)


def experiments(theirs: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for part in PARTS:
        yield (
            part.title.partition(",")[0],
            theirs[(theirs["task"] == part.task) & (theirs["quantity"] == part.quantity)],
        )
    yield "Language model: fine-tuning", theirs[theirs["task"] == "language_model"]
    yield "Language model: pretraining", theirs[theirs["task"] == "pretraining"]


VERDICTS = ("agrees", "differs", "not run", "no counterpart")


def _counts(theirs: pd.DataFrame, cardinality: int) -> Iterator[Block]:
    """A row for each experiment, whose verdicts add up to its published numbers."""
    counts = [
        (title, [int((rows["verdict"] == verdict).sum()) for verdict in VERDICTS])
        for title, rows in experiments(theirs)
    ]
    counts.append(("Cardinality against proportion of real data", [0, 0, 0, cardinality]))
    total = [sum(column) for column in zip(*(row for _, row in counts), strict=True)]
    agree, differ, missing, without = total
    unexplained = int((theirs["reason"] == UNEXPLAINED).sum())
    yield Paragraph(
        f"The report compares {sum(total)} published numbers. {without} have no counterpart here: our embedded language model is not Gemma, so only patterns can be "
        f"compared, nor does it pretrain on TinyStories. {agree + differ} were run here ({missing} were not), and {agree} of these agree. Of the {differ} that "
        f"differ, {differ - unexplained} are explained and {unexplained} are {UNEXPLAINED}."
    )
    rows: list[list[str] | None] = [[title, str(sum(row)), *map(str, row)] for title, row in counts]
    rows += [None, ["All", str(sum(total)), *map(str, total)]]
    yield Table("summary", ["experiment", "published", "agree", "differ", "not run", "no counterpart"], "lrrrrr", rows)


def _agreement(theirs: pd.DataFrame) -> Iterator[Block]:
    """How many numbers are how close, compared with what sampling error alone would give."""
    met = theirs[theirs["z"].notna()]
    rows: list[list[str] | None] = [
        [
            title,
            str(len(found)),
            *(published.agreement(found, level) for level in published.LEVELS),
            root_mean_square(found["z"]),
            _meet_closed(found),
        ]
        for title, part in experiments(theirs)
        if len(found := part[part["z"].notna()])
    ]
    rows += [
        None,
        [
            "All",
            str(len(met)),
            *(published.agreement(met, level) for level in published.LEVELS),
            root_mean_square(met["z"]),
            _meet_closed(met),
        ],
    ]
    yield Paragraph(
        "The next table counts the numbers within 2, 3 and 4 standard errors. In brackets: the count to expect if only sampling error set them apart (normal, or t with "
        "the degrees of freedom of our seeds). z is ours minus published, divided by the standard error of both means and of the reading; numbers agree if |z| is "
        f"below {published.AGREES:g}. The spread of runs is the exact one if a closed form gives it (Gaussian replace; linear regression except "
        "accumulate-subsample), else that of our seeds; for a very skewed quantity most z are then small. Numbers along a curve share their runs, so they agree or differ together, and the "
        "counts scatter more than those of independent numbers. Published means of an unknown number of seeds count as exact. All intervals are 95 % intervals over seeds."
    )
    head = [
        "experiment",
        "run here",
        *(f"|z| < {level:g}" for level in published.LEVELS),
        "rms z",
        "ours meet the closed form",
    ]
    yield Table("agreement", head, "lrrrrrr", rows)


def _meet_closed(rows: pd.DataFrame) -> str:
    known = rows[rows["closed"].notna()]
    return f"{int((against_closed(known).abs() < published.AGREES).sum())} of {len(known)}" if len(known) else "–"


def _what_differs(theirs: pd.DataFrame) -> Iterator[Block]:
    rows = []
    for (task, instance, entry, reason), found in groups_of(
        theirs[theirs["verdict"] == "differs"], "task", "instance", "entry", "reason"
    ):
        at = ", ".join("–" if pd.isna(t) else str(t) for t in found["t"])
        rows.append(
            [
                f"{task_title(task)}, {instance}",
                entry,
                at,
                _range(found["z"]),
                _range(found["switched_z"]),
                _range(found["loop_z"]),
                reason,
            ]
        )
    if rows:
        yield Paragraph("What differs, and why:")
        head = [
            "instance",
            "workflow",
            "t",
            "z",
            "z, scikit-learn's densities",
            "z, second loop with scikit-learn's",
            "cause",
        ]
        yield Table("differences", head, "lllrrrp", rows)
    unused = not_needed(theirs)
    if unused:
        yield Paragraph(f"Reasons in `paper/{REASONS.name}` that no number needs any more: {' '.join(unused)}")


def _range(z: "pd.Series[float]") -> str:
    if z.isna().any():
        return "not run"
    return f"{z.min():.1f} to {z.max():.1f}" if len(z) > 1 else f"{z.iloc[0]:.1f}"


def _what_was_not_run(theirs: pd.DataFrame) -> Iterator[Block]:
    missing = theirs[theirs["verdict"] == "not run"]
    rows: dict[str, int] = {}
    for row in rows_of(missing):
        words = published.command(row.task, row.instance, row.quantity)
        rows[words] = rows.get(words, 0) + 1
    if rows:
        yield Paragraph("What was not run:")
        yield Table(
            "not-run", ["published numbers", "command"], "rl", [[str(n), f"`{words}`"] for words, n in rows.items()]
        )
