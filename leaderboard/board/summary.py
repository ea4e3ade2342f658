"""What the board says, in sentences that are computed from it: for all readers, and for one entry."""

from collections.abc import Sequence

from benchmark.results.labels import task_title
from leaderboard.board.schema import Board, Division, Row, TaskScore
from leaderboard.board.words import avoided, percent, rank, verdict_counts

MAY_KNOW = {
    "blind": "Without telling synthetic rows from real ones",
    "labelled": "With labels that tell synthetic rows from real ones",
    "assisted": "With labels and fresh real rows",
}
"""By track, what a team has."""
MAY_TRAIN = {"fixed": "training on as many rows as at first", "growing": "training on ever more rows"}
"""By budget."""


def in_short(board: Board) -> list[str]:
    """Three to five sentences: what beats what for whom, at what cost, how sure, and what cannot be separated."""
    divisions = {(d.track, d.budget): d for d in board.divisions if _ranked(d)}
    of_budget = [
        _best_of(divisions[key]) for key in ((track, "fixed") for track in ("blind", "labelled")) if key in divisions
    ]
    of_others = [_best_of(d) for key, d in divisions.items() if key not in (("blind", "fixed"), ("labelled", "fixed"))]
    sentences = [_real_data(board), *(of_budget or of_others[:1])]
    return [*sentences, *([growing] if (growing := _growth(board)) else []), *_conditional(board)][:5]


def _rows(board: Board) -> list[Row]:
    return [row for division in board.divisions for row in division.rows]


def _ranked(division: Division) -> list[Row]:
    return [row for row in division.rows if row.rank is not None]


def _real_data(board: Board) -> str:
    """Whether anything beats keeping the real data alone."""
    beats = [(row, part) for row in _rows(board) for part in row.tasks if part.verdict == "thrives"]
    if beats:
        said = listed([f"{row.entry} on {task_title(part.task)}" for row, part in beats])
        return f"Better than training on the real data alone, and shown to be: {said}; no other strategy is on any task-setting."
    nearest = max(
        (row for row in _rows(board) if row.avoided is not None), key=lambda row: row.avoided or 0.0, default=None
    )
    words = "No strategy is shown to beat training on the real data alone, on any task-setting"
    if nearest is None:
        return f"{words}."
    return (
        f"{words}; {nearest.entry} comes nearest and avoids {avoided(nearest.avoided)} of the damage that replace does."
    )


def _best_of(division: Division) -> str:
    """The best of a division, beside its base workflow and what it is not separable from."""
    ranked = _ranked(division)
    first, others = ranked[0], [row.entry for row in ranked[1:] if row.rank_interval and row.rank_interval.low == 1]
    place = f"{MAY_KNOW.get(division.track, division.track)}, {MAY_TRAIN.get(division.budget, division.budget)}"
    tied = [row.entry for row in ranked[1:] if row.rank == first.rank]
    alone = first.rank_interval is None or first.rank_interval.high == 1
    names = listed([first.entry, *tied])
    facts = f"{_cost(first)}, {avoided(first.avoided)} of replace's damage avoided, {beside(first, division.base)}"
    if tied:
        return f"{place}, {names} share the first place ({facts})."
    if len(ranked) == 1:
        return f"{place}, {names} is the only entry ({facts})."
    if alone:
        return f"{place}, {names} is first on any seeds and instances like these ({facts})."
    doubt = (
        f"{listed(others)} may be as good"
        if others
        else f"its rank may be as low as {first.rank_interval and first.rank_interval.high}"
    )
    return f"{place}, {names} is first ({facts}), but {doubt}."


def beside(row: Row, base: str) -> str:
    """ "shown to be better than accumulate"."""
    if row.entry == base:
        return "the base workflow itself"
    words = {"better": f"shown to be better than {base}", "worse": f"shown to be worse than {base}"}
    return words.get(row.beside_base or "", f"not separable from {base}")


def _cost(row: Row) -> str:
    if row.usage is None or row.usage.cost is None:
        return "cost unknown"
    return "the cost of replace" if round(row.usage.cost, 2) == 1 else f"{row.usage.cost:.3g} times the cost of replace"


def _growth(board: Board) -> str | None:
    """What growing training sets bring to a team that cannot label."""
    first = {d.budget: _ranked(d)[0] for d in board.divisions if d.track == "blind" and _ranked(d)}
    if set(first) != {"fixed", "growing"}:
        return None
    fixed, growing = first["fixed"], first["growing"]
    if fixed.avoided is None or growing.avoided is None:
        return None
    more = "more" if growing.avoided > fixed.avoided else "no more"
    return (
        f"Where training may grow, {growing.entry} avoids {avoided(growing.avoided)} at {_cost(growing)}, "
        f"{more} than {fixed.entry} with its fixed budget."
    )


def _conditional(board: Board) -> list[str]:
    """What task-settings with few instances do not show."""
    found = []
    for task in board.tasks:
        if task.resampled:
            continue
        parts = [part for row in _rows(board) for part in row.tasks if part.task == task.task]
        opened = sum(part.verdict == "open" for part in parts)
        instances = sum(about.ranked for about in task.instances)
        on = f"{instances} instance{'s' * (instances != 1)} and {task.seeds} seed{'s' * (task.seeds != 1)}"
        found.append(
            f"{task_title(task.task)} rests on {on}: its ranks say nothing of others, and {opened} of its {len(parts)} verdicts are open."
        )
    return found[:1]


def of_entry(row: Row, division: Division) -> str:
    """One entry in short."""
    if row.rank is None:
        places = [
            f"rank {rank(p.rank, p.rank_interval)} on {task_title(p.task)}" for p in row.tasks if p.rank is not None
        ]
        where = f"It is not ranked over all; {listed(places)}." if places else "It is not ranked."
    else:
        count = len(_ranked(division))
        where = f"Rank {rank(row.rank, row.rank_interval)} of {count}: it wins {percent(row.win_rate)} of its duels, {beside(row, division.base)}."
    damage = (
        f" It avoids {avoided(row.avoided)} of the damage that replace does, at {_cost(row)}."
        if row.avoided is not None
        else ""
    )
    became = (
        f" {row.verdict.capitalize()} on {verdict_counts(row)} instances; by task-setting: {_by_task(row.tasks)}."
        if row.verdict
        else ""
    )
    return where + damage + became


def _by_task(parts: Sequence[TaskScore]) -> str:
    return listed([f"{task_title(part.task)} {part.verdict}" for part in parts if part.verdict])


def listed(names: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(names[:-1])] * (len(names) > 1) + [*names[-1:]])
