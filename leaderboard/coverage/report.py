"""The text and the tables of leaderboard/statistics.md."""

from dataclasses import replace

import numpy as np

from benchmark.results.document import markdown_table
from leaderboard.coverage import measure
from leaderboard.coverage.measure import Share
from leaderboard.coverage.methods import BOARD, BOOTSTRAP, KNOWN_SCALE
from leaderboard.coverage.populations import KINDS, SMOOTHING, Committed, near_ties, synthetic
from leaderboard.coverage.runs import Division, Method

SEEDS = (3, 5, 10, 20, 40, 100)
APART = (0.0, 0.25, 0.5, 1.0)
CHANGES = 0.05  # of boards: a verdict that changes more often is counted as unreliable
IN_NATS = "final loss in nats"


def report(population: Committed, method: Method = BOARD, boards: int = 400) -> str:
    """The whole text.

    Args:
        boards: the number drawn for intervals. Ranks, words and verdicts, which take longer, get half as many.
    """
    synthetic_losses, bad = losses(method, boards, boards // 2)
    return TEXT.format(
        method=method.name, boards=boards, half=boards // 2, smoothing=SMOOTHING, seeds=_seeds(population),
        few=_few(population), left_out=_left_out(population), printed=intervals(population, method, boards), new_instances=new_instances(population, method, boards // 2),
        ranks=ranks(population, method, boards // 2), verdicts=verdicts(population, method, boards // 2),
        ties=ties(population, method, boards // 2), synthetic=synthetic_losses, bad=bad,
        single=f"{200 * np.sqrt(0.95 * 0.05 / boards):.1f} %",
    )  # fmt: skip


def _table(head: list[str], rows: list[list[str]]) -> str:
    return markdown_table(head, rows).rstrip("\n")


def _seeds(population: Committed) -> str:
    return ", ".join(f"{task} {seeds}" for task, seeds in population.seeds.items())


def _few(population: Committed) -> str:
    """The task-settings with too few seeds for a population."""
    return ", ".join(f"{task} ({own.count} seeds)" for task, own in population.tasks.items() if np.isinf(own.smoothing))


def _left_out(population: Committed) -> str:
    if not population.left_out:
        return ""
    return f"Left out, since a run diverged or is missing: {', '.join(population.left_out)}. "


def _remark(*shares: Share) -> str:
    """The shortfall if a share is below 93 %, else whether one is above 98 %."""
    least = min(shares, key=lambda share: share.mean)
    if least.remark == "below 93 %":
        return f"below 93 %, {95 - 100 * least.mean:.1f} short of 95 %"
    return next((share.remark for share in shares if share.remark), "")


def intervals(population: Committed, method: Method, boards: int) -> str:
    """The table of coverage by printed quantity."""
    plain = measure.intervals(method, population, boards)
    smooth = measure.intervals(method, population.smoothed(SMOOTHING), boards)
    rows = []
    for quantity, share in plain.items():
        task = quantity.rpartition(", ")[2]
        seeds = str(population.seeds.get(task, f"{min(population.seeds.values())} to {max(population.seeds.values())}"))
        # A mean in nats of smoothed seeds has no useful truth, because the noise is normal on the asinh scale.
        other = [] if "in nats" in quantity else [smooth[quantity]]
        rows.append([
            quantity, seeds, str(share), str(other[0]) if other else "–", _worst([share, *other]),
            f"{max(s.below for s in [share, *other])} of {len(share.keys)}", _remark(share, *other),
        ])  # fmt: skip
    head = ["printed", "seeds", "coverage", "coverage, smoothed", "least covered", "intervals below 93 %", "remark"]
    return _table(head, rows)


def _worst(shares: list[Share]) -> str:
    key, value = min((share.worst for share in shares), key=lambda worst: worst[1])
    return f"{100 * value:.0f} % (`{key}`)"


def new_instances(population: Committed, method: Method, boards: int) -> str:
    kept = [f"{name}, {part}" for name in ("score", "slope score") for part in (*population.tasks, "over all")]
    found = measure.intervals(method, replace(population, new_instances=True), boards, kept)
    rows = [[quantity, str(share), _worst([share]), share.remark] for quantity, share in found.items()]
    return _table(["printed", "coverage", "least covered", "remark"], rows)


def ranks(population: Committed, method: Method, boards: int) -> str:
    rows = []
    for name, own in (("committed runs", population), ("the same, smoothed", population.smoothed(SMOOTHING))):
        share, words = measure.ranks(method, own, boards), measure.words(method, own, boards)
        rows.append(
            [
                name,
                str(share),
                _worst([share]),
                f"{share.all_right:.1%}",
                _false(words.true),
                _power(words),
                share.remark,
            ]
        )
    head = ["drawn from", "rank interval", "least covered", "boards whose every rank interval is right",
            "boards with a false better or worse", "true differences found", "remark"]  # fmt: skip
    return _table(head, rows)


def _false(true: Share) -> str:
    """The family-wise error: the share of boards on which some word is false."""
    boards = len(true.hits)
    wrong = 1 - true.all_right
    error = 2 * np.sqrt(wrong * (1 - wrong) / boards) if 0 < wrong < 1 else 3 / boards
    return f"{100 * wrong:.1f} ± {100 * error:.1f} %"


def _power(words: measure.Words) -> str:
    return "–" if words.found is None else f"{words.found.mean:.0%}"


def verdicts(population: Committed, method: Method, boards: int) -> str:
    share = measure.kept_verdicts(method, population, boards)
    instance = {key: key.rpartition(" @ ")[2] if " @ " in key else None for key in share.keys}
    groups = {
        task: share.of([key for key in share.keys if instance[key] in own.instances])
        for task, own in population.tasks.items()
    }
    groups["row (the worst of all)"] = share.of([key for key in share.keys if instance[key] is None])
    rows = []
    for name, own in groups.items():
        changed = 1 - np.nanmean(own.hits, axis=0)
        most = int(changed.argmax())
        rows.append([
            name, f"{100 * (1 - own.mean):.1f} ± {100 * own.error:.1f} %", f"{(changed > CHANGES).sum()} of {len(changed)}",
            f"{changed[most]:.0%} (`{own.keys[most]}`)",
        ])  # fmt: skip
    return _table(["verdicts of", "changed", "changed in more than 5 % of boards", "most often"], rows)


def ties(population: Committed, method: Method, boards: int) -> str:
    division = largest(population)
    rows = []
    for apart in APART:
        own = near_ties(population, division, apart).smoothed(SMOOTHING)
        share, words = measure.ranks(method, own, boards), measure.words(method, own, boards)
        rows.append(
            [f"{apart:g}", str(share), f"{share.all_right:.1%}", _false(words.true), _power(words), share.remark]
        )
    head = ["standard errors apart", "rank interval", "boards whose every rank interval is right",
            "boards with a false better or worse", "true differences found", "remark"]  # fmt: skip
    return f"{compared(division)}\n\n" + _table(head, rows)


def largest(population: Committed) -> Division:
    return max(population.divisions, key=lambda d: len(d.entries))


def compared(division: Division) -> str:
    """The entries whose runs the near ties have, by name, because a count alone would not show that the board has changed since."""
    names = ", ".join(f"`{id}`" for id in division.entries)
    return (
        f"The {len(division.entries)} entries of {division.name} that are ranked on public seeds, "
        f"have run on every task-setting and never diverged: {names}."
    )


def losses(method: Method, boards: int, fewer: int) -> tuple[str, str]:
    """The table, and a sentence on one bad run in ten."""
    rows, covered = [], {}
    score, nats = (f"{name}, synthetic" for name in ("score", IN_NATS))
    for kind in KINDS:
        for seeds in SEEDS:
            own = synthetic(kind, seeds)
            found = measure.intervals(method, own, boards, [score, nats])
            others = [measure.intervals(m, own, boards, [score])[score] for m in (KNOWN_SCALE, BOOTSTRAP)]
            ranked, words = measure.ranks(method, own, fewer), measure.words(method, own, fewer)
            covered[kind, seeds] = found[score]
            shown = [found[score], found.get(nats, "–"), *others, ranked]
            rows.append([kind, str(seeds), *map(str, shown), _false(words.true), _remark(found[score])])
    head = ["losses", "seeds", "score", "final loss in nats", "score, s taken for known", "score, percentile bootstrap",
            "rank interval", "boards with a false better or worse", "remark on the score"]  # fmt: skip
    return _table(head, rows), _bad_runs(covered)


def _bad_runs(covered: dict[tuple[str, int], Share]) -> str:
    """A sentence on the coverage if one run in ten is bad."""
    kind = list(KINDS)[-1]
    short = [
        f"of boards with {seeds} seeds, {0.9**seeds:.0%} have no bad run of an entry, and the interval of its score covers {covered[kind, seeds]}"
        for seeds in SEEDS
        if covered[kind, seeds].mean < measure.LOWEST
    ]
    return "; ".join(short) + "." if short else "here every interval covers enough."


TEXT = """# Coverage of what the board prints

Written by `python -m leaderboard.coverage`; do not edit. A 95 % interval should contain the truth on 95 % of boards; here 93 to 98 % is required.
Coverage is measured for {method} method on boards that are drawn from populations whose truth is known. ± is twice the Monte-Carlo standard error. It
counts boards, since the entries of a board share their seeds; if all boards agree it is 3 / boards. *Least covered* names the entry whose
interval contains the truth least often; the least of many is low also by chance (a single entry has ± {single}). Column *intervals below 93 %* counts the intervals
whose coverage is lower by more than twice that error.

## Drawn from the committed runs

{boards} boards with the board's own numbers of seeds ({seeds}), pooled as on the board. Seeds are drawn with replacement, each with all its entries, instances and
its scale s. {left_out}The committed runs are the population, and their means are the truth. This population has no run worse than the worst
committed one. So coverage is shown a second time with normal noise of {smoothing:g} standard deviations added to every seed on the asinh scale (and the sum shrunk to the same
variance).

{few} is too few for a population: there, boards are drawn from a normal distribution with the mean and covariance of these seeds. A t interval then covers 95 % by theorem, so
these rows show that the code is right, not that the losses are normal. Three seeds cannot show that; "Synthetic losses" shows the coverage if losses are not normal.

{printed}

Means in nats are printed because the paper prints them. Do not trust their intervals for entries that collapse. Ranks and words are based on scores.

These intervals are about the mean over seeds *on these instances*. The next table shows how often they contain the mean over instances if a board has other instances like
these ({half} boards; instances are drawn with replacement from the committed ones in every task-setting that has at least four):

{new_instances}

## Ranks and words

{half} boards. A rank interval is right if it contains every rank that its entry may have, from 1 + the number of better entries to N − the number of worse ones.
If entries are far apart, it is a single rank and right on more than 95 % of boards, which is no fault.

{ranks}

Near ties: runs with the noise of the committed ones (smoothed) whose means are tied or spaced by a number of standard errors of a paired difference over all task-settings. {ties}

## Verdicts

How often a verdict under resampled seeds differs from the verdict on all committed runs ({half} boards). The board does not mark verdicts that change.

{verdicts}

## Synthetic losses

Six entries on one instance, three of them tied and two tied; s is measured on the same seeds, with a spread of half of itself. *One bad run in ten*: its excess is a
hundred times as large. {boards} boards for intervals, {half} for ranks. A board without a bad run says nothing about bad runs, whatever the method: {bad}

{synthetic}

**Why asinh.** Losses of collapsing runs are heavy-tailed, so a mean over a few seeds in nats depends on one of them. The excess may be negative, so its
logarithm may not exist. asinh is linear near 0, logarithmic far from it, odd, and defined everywhere.

**Why pseudo-values.** The unit s, the damage of one generation of replace, is measured on the same few seeds, and its error moves all scores of
an instance at once. Intervals that treat s as known miss that error, and more seeds do not help. Means of jackknife pseudo-values are the same
means, with a spread that contains both errors.
"""
