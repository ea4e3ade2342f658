"""Sections of the report on kernel densities: scikit-learn's densities, a second loop, the bound of accumulate, a rerun."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmark.results.document import Block, Heading, Paragraph, Table
from paper import published, theory
from paper.reporting.evidence import Estimate, Evidence, rows_of
from paper.reporting.words import interval, number, padded, root_mean_square, shown


def section(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
    yield from _as_published(numbers)
    if evidence.plain_loop is not None:
        yield from _plain_loop(numbers, evidence.plain_loop)
    yield from _bounds(numbers, evidence)
    yield from _rerun(numbers)


def _as_published(numbers: pd.DataFrame) -> Iterator[Block]:
    """The numbers whose instance was also run with scikit-learn's densities."""
    rows = numbers[numbers["switched"].notna()]
    if rows.empty:
        return
    met = int((rows["switched_verdict"] == "agrees").sum())
    yield Heading("Kernel density estimation: scikit-learn's densities, as published", 3)
    yield Paragraph(
        f"`densities: scikit-learn` computes the test loss as the published runs did (defect 8) and changes nothing else. With it, {met} of {len(rows)} published "
        f"numbers agree with ours, and the root mean square of z is {root_mean_square(rows['switched_z'])}; with exact densities {int((rows['verdict'] == 'agrees').sum())} "
        f"agree, and it is {root_mean_square(rows['z'])}. Exact densities were run on more seeds, so that a deviation gives them a larger z."
    )
    body = [
        [row.instance, row.entry, str(row.t), padded(row.text), number(row.ours), f"{row.z:.1f}",
         shown(Estimate(row.switched, row.switched_error, int(row.switched_seeds))), str(int(row.switched_seeds)), f"{row.switched_z:.1f}"]
        for row in rows_of(rows)
    ]  # fmt: skip
    head = [
        "instance",
        "workflow",
        "t",
        "published",
        "ours, exact",
        "z",
        "ours, scikit-learn",
        "seeds",
        "z, scikit-learn",
    ]
    yield Table("kde-as-published", head, "llrrrrrrr", body)


def _plain_loop(numbers: pd.DataFrame, plain: pd.DataFrame) -> Iterator[Block]:
    """A second opinion on an instance whose published numbers cannot be reproduced with exact densities."""
    keys = ["instance", "entry", "t"]
    held = numbers[(numbers["task"] == "kde") & (numbers["quantity"] == "test_loss")]
    rows = held.merge(plain.rename(columns={"seeds": "runs"}), on=keys)
    rows["exact_z"] = published.z(rows, rows["exact"], rows["exact_sd"] ** 2, rows["runs"])
    yield Heading("Kernel density estimation: a second loop", 3)
    yield Paragraph(
        f"`python -m paper.experiments.plain_loop` shares no code with the benchmark and measures each run by exact densities and by scikit-learn's. Over {rows['runs'].iloc[0]} seeds, "
        f"the root mean square of z against the {len(rows)} published numbers is {root_mean_square(rows['exact_z'])} with exact densities and {root_mean_square(rows['loop_z'])} with "
        f"scikit-learn's; {int((rows['exact_z'].abs() < 2).sum())} and {int((rows['loop_z'].abs() < 2).sum())} are within 2 standard errors. Difference: scikit-learn's loss minus the exact one, in the same runs."
    )
    body = [
        [row.instance, row.entry, str(row.t), padded(row.text), number(row.ours), number(row.exact), f"{row.exact_z:.1f}",
         number(row.scikit_learn), f"{row.loop_z:.1f}", shown(Estimate(row.difference, row.difference_sd / np.sqrt(row.runs), int(row.runs)))]
        for row in rows_of(rows)
    ]  # fmt: skip
    head = [
        "instance",
        "workflow",
        "t",
        "published",
        "ours, exact",
        "second loop, exact",
        "z",
        "second loop, scikit-learn",
        "z, scikit-learn",
        "difference",
    ]
    yield Table("plain-loop", head, "llrrrrrrrr", body)


def over_bound(curve: pd.DataFrame) -> float:
    """The most by which a curve of accumulate (columns t and mean) exceeds `paper.theory.accumulate_bound`; at most 0 for exact densities."""
    points = curve.sort_values("t")[["t", "mean"]].to_numpy(float)
    return max(
        float(late - theory.accumulate_bound(early, t1, t2))
        for k, (t1, early) in enumerate(points) for t2, late in points[k + 1 :]
    )  # fmt: skip


def bounds(curves: pd.DataFrame | None) -> list[dict[str, Any]]:
    """By how much each curve of accumulate at a fixed bandwidth exceeds its bound."""
    if curves is None:
        return []
    rows = curves[(curves["task"] == "kde") & (curves["entry"] == "accumulate") & (curves["quantity"] == "test_loss")]
    rows = rows[rows["instance"].str.contains(r"h=[\d.]+ ") & ~rows["instance"].str.contains("τ")]
    return [
        {"instance": name, "data": str(name).split()[0], "points": len(curve), "worst": over_bound(curve)}
        for name, curve in rows.groupby("instance", sort=True)
        if len(curve) > 1
    ]


def _bounds(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
    held = numbers[numbers["source"] == published.FIGURE].rename(columns={"value": "mean"})
    sources = {"published": held} | {f"profile {name}": found.curves for name, found in evidence.profiles.items()}
    rows = []
    for name, curves in sources.items():
        found = pd.DataFrame(bounds(curves), columns=["instance", "data", "points", "worst"])
        densities = (
            found["instance"]
            .str.extract(r"densities=(\S+)")[0]
            .fillna("scikit-learn" if name == "published" else "exact")
        )
        for (data, kind), part in found.groupby(["data", densities], sort=True):
            worst = part.iloc[int(part["worst"].argmax())]
            over = int((part["worst"] > 0).sum())
            rows.append([name, data, kind, str(len(part)), str(over), number(worst["worst"]), worst["instance"]])
    if rows:
        yield Heading("Kernel density estimation: the bound of accumulate", 3)
        yield Paragraph(
            "The pool of accumulate grows and keeps all its kernels. So at fixed bandwidth, on one test set, NLL(t₂) ≤ NLL(t₁) + ln(t₂/t₁) for t₁ < t₂, in "
            "every run and therefore on average. A curve above this bound cannot come from densities. All pairs of recorded iterations are compared."
        )
        head = ["curves of", "data", "densities", "curves", "above the bound", "largest excess, nats", "of"]
        yield Table("accumulate-bound", head, "lllrrrl", rows)


def _rerun(numbers: pd.DataFrame) -> Iterator[Block]:
    rows = numbers[numbers["source"] == published.RERUN]
    if rows.empty:
        return
    seeds = rows.groupby("entry", sort=False)["seeds"].first()
    yield Heading("Kernel density estimation: a rerun of the authors' code", 3)
    yield Paragraph(
        "These numbers are not published and are counted nowhere in this report. They come from a rerun of the authors' code with "
        f"{', '.join(f'{n} seeds ({entry})' for entry, n in seeds.items())}."
    )
    body = [
        [row.instance, row.entry, str(row.t), padded(row.text), number(row.ours), interval(row.low, row.high), "–" if np.isnan(row.z) else f"{row.z:.1f}"]
        for row in rows_of(rows)
    ]  # fmt: skip
    yield Table(
        "kde-rerun",
        ["instance", "workflow", "t", "rerun", "ours", "95 % interval", "z"],
        "llrrrrr",
        body,
        tuple(rows.index),
    )
