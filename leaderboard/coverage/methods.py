"""Statistical methods: the board's own, by the board's own functions, and a plain bootstrap for comparison."""

from collections.abc import Iterable, Iterator

import numpy as np

from benchmark.results.scoring import REFERENCE, Interval, pooled, pseudo_values, t_interval
from benchmark.runs.form import Verdicts
from leaderboard.board import duels, ranking
from leaderboard.board import verdicts as board_verdicts
from leaderboard.board.duels import Wins
from leaderboard.coverage.runs import Array, Division, Intervals, Method, Runs, TaskRuns

SCORES = {"score": "excess", "slope score": "drift"}
WIN_RATES = {"win rate": "excess", "slope win rate": "drift"}
OVER_ALL = "over all"
LEFT_OUT = ("real-only",)  # whose score is 0 by definition
RESAMPLES = 200
DEFAULT_BOUNDS = Verdicts()


def shown(task: TaskRuns) -> Iterator[tuple[int, str]]:
    """Entries whose score is not 0 by definition, with their positions in the arrays."""
    return ((k, id) for k, id in enumerate(task.entries) if id not in LEFT_OUT)


def centres(runs: Runs) -> dict[str, dict[str, float]]:
    """Mean scores by task-setting and over all, scores minus that of the base, and final losses in nats by instance."""
    found: dict[str, dict[str, float]] = {}
    for name, array in SCORES.items():
        for task, own in runs.tasks.items():
            means = np.arcsinh(getattr(own, array) / own.damage.mean(axis=1)[:, None]).mean(axis=(1, 2))
            found[f"{name}, {task}"] = {id: float(means[k]) for k, id in shown(own)}
        parts = [found[f"{name}, {task}"] for task in runs.tasks]
        found[f"{name}, {OVER_ALL}"] = {id: float(np.mean([p[id] for p in parts])) for id in _complete(runs)}
    for name, array in WIN_RATES.items():
        for quantity, entries in _win_rates(runs, name, array).items():
            found[quantity] = {id: own.centre for id, own in entries.items()}
    whole = found[f"score, {OVER_ALL}"]
    found["score above the base"] = {id: whole[id] - whole[base] for id, base in _with_base(runs)}
    for task, own in runs.tasks.items():
        for name, values in by_instance(own).items():
            means = values.mean(axis=2)
            found[f"{name}, {task}"] = {key: float(means[k, j]) for key, k, j in _cells(own)}
        scores = np.arcsinh(own.excess / own.damage.mean(axis=1)[:, None]).mean(axis=2)
        found[f"score by instance, {task}"] = {key: float(scores[k, j]) for key, k, j in _cells(own)}
    return found


def by_instance(task: TaskRuns) -> dict[str, Array]:
    """The quantities that the board prints in nats, shape (entries, instances, seeds)."""
    return {"final loss in nats": task.excess + task.real, "slope in nats": task.drift}


def _cells(task: TaskRuns) -> Iterator[tuple[str, int, int]]:
    """Keys of entries on instances, with their positions in the arrays."""
    return ((f"{id} @ {i}", k, j) for k, id in shown(task) for j, i in enumerate(task.instances))


def _complete(runs: Runs) -> list[str]:
    return [id for id in [*runs.complete, REFERENCE] if all(id in own.entries for own in runs.tasks.values())]


def _with_base(runs: Runs) -> Iterator[tuple[str, str]]:
    for division in runs.divisions:
        yield from ((id, division.base) for id in division.entries if id != division.base)


def pseudo_scores(task: TaskRuns, array: Array) -> list[tuple[str, Array]]:
    """The board's pseudo-values of every entry on every instance. An instance that was drawn twice occurs twice."""
    scale = task.damage.mean(axis=1)
    without = (task.damage.sum(axis=1)[:, None] - task.damage) / (task.seeds - 1)
    return [(key, pseudo_values(array[k, j], float(scale[j]), without[j])) for key, k, j in _cells(task)]


def by_seed(task: TaskRuns, array: Array) -> dict[str, Array]:
    """The mean of pseudo-values over instances, by entry, shape (seeds,)."""
    values = [value for _, value in pseudo_scores(task, array)]
    count = len(task.instances)
    return {id: np.mean(values[n * count : (n + 1) * count], axis=0) for n, (_, id) in enumerate(shown(task))}


def win_rates(task: TaskRuns, array: Array) -> Array:
    """Of every entry by run; none diverged."""
    values = np.asarray(array)
    opponents = values[[task.entries.index(id) for id in task.field]]
    return duels.win_rates(values, np.ones_like(values), opponents, np.ones_like(opponents))


def wins(runs: Runs, array: str, ids: Iterable[str] | None = None) -> dict[str, Wins]:
    """Of entries that ran everywhere.

    Args:
        array: excess or drift.
        ids: of some of them alone.
    """
    rates = {task: win_rates(own, getattr(own, array)) for task, own in runs.tasks.items()}
    opponents = {task: len(own.field) for task, own in runs.tasks.items()}
    return {
        id: Wins(
            {task: rates[task][own.entries.index(id)] for task, own in runs.tasks.items()},
            opponents,
            dict.fromkeys(rates, 1.0),
            {},
        )
        for id in (_complete(runs) if ids is None else ids)
    }


def _win_rates(runs: Runs, name: str, array: str) -> dict[str, dict[str, Wins]]:
    """By quantity and entry: on each task-setting, and over all."""
    found = {}
    for task, own in runs.tasks.items():
        ids = [id for _, id in shown(own)]
        found[f"{name}, {task}"] = wins(Runs({task: own}, ()), array, ids)
    found[f"{name}, {OVER_ALL}"] = wins(runs, array)
    return found


def t_intervals(runs: Runs) -> Intervals:
    found: Intervals = {}
    for name, array in SCORES.items():
        values = {task: by_seed(own, getattr(own, array)) for task, own in runs.tasks.items()}
        for task, own in values.items():
            found[f"{name}, {task}"] = {id: t_interval(v) for id, v in own.items()}
        found[f"{name}, {OVER_ALL}"] = {
            id: pooled([found[f"{name}, {task}"][id] for task in values]) for id in _complete(runs)
        }
        if array == "excess":
            found["score above the base"] = {
                id: pooled([t_interval(own[id] - own[base]) for own in values.values()])
                for id, base in _with_base(runs)
            }
    for name, array in WIN_RATES.items():
        for quantity, entries in _win_rates(runs, name, array).items():
            found[quantity] = {id: ranking.win_rate(own) for id, own in entries.items()}
    for task, runs_of_task in runs.tasks.items():
        for name, losses in by_instance(runs_of_task).items():
            found[f"{name}, {task}"] = {key: t_interval(losses[k, j]) for key, k, j in _cells(runs_of_task)}
        scores = pseudo_scores(runs_of_task, runs_of_task.excess)
        found[f"score by instance, {task}"] = {key: t_interval(v) for key, v in scores}
    return found


def order(runs: Runs) -> dict[str, float]:
    """By entry, the share of duels that are lost."""
    return {id: 1 - own.centre for id, own in wins(runs, "excess").items()}


def ranks(runs: Runs) -> dict[str, dict[str, tuple[int, int]]]:
    """By the final loss."""
    return {d.name: {id: (r.low, r.high) for id, r in found.items()} for d, found in rank_intervals(runs, "excess")}


def rank_intervals(runs: Runs, array: str) -> list[tuple[Division, dict[str, ranking.RankInterval]]]:
    """Of every division."""
    everyone = wins(runs, array)
    return [(d, ranking.rank_intervals({id: everyone[id] for id in d.entries})) for d in runs.divisions]


def words(runs: Runs) -> dict[str, dict[str, str]]:
    everyone = wins(runs, "excess")
    return {
        d.name: ranking.beside({id: everyone[id] for id in d.entries if id != d.base}, everyone[d.base])
        for d in runs.divisions
    }


