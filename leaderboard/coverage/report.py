"""The text and the tables of leaderboard/statistics.md."""

from dataclasses import replace
from typing import Any

import numpy as np

from benchmark.results.document import markdown_table
from leaderboard.coverage import criteria, measure
from leaderboard.coverage.measure import Share
from leaderboard.coverage.methods import BOARD, BOOTSTRAP, KNOWN_SCALE, OVER_ALL, SCORES, WIN_RATES
from leaderboard.coverage.populations import KINDS, SMOOTHING, Committed, near_ties, synthetic
from leaderboard.coverage.runs import Division, Method

SEEDS = (3, 5, 10, 20, 40, 100)
APART = (0.0, 0.25, 0.5, 1.0)
CHANGES = 0.05  # of boards: a verdict that changes more often is counted as unreliable
IN_NATS = "final loss in nats"


def report(population: Committed, board: dict[str, Any], method: Method = BOARD, boards: int = 400) -> str:
    """The whole text.

    Args:
        board: leaderboard.json.
        boards: drawn for intervals; ranks, words and verdicts, which take longer, get half as many.
    """
    synthetic_losses, bad = losses(method, boards, boards // 2)
    return TEXT.format(
        method=method.name, boards=boards, half=boards // 2, smoothing=SMOOTHING, seeds=_seeds(population),
        variance=variance(board), outside=outside(population), bound=f"{100 * criteria.MOST_OF_VARIANCE:.0f} %", at_least=criteria.ENTRIES,
        most_outside=f"{100 * criteria.MOST_OUTSIDE:.0f} %", few=_few(population), left_out=_left_out(population), printed=intervals(population, method, boards), new_instances=new_instances(population, method, boards // 2),
        ranks=ranks(population, method, boards // 2), verdicts=verdicts(population, method, boards // 2),
        ties=ties(population, method, boards // 2), synthetic=synthetic_losses, bad=bad,
        single=f"{200 * np.sqrt(0.95 * 0.05 / boards):.1f} %",
    )  # fmt: skip


def variance(board: dict[str, Any]) -> str:
    """What each task-setting carries, by division and final or slope."""
    tasks = [about["task"] for about in board["tasks"]]
    rows = []
    for (division, by), (entries, shares) in criteria.variance_shares(board).items():
        met = "met" if max(shares.values()) <= criteria.MOST_OF_VARIANCE else "**not met**"
        asked = met if entries >= criteria.ENTRIES else "not asked"
        rows.append([division, by, str(entries), *(f"{shares[task]:.2f}" for task in tasks), asked])
    return _table(["division", "ranked by", "entries", *tasks, "criterion"], rows)


def outside(population: Committed) -> str:
    found = criteria.outside_without_an_instance(population)
    return "; ".join(
        f"by {name} {count} of {total} ({100 * count / total:.1f} %)" for name, (count, total) in found.items()
    )


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
    kept = [f"{name}, {part}" for name in (*WIN_RATES, *SCORES) for part in (*population.tasks, OVER_ALL)]
    found = measure.intervals(method, replace(population, new_instances=True), boards, kept)
    rows = [[quantity, str(share), _worst([share]), share.remark] for quantity, share in found.items()]
    return _table(["printed", "coverage", "least covered", "remark"], rows)


def ranks(population: Committed, method: Method, boards: int) -> str:
    smooth = population.smoothed(SMOOTHING)
    drawn = {
        "seeds": population,
        "seeds and instances": replace(population, new_instances=True),
        "seeds and instances, smoothed": replace(smooth, new_instances=True),
    }
    head = ["drawn", "rank interval", "least covered", *SHARED, "remark"]
    return _table(head, [_ranks_row(name, own, method, boards, worst=True) for name, own in drawn.items()])


SHARED = ["boards whose every rank interval is right", "boards with a false better or worse", "true differences found"]


def _ranks_row(name: str, population: Committed, method: Method, boards: int, *, worst: bool) -> list[str]:
    share, words = measure.ranks(method, population, boards), measure.words(method, population, boards)
    least = [_worst([share])] if worst else []
    return [name, str(share), *least, f"{share.all_right:.1%}", _false(words.true), _power(words), share.remark]


def _false(true: Share) -> str:
    """The family-wise error: the share of boards on which some word is false."""
    boards = len(true.hits)
    wrong = 1 - true.all_right
    error = 2 * np.sqrt(wrong * (1 - wrong) / boards) if 0 < wrong < 1 else 3 / boards
    return f"{100 * wrong:.1f} ± {100 * error:.1f} %"


def _power(words: measure.Words) -> str:
    return "–" if words.found is None else f"{words.found.mean:.0%}"


def verdicts(population: Committed, method: Method, boards: int) -> str:
    found = measure.verdicts(method, population, criteria.committed_runs(population), boards)
    place = {key: key.rpartition(" @ ")[2] for key in found.said}
    groups = {task: {task} for task in population.tasks}
    groups |= {f"instances of {task}": set(own.instances) for task, own in population.tasks.items()}
    rows = []
    for name, places in groups.items():
        keys = [key for key in found.said if place[key] in places]
        given = [key for key in keys if found.said[key] != "open"]
        row = [name, str(len(keys)), f"{(len(keys) - len(given)) / len(keys):.0%}"]
        rows.append([*row, *_changed(found.contradicted, given), *_changed(found.opened, given)])
    head = [
        "verdicts of",
        "given",
        "open",
        "another verdict",
        "in more than 5 % of boards",
        "open on the board",
        "in more than 5 % of boards",
    ]
    return _table(head, rows)


def _changed(share: Share, keys: list[str]) -> tuple[str, str]:
    """How often, and for how many keys in more than 5 % of boards."""
    if not keys:
        return "–", "–"
    by_key = share.of(keys).hits.mean(axis=0)
    return f"{100 * by_key.mean():.1f} %", f"{(by_key > CHANGES).sum()} of {len(keys)}"


def ties(population: Committed, method: Method, boards: int) -> str:
    division = largest(population)
    rows = []
    for apart in APART:
        own = replace(near_ties(population, division, apart).smoothed(SMOOTHING), new_instances=True)
        rows.append(_ranks_row(f"{apart:g}", own, method, boards, worst=False))
    return f"{compared(division)}\n\n" + _table(["standard errors apart", "rank interval", *SHARED, "remark"], rows)


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

## What the order must satisfy

An entry's place is its win rate: the share of duels won, run by run, against a fixed field of opponents, averaged over seeds, then instances, then task-settings.

**No task-setting decides.** The win rate over all is the mean of those by task-setting, so that their covariances with it add up to the variance between
entries. In a division of at least {at_least} entries that are ranked everywhere no task-setting may carry more than {bound} of it.

{variance}

**No instance decides.** Pairs of an entry and an instance without which the entry's rank lies outside its printed interval (a task-setting without its only
instance counts no more): {outside}. Less than {most_outside} is asked. Entries from outside, whose seeds are secret, are not among them.

Intervals of win rates and ranks hold on other seeds and, where a task-setting has at least four ranked instances, on other instances like these: see "Ranks and words".

## Drawn from the committed runs

{boards} boards at the board's own numbers of seeds ({seeds}), pooled as the board pools. A seed is drawn with replacement and whole: all entries, instances and
the scale s together. {left_out}The committed runs are the population, and their means are the truth. That population has no run worse than the worst
committed one, so coverage is shown a second time with normal noise of {smoothing:g} standard deviations added to every seed on the asinh scale (shrunk to the same
variance). Intervals of win rates are wide here, for they hold the spread between instances as well, which these boards do not have.

{few} is too few for a population: boards are drawn from a normal distribution with the mean and covariance of these seeds. A t interval covers 95 % there by theorem, so
these rows show that the code is right, and not that the losses are normal. So few seeds cannot show that; what they miss if it is wrong stands under "Synthetic losses".

{printed}

Means in nats are printed because the paper has them; their intervals are not to be trusted for entries that collapse.

If the instances were others like these (drawn with replacement where a task-setting has at least four, the committed ones being the population; {half} boards),
the intervals of win rates are made for it; those of scores are of *these instances* alone:

{new_instances}

## Ranks and words

{half} boards. A rank interval is right if it contains every rank that its entry may have, from 1 + the number of better entries to N − the number of worse ones.
If entries are far apart, it is a single rank and right on more than 95 % of boards, which is no fault.

{ranks}

With near ties: the noise and the differences between instances of committed runs (smoothed, instances drawn), and mean scores that are equal, or spaced by these
standard errors of a paired difference over all task-settings. Equal mean scores are nearly equal win rates; the true order is that of the whole population. {ties}

## Verdicts

A verdict of a task-setting is that of the mean over its instances. *open*: the share of verdicts where these seeds cannot tell. Of the others, how often {half} boards of resampled seeds
give another verdict, and how often they leave it open.

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
