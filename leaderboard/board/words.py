"""The board's words, and how its numbers are written, once for all its forms."""

from benchmark.results.labels import task_title
from leaderboard.board.schema import Board, Estimate, RankInterval, Row

MEANINGS = {
    "score": (
        "asinh(excess / s), in units of the damage that one generation of replace does (s), lower is better. Excess is the final test loss "
        "minus that of a fit on the real data alone, so that 0 is as good as the real data alone; where the entry turns knobs of estimation, the "
        "better of that fit with and without them. The mean over ranked instances, then over task-settings."
    ),
    "interval": (
        "brackets behind a score hold 95 % t intervals over seeds, of these instances, paired with real-only and replace by seed; those behind a win rate and a "
        "rank also hold other instances like these. statistics.md shows how often they hold the truth. +inf means that a run diverged."
    ),
    "win rate": (
        "share of duels that are won: on one instance with one seed, the lower final test loss wins, a tie is half a win. The opponents are a fixed field, the project's own entries, so "
        "that another entry moves no row. The mean over seeds, then instances, then task-settings. Higher is better."
    ),
    "rank": (
        "by win rate, within a division (track × budget), with the interval of ranks that are left open on other seeds and other instances like these: 1 + the number of entries "
        "that are significantly better to N − the number that are significantly worse, by paired tests with Holm's correction at 5 %. A task-setting with fewer than four ranked "
        "instances says nothing of others: the interval is conditional on those. Reference lines are not ranked; an entry that lacks a task-setting (–) is ranked where it ran. "
        "An entry from outside (◆) is ranked on verified numbers alone: its loss on a public seed is the base workflow's there, moved by the verified difference between the two."
    ),
    "avoided": (
        "share of the damage that replace does: 1 − excess at T / replace's excess at T (medians over seeds), at least 0; the mean over instances, then task-settings. "
        "100 % is as good as the real data alone, more is better than that (200 % at most)."
    ),
    "slope score": (
        "asinh(slope · T / s), the same unit. The slope is that of the least-squares line of the test loss over iterations through the real-data loss at t = 1, so that every "
        "bad model counts, also an early one that later ones make up for. Lower is better. The slope rank is by the share of duels on the slope that are won."
    ),
    "verdict": (
        "the worst of the task-settings, each shown by an interval over seeds of the mean over its instances: collapses (excess above half of replace's, or a loss that is not finite), "
        "thrives (excess below 0), degrades (the last half of the run costs more than 0.1 s), stable (it is shown to cost less), else open: these seeds cannot tell. "
        "Counts are of single instances, corrected for their number."
    ),
    "beside base": (
        "the same test as for ranks against the division's base workflow: accumulate-subsample where the budget is fixed, accumulate where it grows."
    ),
    "verified": (
        "score minus that of the division's base workflow when run in a sandbox with secret seeds, both under the same salt; below 0 is better. With the day, "
        "and the salt from which anybody can draw the seeds again. Stale: code, data or card of the entry changed since. Entries without ◆ are the project's own."
    ),
    "gap": (
        "the verified difference on fresh instances, which the salt draws from ranges in params.yaml, minus that on the public ones. An interval above 0 says that "
        "the entry does worse where nobody could tune it. It holds the spread between instances; the base workflow's gap is 0."
    ),
    "law": (
        "the class of the law that the test loss follows on ranked instances: constant, saturating (it has an asymptote), logarithmic, linear, exponential. It is "
        "the one that predicts the later half of the run from the earlier; cannot tell where two predict equally well. `thrive forecast` says where it leads."
    ),
    "survival": "share of runs on ranked instances whose losses are all finite. Higher is better.",
    "training rows": "rows trained on, repeats included, summed over the iterations of a run; mean over seeds, ranked instances and task-settings.",
    "candidates": "rows drawn from models, likewise.",
    "real rows": "fresh real rows bought, and held-back ones that verifiers were trained on, likewise. Only track assisted may.",
    "configurations tried": "how many configurations the entry's authors say that they tried before this one; nobody checks.",
    "cost": "rows trained on, drawn from models, bought and given to verifiers, in units of what replace takes on the same instances. Lower is cheaper.",
}  # fmt: skip
"""Words of the board, with unit and direction."""

TRACKS = {
    "blind": "which rows are real and how old they are is hidden, as on the web",
    "labelled": "every row's generation is known, by labels taken to be perfect; real rows are at most half of the training mass",
    "assisted": "as labelled, and fresh real rows may be bought",
}
"""What an entry may know."""

BUDGETS = {
    "fixed": "every model trains on as many rows as there were real ones",
    "growing": "training sets may grow with the pool",
}
"""How much an entry may train on."""

