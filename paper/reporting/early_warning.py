"""The section on diagnostics that may warn of collapse before the loss does."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmark.results.document import Block, Heading, Paragraph, Table
from benchmark.results.scoring import t_interval
from paper.lead_times import HEALTHY, LOSS, Lead, halves, leads
from paper.reporting.words import interval, number

COMMAND = "python -m paper.experiments.early_warning"


def section(runs: pd.DataFrame | None) -> Iterator[Block]:
    yield Heading("Language model: does anything warn before the loss?")
    if runs is None:
        yield Paragraph(f"Not run. Run it: `{COMMAND}`")
        return
    own = runs[runs["data"] == "surnames"].dropna(axis=1, how="all")
    setting, judged = halves(own)
    entries = sorted(set(own["entry"]) - {HEALTHY})
    found = leads(own)
    yield Paragraph(
        f"On surnames, with {', '.join(entries)}. A quantity alarms at the first iteration at which it leaves the interval that holds a healthy fit (on "
        f"real data alone) with 99 % probability, set on {len(setting)} seeds; false alarms are those of healthy fits of {len(judged)} other seeds. The lead "
        "is the iteration of the loss's alarm minus that of the quantity's, mean over seeds of the mean over entries, with its 95 % interval. "
        f"{_verdict(found)}"
    )
    head = ["quantity", "lead, iterations", "95 % interval", "runs warned", "false alarms"]
    body = [
        [one.quantity.replace("_", " "), f"{one.lead.centre:+.1f}", interval(one.lead.low, one.lead.high), f"{one.warned:.0%}", f"{one.false_alarms:.0%}"]
        for one in found
    ]  # fmt: skip
    yield Table("early-warning", head, "lrrrr", body)
    yield from _control(runs[runs["data"] == "factbook"])


def _verdict(found: list[Lead]) -> str:
    ahead = [one.quantity.replace("_", " ") for one in found if one.quantity != LOSS and one.lead.low > 0]
    return f"Intervals above 0: {', '.join(ahead)}." if ahead else "Nothing leads: no interval lies above 0."


def _control(runs: pd.DataFrame) -> Iterator[Block]:
    """What the filter of malformed samples does to replace on pairs."""
    if runs.empty:
        return
    last = runs[runs["t"] == runs["t"].max()]
    wide = last.pivot_table(index="seed", columns="entry", values=LOSS)
    difference = t_interval((wide["nothing-rejected"] - wide["replace"]).to_numpy(np.float64))
    rejected = runs.loc[(runs["entry"] == "replace") & (runs["t"] == 1), "rejection_rate"].mean()
    yield Paragraph(
        f"The filter: on pairs of the factbook, where replace rejects {rejected:.0%} of the samples of t = 1, keeping them all changes its loss at "
        f"t = {int(last['t'].iloc[0])} by {number(difference.centre)} nats per token ({interval(difference.low, difference.high)}, {len(wide)} seeds, paired)."
    )