def verdicts(runs: Runs, bounds: Verdicts = DEFAULT_BOUNDS) -> dict[str, str]:
    instances = sum(len(own.instances) for own in runs.tasks.values())
    found = {}
    for task, own in runs.tasks.items():
        if REFERENCE not in own.entries:
            continue
        of_replace, scale = own.of(REFERENCE, own.excess), own.damage.mean(axis=1)
        for k, id in shown(own):
            parts = [
                board_verdicts.evidence(own.excess[k, j], of_replace[j], own.late[k, j], float(scale[j]), bounds)
                for j in range(len(own.instances))
            ]
            for name, part in zip(own.instances, parts, strict=True):
                found[f"{id} @ {name}"] = board_verdicts.verdict(part, bounds, instances)
            found[f"{id} @ {task}"] = board_verdicts.verdict(board_verdicts.mean(parts), bounds, len(runs.tasks))
    return found


BOARD = Method("the board's", centres, t_intervals, order, ranks, words, verdicts)


def known_scale_intervals(runs: Runs) -> Intervals:
    """t intervals of plain scores, as if s were known. The board used them before it had pseudo-values."""
    found: Intervals = {}
    for task, own in runs.tasks.items():
        scores = np.arcsinh(own.excess / own.damage.mean(axis=1)[:, None]).mean(axis=1)
        found[f"score, {task}"] = {id: t_interval(scores[k]) for k, id in shown(own)}
    return found


def score_order(runs: Runs) -> dict[str, float]:
    return centres(runs)[f"score, {OVER_ALL}"]


KNOWN_SCALE = Method("s taken for known", centres, known_scale_intervals, score_order, ranks, words, verdicts)


def _resampled(runs: Runs, array: str) -> dict[str, dict[str, Array]]:
    """Mean scores of resampled seeds by task-setting and entry, shape (resamples,). s is measured anew on every resample."""
    rng = np.random.default_rng(0)
    found = {}
    for task, own in runs.tasks.items():
        counts = rng.multinomial(own.seeds, np.full(own.seeds, 1 / own.seeds), size=RESAMPLES) / own.seeds
        scale = counts @ own.damage.T
        losses = getattr(own, array)
        means = np.einsum("rs,eirs->er", counts, np.arcsinh(losses[:, :, None, :] / scale.T[None, :, :, None]))
        found[task] = {id: means[k] / len(own.instances) for k, id in shown(own)}
    return found


def _percentiles(values: Array) -> Interval:
    low, centre, high = np.quantile(values, [0.025, 0.5, 0.975])
    return Interval(float(centre), float(low), float(high))


def _over_all(resampled: dict[str, dict[str, Array]], id: str) -> Array:
    return np.asarray(np.mean([own[id] for own in resampled.values()], axis=0))


def bootstrap_intervals(runs: Runs) -> Intervals:
    found: Intervals = {}
    for name, array in SCORES.items():
        resampled = _resampled(runs, array)
        for task, own in resampled.items():
            found[f"{name}, {task}"] = {id: _percentiles(v) for id, v in own.items()}
        found[f"{name}, {OVER_ALL}"] = {id: _percentiles(_over_all(resampled, id)) for id in _complete(runs)}
    return found


def bootstrap_ranks(runs: Runs) -> dict[str, dict[str, tuple[int, int]]]:
    """The central 95 % of the ranks over resamples; for tied entries this range is too narrow."""
    resampled, found = _resampled(runs, "excess"), {}
    for division in runs.divisions:
        table = np.array([_over_all(resampled, id) for id in division.entries])
        order = 1 + (table[None] < table[:, None]).sum(axis=1)
        low, high = np.quantile(order, [0.025, 0.975], axis=1, method="inverted_cdf")
        found[division.name] = {id: (int(low[k]), int(high[k])) for k, id in enumerate(division.entries)}
    return found


def bootstrap_words(runs: Runs) -> dict[str, dict[str, str]]:
    """Words by the interval of each difference, without a correction for their number."""
    resampled, found = _resampled(runs, "excess"), {}
    for division in runs.divisions:
        base = _over_all(resampled, division.base)
        ends = {id: _percentiles(_over_all(resampled, id) - base) for id in division.entries if id != division.base}
        found[division.name] = {
            id: "better" if end.high < 0 else "worse" if end.low > 0 else "not separable" for id, end in ends.items()
        }
    return found


BOOTSTRAP = Method(
    "percentile bootstrap",
    centres,
    bootstrap_intervals,
    score_order,
    bootstrap_ranks,
    bootstrap_words,
    verdicts,
)
