"""What trains, selects, calibrates, certifies and judges sees trials of its own."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_calibration import PATH, TREE
from trialsim import replicate_ranges
from trialsim.cli import running
from trialsim.cli.main import main
from trialsim.engines import runner
from trialsim.errors import ScenarioError, UsageError
from trialsim.learning.request import read_request
from trialsim.learning.screening_log import FIRST_REPLICATE
from trialsim.oc import calibration, certificate
from trialsim.oc.calibration import Request, calibrate, first_certified
from trialsim.oc.certificate import certify
from trialsim.replicate_ranges import CALIBRATION, CERTIFICATION, EVALUATION, TRAINING
from trialsim.scenario.load import scenario_from

RANGES = {name: numbers for name, numbers in vars(replicate_ranges).items() if isinstance(numbers, range)}


def test_no_number_is_of_two_uses() -> None:
    assert len(RANGES) == 7
    for (_, first), (_, second) in itertools.combinations(RANGES.items(), 2):
        assert first.stop <= second.start or second.stop <= first.start
    assert runner.MOST_REPLICATES == running.MOST_REPLICATES == EVALUATION.stop
    assert TRAINING.start == FIRST_REPLICATE


def met(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[range]:
    """Return a list that fills with the numbers of the trials which a module has run."""
    found, run = [], module.run

    def watched(scenario: Any, designs: Any, truths: Any, trials: int, *rest: Any, first: int = 0) -> Any:
        found.append(range(first, first + trials))
        return run(scenario, designs, truths, trials, *rest, first=first)

    monkeypatch.setattr(module, "run", watched)
    return found


@pytest.mark.slow
def test_search_calibration_and_certification_are_on_trials_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And on none that `run` reports on, or that another attempt certifies on."""
    found, sizes = met(monkeypatch, calibration), (300, 500, 4000)
    for attempt in (1, 2):
        asked = Request(PATH, "reject_any", 0.05, ("at_30",), 1.0, 3.0, *sizes, attempt=attempt, attempts=2)
        calibrate(scenario_from(TREE), asked)
    stages = sorted(set(found), key=lambda numbers: numbers.start)
    assert [len(stage) for stage in stages] == [300, 500, 4000, 4000]
    for earlier, later in itertools.pairwise(stages):
        assert earlier.stop == later.start
    assert stages[0].start == CALIBRATION.start and stages[-1].stop <= CALIBRATION.stop


def test_certificates_are_on_trials_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = met(monkeypatch, certificate)
    for attempt in (1, 2):
        certify(scenario_from(TREE), "once", ["at_30"], 0.05, 200, attempt=attempt, attempts=2)
    start = CERTIFICATION.start
    assert found == [range(first, first + 200) for first in (start, start + (1 << 27))]


def test_there_are_trials_for_so_many_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No smaller number of trials would help another one: it is told which attempts there can be."""
    found = met(monkeypatch, certificate)
    certify(scenario_from(TREE), "once", ["at_30"], 0.05, 200, attempt=16_384, attempts=16_384)
    assert found[0].start + (1 << 27) == CERTIFICATION.stop
    allowed = "attempt is 16385; it must be a whole number from 1 to 16,384."
    with pytest.raises(UsageError, match=allowed):
        certify(scenario_from(TREE), "once", ["at_30"], 0.05, 200, attempt=16_385, attempts=16_385)
    path = tmp_path / "small.yaml"
    path.write_text(json.dumps(TREE))
    asked = ["certify", str(path), "--design", "once", "--attempt", "16385", "--attempts", "16385"]
    assert main(asked) == 2
    told = capsys.readouterr().err
    assert (
        f"--{allowed}" in told and "--attempts is 16385; it must be a whole number from 1 to 16,384." in told
    )


def test_numbers_of_others_are_refused(tmp_path: Path) -> None:
    many = Request(PATH, "reject_any", 0.05, ("at_30",), 1.0, 3.0, certification=10**8, attempt=10**8)
    with pytest.raises(UsageError, match=r"calibrate: 100,000,000 trials .* reach beyond"):
        first_certified(many)
    with pytest.raises(UsageError, match=r"certify: 134,217,729 trials .* ask for fewer"):
        certify(scenario_from(TREE), "once", ["at_30"], 0.05, (1 << 27) + 1)
    request = tmp_path / "request.yaml"
    request.write_text("{policy: allocation, scenario: world.yaml, iterations: 100000, trials: 3000}")
    (tmp_path / "world.yaml").write_text("{}")
    with pytest.raises(ScenarioError, match="300,000,000; at most 268,435,456"):
        read_request(request)
