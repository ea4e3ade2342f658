"""The survey: fine where the verdict changes, and never done twice."""

import itertools

import pytest

from benchmark.errors import BadParams
from benchmark.runs.project import Project
from maps import make, survey
from maps.survey import FOLK
from tests.conftest import tiny_profile

SETTINGS = """\
sweeps:
  gaussian:
    horizon: 4
    seeds: 3
    excess: 0.1
    spacing: 0.5
    tolerance: 0.13
    instances:
      - {d: 1, n: [20, 40], seconds: 0.01}
      - {d: 1, n: 20, sampler_temperature: 0.5, seconds: 0.01}
    ratios:
      synthetic_to_real: [1.0]
      instances:
        - {d: 1, n: 40, seconds: 0.01}
paths:
  gaussian:
    seeds: 2
    steps: {accumulate: 1, replace: 2, real: 1}
    instances:
      - {d: 1, n: 20, seconds: 0.01}
"""


@pytest.fixture
def clone(tmp_path):
    (tmp_path / "params.yaml").write_text(
        tiny_profile("gaussian: {horizon: 2, seeds: 2, instances: [{d: 1, n: 20, seconds: 0.01}]}")
    )
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "settings.yaml").write_text(SETTINGS)
    return tmp_path


def test_the_map_is_fine_where_the_verdict_changes_and_is_not_measured_twice(clone, monkeypatch):
    surveyor = make.surveyors(Project.load(clone))["gaussian"]
    label = survey.over_threshold(surveyor.swept)
    found = surveyor.survey(label, 1)
    assert len(surveyor.rows) == 4
    for row, shares in found.excess.items():
        ordered = sorted(shares)
        assert FOLK in ordered
        for low, high in itertools.pairwise(ordered):
            changes = label(shares[low]) != label(shares[high])
            assert high - low <= (0.13 if changes else 0.5) * (row.ends[1] - row.ends[0]) + 1e-9
    monkeypatch.setattr("maps.variants.sweep.compute", lambda *_: pytest.fail("computed again"))
    again = make.surveyors(Project.load(clone))["gaussian"]
    assert "and 0 to do" in again.cost()
    assert survey.table(again.survey(label, 1)).equals(survey.table(found))


def test_all_real_rows_have_no_excess(clone):
    """A training set of all n real rows is that of the fit that the excess is measured from."""
    surveyor = make.surveyors(Project.load(clone))["gaussian"]
    row = surveyor.rows[0]
    cells = surveyor.cells(row, row.mixture(1.0))
    surveyor.kept.compute(cells, 1)
    assert (surveyor.kept.excess(cells) == 0).all(axis=None)


def test_map_and_paths_write_tables_and_figures(clone):
    project = Project.load(clone)
    written = [path for task, surveyor in make.surveyors(project).items() for path in make.make_map(surveyor, task, 1)]
    written += [path for experiment in make.experiments(project).values() for path in make.make_paths(experiment, 1)]
    assert {path.suffix for path in written} == {".csv", ".pdf", ".png"}
    assert all(path.stat().st_size for path in written)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("tolerance", "tolerence", "unknown key 'sweeps.gaussian.tolerence'. Did you mean 'tolerance'?"),
        ("seeds: 3", "seeds: 1", "sweeps.gaussian.seeds: found 1"),
        ("[1.0]", "[3.0]", "synthetic_to_real.0: found 3.0"),
        ("{d: 1, n: 40, seconds", "{d: 2, n: 40, seconds", "ratios: found d=2 n=40, expected one of the sweep's own"),
        ("replace: 2", "replace: 1", "paths.gaussian.steps.replace: found 1"),
    ],
)
def test_wrong_settings_are_refused_by_their_key(clone, old, new, complaint):
    path = clone / "maps" / "settings.yaml"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(BadParams) as error:
        make.surveyors(Project.load(clone))
    assert complaint in str(error.value)


def test_a_task_setting_without_a_sweep_is_refused(clone):
    with pytest.raises(BadParams, match=r"sweeps: no task-setting 'gausian'. Did you mean 'gaussian'"):
        make.surveyors(Project.load(clone), ["gausian"])
