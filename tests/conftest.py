"""What every test stands on: fixed seeds, no screen, and one kernel cache for all test processes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# The kernels that tests compile are kept in the repository, for all test processes together and between runs. The
# folder must be named before the first kernel is imported.
if os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ.setdefault("TRIALSIM_CACHE_DIR", str(ROOT / ".cache" / "kernels"))

os.environ["MPLBACKEND"] = "Agg"
os.environ["COLUMNS"] = "120"  # tables and help are printed as wide everywhere
os.environ.pop("FORCE_COLOR", None)

# Reading eight thousand tests makes millions of objects that stay: looking through them as often as usual is up to a
# quarter of the time that takes.
gc.set_threshold(20_000, 20, 20)

# The same examples in every run: a failure is found again. `--hypothesis-profile explore` looks for new ones.
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("fixed", derandomize=True, deadline=None, suppress_health_check=_QUIET)
settings.register_profile("explore", max_examples=1000, deadline=None, suppress_health_check=_QUIET)
settings.load_profile("fixed")


# Begun first, so that no worker is left alone with one of them at the end, and by one worker, so that it alone compiles the
# kernels of lives, which they need before anything else.
_LONGEST = (
    "test_twins.py::test_no_index_leaves_its_array",
    "unit/test_story_lives.py",
    "unit/test_oc_adverse_events.py",
    "unit/test_oc_lives.py",
    "unit/test_check_policy.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests before all others; otherwise the order stays."""
    items.sort(key=lambda item: not any(name in item.nodeid for name in _LONGEST))


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass by what stays to the end: modules, machine code and the tests themselves."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the repository."""
    return ROOT


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder whose packages are installed until the test ends: what was imported from it goes with it."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").parent == tmp_path:
            del sys.modules[name]
