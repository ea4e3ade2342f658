"""A trial: some entries on some seeds, beside others of their division, in scores and with small curves. For a terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from benchmark.results.about import AboutTask
from benchmark.results.gather import Results
from benchmark.results.labels import task_title, with_interval
from benchmark.results.paired import shown
from benchmark.results.paired import verdict as in_a_word
from benchmark.results.scoring import Interval, Vector, damage, scored, t_interval

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-=+*%#"
"""For a terminal that has no blocks."""
POINTS = 16
"""Characters of a curve."""


@dataclass(frozen=True)
class Trial:
    """One task-setting of a trial.

    Attributes:
        task: its name.
        results: of the entries that are tried.
        beside: of those that they are shown beside, `replace` among them; maybe on more seeds.
        bases: to each entry that is tried, the base workflow that it is compared with.
        notes: words on the entries beside, such as "base of blind, fixed budget".
    """

    task: str
    results: Results
    beside: Results
    bases: Mapping[str, str]
    notes: Mapping[str, str]

    @property
    def about(self) -> AboutTask:
        return self.results.about.tasks[self.task]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Runs on the seeds of the trial, of instances that have a unit, with scores."""
        seeds = set(self.results.scores["seed"])
        runs = pd.concat([self.results.scores, self.beside.scores], ignore_index=True)
        runs = runs[runs["seed"].isin(seeds)]
        parts = []
        for _, of_instance in runs.groupby("instance"):
            unit = damage(of_instance)
            if len(unit) and 0 < unit.mean() < np.inf:
                parts.append(scored(of_instance, unit))
        return pd.concat(parts, ignore_index=True) if parts else runs.iloc[:0].assign(pseudo_score=0.0)

    @cached_property
    def instances(self) -> list[str]:
        """Those that count: the ranked ones that have a unit, or all that have one where none is ranked."""
        found = [one for one in self.about.instances if one.name in set(self.scores["instance"])]
        return [one.name for one in found if one.ranked] or [one.name for one in found]

    @cached_property
    def means(self) -> pd.DataFrame:
        """Score by seed and entry, the mean over the instances that count; only of entries that ran on all of these."""
        counted = self.scores[self.scores["instance"].isin(self.instances)]
        by_instance = counted.pivot_table(index="seed", columns=["entry", "instance"], values="pseudo_score")
        whole = [id for id in by_instance.columns.unique("entry") if by_instance[id].shape[1] == len(self.instances)]
        return pd.DataFrame({id: by_instance[[id]].mean(axis=1, skipna=False) for id in whole}).dropna(axis=1)

    @cached_property
    def curves(self) -> dict[str, Vector]:
        """By entry, asinh of the mean excess in units of s at each iteration, the mean over the instances that count."""
        found: dict[str, list[Vector]] = {}
        for source in (self.beside, self.results):
            losses = source.curves[source.curves["quantity"] == "test_loss"]
            real = source.scores.groupby(["entry", "instance"])["real_loss"].mean().to_dict()
            for (entry, instance), curve in losses.groupby(["entry", "instance"]):
                if instance in self.instances:
                    unit = damage(self.scores[self.scores["instance"] == instance]).mean()
                    excess = curve.sort_values("t")["mean"].to_numpy(float) - real[entry, instance]
                    found.setdefault(str(entry), []).append(np.arcsinh(excess / unit))
        return {id: np.mean(parts, axis=0) for id, parts in found.items() if len(parts) == len(self.instances)}

    def text(self, blocks: bool) -> str:
        """Two tables: entries, and the same by instance.

        Args:
            blocks: whether the terminal can show them.
        """
        title = task_title(self.task)
        if not self.instances or not set(self.bases) & set(self.means):
            return f"{title}: no scores, which are in units of the damage that replace does: it did none here, or was not run.\n"
        about, seeds = self.about, len(self.means)
        head = (
            f"{title}: score on {len(self.instances)} instances, {seeds} seeds, T = {about.horizon}; lower is better, 0 is as good as the real data alone\n"
            f"{_table([('entry', 'score', 'minus base', '', 'by iteration'), *self._lines(blocks)])}"
        )
        if len(self.instances) == 1:
            return head
        shown_entries = self._order
        scores = self.scores.groupby(["instance", "entry"])["score"].mean().to_dict()
        lines = [(name, *(_number(scores.get((name, id), np.nan)) for id in shown_entries)) for name in self.instances]
        return f"{head}\n{_table([('instance', *shown_entries), *lines])}"

    @property
    def _order(self) -> list[str]:
        """Those that are tried, then the others."""
        own = [id for id in self.bases if id in self.means]
        return own + [str(id) for id in self.means if id not in own]

    def _lines(self, blocks: bool) -> list[tuple[str, ...]]:
        drawn = {id: self.curves[id] for id in self._order if id in self.curves}
        compared = {*self.bases, *self.bases.values()}
        highest = max((_highest(curve) for id, curve in drawn.items() if id in compared), default=1.0)
        lines: list[tuple[str, ...]] = []
        for id in self._order:
            base = self.bases.get(id)
            gap, word = self._beside(id, base) if base in self.means and base != id else ("", self.notes.get(id, ""))
            curve = sparkline(drawn[id], highest, blocks) if id in drawn else ""
            lines.append((id, _in_brackets(t_interval(self.means[id].to_numpy())), gap, word, curve))
        return lines

    def _beside(self, id: str, base: str | None) -> tuple[str, str]:
        """The difference to the base workflow, and a word for it."""
        own, other = self.means[id].to_numpy(), self.means[base].to_numpy()
        diverged = int(np.isinf(own).sum()), int(np.isinf(other).sum())
        with np.errstate(invalid="ignore"):
            gap = t_interval(own - other) if not any(diverged) else Interval(np.nan, np.nan, np.nan)
        word = in_a_word(gap, diverged, len(own)).replace("lower", "better").replace("higher", "worse")
        return shown(gap), word


def sparkline(values: Vector, highest: float, blocks: bool) -> str:
    """A curve in at most 16 characters, from 0 or below to `highest`; what lies beyond is drawn at the top."""
    marks = BLOCKS if blocks else PLAIN
    at = np.unique(np.linspace(0, len(values) - 1, POINTS).round().astype(int))
    lowest = min(0.0, float(values.min()))
    share = np.clip((values[at] - lowest) / max(highest - lowest, 1e-12), 0, 1)
    return "".join(marks[round(float(place) * (len(marks) - 1))] for place in share)


def _highest(curve: Vector) -> float:
    finite = curve[np.isfinite(curve)]
    return float(finite.max()) if len(finite) else 1.0


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:+.2f}" if np.isfinite(value) else "+inf"


def _in_brackets(found: Interval) -> str:
    return "+inf" if np.isinf(found.centre) else with_interval(*found, "{:+.2f}".format)


def _table(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )
