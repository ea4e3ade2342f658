"""What `thrive map` and `thrive paths` do, without their options and prints."""

from collections.abc import Sequence
from pathlib import Path

from benchmark.errors import BadParams
from benchmark.runs.progress import SILENT, Progress
from benchmark.runs.project import Project
from benchmark.strict_yaml import nearest
from maps import answer, figure, folk, orders, settings, survey

HERE = Path("maps")


def surveyors(home: Project, tasks: Sequence[str] = ()) -> dict[str, survey.Surveyor]:
    """Those of the task-settings that are asked for, or of all in maps/settings.yaml.

    Raises:
        BadParams: there is no such sweep, or it is wrong.
    """
    swept = settings.load(home.root).sweeps
    return {task: survey.Surveyor(home, task, swept[task]) for task in _named(tasks, list(swept), "sweeps")}


def experiments(home: Project, tasks: Sequence[str] = ()) -> dict[str, orders.Experiment]:
    """Those with orders of the task-settings that are asked for, or of all in maps/settings.yaml.

    Raises:
        BadParams: there is no such experiment, or it is wrong.
    """
    found = settings.load(home.root).paths
    return {task: orders.Experiment(home, task, found[task]) for task in _named(tasks, list(found), "paths")}


def make_map(surveyor: survey.Surveyor, task: str, jobs: int, progress: Progress = SILENT) -> list[Path]:
    """Measure what is missing of one task-setting's map; write its tables and its phase diagram. Returns what was written.

    Raises:
        ThriveError: a cell could not be computed.
    """
    swept, root = surveyor.swept, surveyor.project.root
    found = surveyor.survey(survey.over_threshold(swept), jobs, progress)
    points, rule = survey.table(found), survey.folk_table(found)
    written = [root / answer.DATA / f"{task}.csv", root / folk.DATA / f"{task}.csv"]
    for table, path in zip((points, rule), written, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False, float_format="%.5g")
    return written + figure.draw(answer.read(root, task), task, swept.excess, root / HERE / "figures")


def make_paths(experiment: orders.Experiment, jobs: int, progress: Progress = SILENT) -> list[Path]:
    """Run what is missing of the experiment with orders in one task-setting, and write its tables and the figure of all. Returns what was written.

    Raises:
        ThriveError: a cell could not be computed.
    """
    return orders.write(experiment.run(jobs, progress), experiment.kept.project.root / HERE)


def _named(tasks: Sequence[str], known: list[str], key: str) -> list[str]:
    for task in tasks:
        if task not in known:
            raise BadParams(f"{settings.FILE}: {key}: no task-setting '{task}'.{nearest(task, known)}")
    return list(tasks or known)
