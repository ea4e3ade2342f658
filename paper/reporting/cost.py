"""Section of the report: the cost of the runs."""

from collections.abc import Iterator, Sequence

from benchmark.results.document import Block, Heading, Paragraph, Table
from benchmark.results.labels import task_title
from paper.reporting.evidence import Evidence


def cost_section(evidence: Evidence) -> Iterator[Block]:
    yield Heading("Cost")
    rows = []
    for profile, found in evidence.profiles.items():
        for task, about in found.about.tasks.items():
            commits = ", ".join(map(_short, about.computed.commits)) or "–"
            rows.append(
                [
                    profile,
                    task_title(task),
                    str(about.cost.runs),
                    f"{about.cost.cpu_seconds:.0f}",
                    _span(about.computed.dates),
                    commits,
                ]
            )
    yield Paragraph(
        "CPU seconds of the runs alone, each on one thread. `dvc repro paper/dvc.yaml` computes everything again."
    )
    yield Table("cost", ["profile", "task-setting", "runs", "CPU seconds", "days", "commits"], "llrrll", rows)
    known = [about.computed for found in evidence.profiles.values() for about in found.about.tasks.values()]
    versions = sorted(
        {f"{name} {v}" for computed in known for name, every in computed.versions.items() for v in every if v != "none"}
    )
    platforms = sorted({platform for computed in known for platform in computed.platforms})
    if versions:
        yield Paragraph(f"Computed with {', '.join(versions)}, on {' and '.join(platforms)}.")


def _short(commit: str) -> str:
    """Ten digits of a commit, and whether the code differed from it."""
    hexadecimal, _, dirty = commit.partition(", ")
    return f"{hexadecimal[:10]}{' (dirty)' if dirty else ''}"


def _span(dates: Sequence[str]) -> str:
    """The first and the last of several days."""
    return "–" if not dates else dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
