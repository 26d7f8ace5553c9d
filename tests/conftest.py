"""What every test stands on: fixed seeds, no screen, and a kernel cache of its own for each test process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# Numba's cache is not safe against two processes that compile a function at once: each worker keeps its own,
# between runs too. It must be named before the first kernel is imported.
_worker = os.environ.get("PYTEST_XDIST_WORKER")
if _worker:
    _caches = Path(os.environ.get("TRIALSIM_CACHE_DIR") or ROOT / ".cache" / "kernels")
    if _caches.name != _worker:
        os.environ["TRIALSIM_CACHE_DIR"] = str(_caches / _worker)

os.environ["MPLBACKEND"] = "Agg"
os.environ["COLUMNS"] = "120"  # tables and help are printed as wide everywhere
os.environ.pop("FORCE_COLOR", None)

# The same examples in every run: a failure is found again. `--hypothesis-profile explore` looks for new ones.
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("fixed", derandomize=True, deadline=None, suppress_health_check=_QUIET)
settings.register_profile("explore", max_examples=1000, deadline=None, suppress_health_check=_QUIET)
settings.load_profile("fixed")


# Begun first, so that no worker is left alone with one of them at the end.
_LONGEST = (
    "test_twins.py::test_no_index_leaves_its_array",
    "unit/test_story_lives.py",
    "unit/test_oc_adverse_events.py",
    "unit/test_oc_lives.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests before all others; otherwise the order stays."""
    items.sort(key=lambda item: not any(name in item.nodeid for name in _LONGEST))


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the repository."""
    return ROOT
