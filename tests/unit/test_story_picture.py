"""The picture of a trial: what is drawn where, and labels that never cover each other."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.unit.story_scenario import eventful
from trialsim.errors import UsageError
from trialsim.operations.accrual import accrual_law
from trialsim.report import story_picture
from trialsim.report.story import Story, explain
from trialsim.report.story_labels import full_label, short_label, spread
from trialsim.report.story_marks import swimmers
from trialsim.report.story_picture import planned_enrolment
from trialsim.report.story_replay import replay
from trialsim.scenario.load import load_scenario


@pytest.fixture(scope="module")
def story() -> Story:
    return explain(eventful(), "adaptive", "alternative", 0, 1, against="two_arms")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "begin"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PNG", b"\x89PNG")]
)
def test_a_picture_is_drawn_and_never_overwritten_silently(
    story: Story, tmp_path: Path, ending: str, begin: bytes
) -> None:
    path = tmp_path / f"trial{ending}"
    story.picture(path)
    drawn = path.read_bytes()
    assert drawn.startswith(begin)
    path.write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        story.picture(path)
    assert path.read_bytes() == b"mine"
    story.picture(path, overwrite=True)
    assert path.read_bytes() == drawn


def test_another_kind_of_picture_is_refused(story: Story, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.png or \.svg"):
        story.picture(tmp_path / "trial.pdf")


def test_every_patient_swims_from_randomisation_to_what_was_last_known(story: Story) -> None:
    trial = story.replay
    found = swimmers(trial)
    for course, (begin, end, _) in zip(trial.courses, found.segments, strict=True):
        assert begin == course.entry
        if course.lost is not None:
            assert end == course.lost
        elif len(course.events) + len(course.readouts) < 2:
            assert end == trial.end
        else:
            assert end == max(*course.events.values(), *(tick for tick, _ in course.readouts.values()))
    assert len(set(found.segments[:, 2])) == len(trial.courses)
    order = np.argsort(found.segments[:, 2])
    assert (np.diff(found.arm[order]) >= 0).all()


def test_every_event_readout_and_loss_is_marked(story: Story) -> None:
    trial = story.replay
    marks = {mark.label: len(mark.points) for mark in swimmers(trial).marks}
    kinds = story.events[story.events["design"] == story.design]
    of_response = kinds[(kinds["kind"] == "readout") & (kinds["endpoint"] == "response")]
    assert marks["event of death"] == (kinds["kind"] == "event").sum()
    assert marks["lost to follow-up"] == (kinds["kind"] == "dropout").sum()
    assert marks["response: yes"] == (of_response["value"] == 1).sum()
    assert marks["response: no"] == (of_response["value"] == 0).sum()


def test_a_label_says_z_and_bound(root: Path) -> None:
    scenario = load_scenario(root / "scenarios/nph_oncology/nph_oncology.yaml")
    trial = replay(scenario, "group_sequential", "proportional", 3, 1)
    labels = [full_label(trial, look) for look in trial.looks]
    assert labels == [
        ["look 1", "z 1.31 < 3.72"],
        ["look 2", "z 1.79 < 2.51"],
        ["look 3: efficacy", "z 3.67 ≥ 1.99"],
    ]
    assert short_label(trial.looks[1]) == "2: z 1.79"


def test_planned_enrolment_is_the_mean_of_what_the_law_brings() -> None:
    trial = replay(eventful(), "adaptive", "alternative", 0, 1)
    days = np.array([10.0, 60.0, 120.0, 180.0, 200.0, 260.0])
    entries = np.array([trial.plan.world.accrual.entry_ticks(9, k, 60, 1) for k in range(2000)]) / 2**20
    counts = (entries[:, :, None] <= days).sum(axis=1)
    error = counts.std(axis=0, ddof=1) / np.sqrt(2000)
    assert (np.abs(counts.mean(axis=0) - planned_enrolment(trial, days)) <= 5 * error + 1e-9).all()


def test_planned_enrolment_over_a_fixed_period_is_a_line(root: Path) -> None:
    scenario = load_scenario(root / "scenarios/nph_oncology/nph_oncology.yaml")
    trial = replay(scenario, "fixed", "proportional", 0, 1)
    days = np.array([0.0, 365.25 / 4, 365.25, 1000.0])
    assert planned_enrolment(trial, days).tolist() == [0, 100, 400, 400]
    assert accrual_law("evenly_spaced", 365.25, [], "evenly_spaced").over == trial.plan.world.accrual.over


@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 3)), max_size=12),
    st.floats(1, 12),
)
def test_labels_never_overlap_and_stay_inside(labels: list[tuple[float, float]], room: float) -> None:
    wanted = sorted(centre for centre, _ in labels)
    widths = [width for _, width in labels]
    centres = spread(wanted, widths, room)
    if sum(widths) > room:
        assert centres is None
        return
    assert centres is not None
    edges = [(c - w / 2, c + w / 2) for c, w in zip(centres, widths, strict=True)]
    assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(edges))
    assert all(low >= -1e-9 and high <= room + 1e-9 for low, high in edges)


def test_labels_with_room_stand_where_they_are_wanted() -> None:
    assert spread([2.0, 5.0, 8.0], [1.0, 1.0, 1.0], 10.0) == [2.0, 5.0, 8.0]


def test_a_long_legend_has_room_below_the_axis(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = story_picture._legend_entries

    def many(*shown: Any) -> list[Any]:
        entries = few(*shown)
        return [*entries, *entries, *entries]

    seen: list[Figure] = []
    monkeypatch.setattr(story_picture, "_legend_entries", many)
    monkeypatch.setattr(story_picture, "_bytes", lambda figure, kind: seen.append(figure) or b"")
    story.picture(tmp_path / "trial.png")
    (figure,) = seen
    FigureCanvasAgg(figure).draw()
    legend = figure.legends[0].get_window_extent()
    assert all(
        legend.y1 < axes.xaxis.label.get_window_extent().y0 for axes in figure.axes if axes.get_xlabel()
    )
    assert any(axes.get_xlabel() for axes in figure.axes)