NOT_SHOWN = (
    "models and data at scale: the language model is a small one, fine-tuned from one embedded checkpoint on one text",
    "the quality of samples beyond likelihood: a test loss says nothing about how a text reads",
    "time or energy: cost counts rows, whatever it takes to choose them",
    "how an entry does with other hyperparameters: cards say what was tried, and nobody checks",
    "divisions against each other: what may be known and spent differs",
)
"""What nobody should conclude from the board."""


def show(found: Estimate | None) -> str:
    """ "1.23 [1.10, 1.36]"; a dash where there is none."""
    return "–" if found is None else str(found)


PERCENT = "\u00a0%"  # no line ends between a number and its unit


def percent(found: Estimate | None) -> str:
    """Of a win rate: "87 % [83, 91]"; a dash where there is none."""
    if found is None or found.centre is None:
        return "–"
    ends = "" if found.low is None or found.high is None else f" [{100 * found.low:.0f}, {100 * found.high:.0f}]"
    return f"{100 * found.centre:.0f}{PERCENT}{ends}"


def points(found: Estimate) -> str:
    """A difference of win rates: "4 points above, [1, 7]"."""
    if found.centre is None:
        return "not comparable to that"
    ends = "" if found.low is None or found.high is None else f" [{100 * found.low:+.0f}, {100 * found.high:+.0f}]"
    return f"{100 * found.centre:+.0f} points{ends} beside that"


def avoided(value: float | None) -> str:
    """ "94 %", or "99.7 %" where whole numbers would hide what is left."""
    if value is None:
        return "–"
    return f"{100 * value:.1f}{PERCENT}" if 0.99 < value < 1 else f"{100 * value:.0f}{PERCENT}"


def verdict_counts(row: Row) -> str:
    """How many of the ranked instances have the row's own verdict, and how many another: "2 of 11, open on 3"."""
    counts, total = dict(row.verdict_counts), sum(row.verdict_counts.values())
    own = counts.pop(row.verdict or "", 0)
    other = "open" if "open" in counts else max(counts, key=counts.__getitem__, default="")
    if not own:
        return f"on the mean over instances, {other} on {counts[other]} of {total}" if other else "no instance"
    return f"{own} of {total}" + (f", {other} on {counts[other]}" if other else "")


def verdict(row: Row) -> str:
    """ "degrades (2 of 11, open on 3)"."""
    return "–" if row.verdict is None else f"{row.verdict} ({verdict_counts(row)})"


def laws(row: Row) -> str:
    """ "saturating (7 of 11, cannot tell 3)": the commonest class of its test loss, and the next."""
    counts = list(row.laws.items())
    if not counts:
        return "–"
    (first, count), *others = counts
    return f"{first} ({count} of {sum(row.laws.values())}{''.join(f', {name} {times}' for name, times in others[:1])})"


def digits(value: float | None) -> str:
    """Four significant digits; null is what the board writes for +inf."""
    return "+inf" if value is None else f"{value:.4g}"


def spread(estimate: Estimate) -> str:
    """ "2.345 ± .021": mean and half the width of its interval."""
    if estimate.centre is None:
        return "+inf"
    half = "" if estimate.low is None else f" ± {estimate.centre - estimate.low:.2g}"
    return f"{digits(estimate.centre)}{half}"


OUTSIDE = "◆"
"""Marks an entry from outside."""


def verified(row: Row) -> str:
    """Of an entry, in a cell: "-0.42 [-0.50, -0.33]"."""
    if row.verified is None:
        return "not verified" if row.outside else "–"
    if row.verified.stale:
        return "stale"
    return "failed" if row.verified.above_base is None else show(row.verified.above_base)


def verified_when(row: Row) -> str:
    """Day and salt: "2026-11-26, salt 1a2b3c4d"; nothing where it was not verified."""
    return "" if row.verified is None else f"{row.verified.date}, salt {row.verified.salt[:8]}"


def verified_on(row: Row) -> str:
    """What was verified, task-setting by task-setting."""
    if row.verified is None:
        return ""
    parts = [
        f"{task_title(part.task)}: instances {part.instances} public, {part.fresh} fresh; {part.seeds} seeds; T = {part.horizon}"
        for part in row.verified.tasks
    ]
    return f"profile {row.verified.profile}, {', '.join(parts)}, isolation {row.verified.isolation or 'none'}"


def rank(value: int | None, interval: RankInterval | None) -> str:
    """ "3 (2–5)"."""
    return "–" if value is None or interval is None else f"{value} ({interval.low}–{interval.high})"


def dates(board: Board) -> str:
    """From when to when it was computed."""
    found = sorted(date for task in board.tasks for date in task.computed.dates)
    return "days not recorded" if not found else found[0] if found[0] == found[-1] else f"{found[0]} to {found[-1]}"


def versions(board: Board) -> dict[str, list[str]]:
    """Of Python and libraries, those that any task-setting was computed with."""
    names = dict.fromkeys(name for task in board.tasks for name in task.computed.versions)
    return {name: sorted({v for task in board.tasks for v in task.computed.versions.get(name, [])}) for name in names}
