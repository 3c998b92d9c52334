"""What all tests share, and the order in which worker processes get them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import served_model
import shared
import smoke
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # a core for each; the stages take `threads` of params.yaml
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
sys.path.insert(0, str(ROOT / "stages"))


settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First come the files that start or await a whole run of the pipeline: one for each of two workers."""
    fixtures: dict[Path, set[str]] = {}
    for item in items:
        fixtures.setdefault(item.path, set()).update(getattr(item, "fixturenames", ()))
    items.sort(key=lambda item: 0 if "smoke_again" in fixtures[item.path] else 1 if "smoke_run" in fixtures[item.path] else 2)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test starts in the repository root, as the stages do."""
    monkeypatch.chdir(ROOT)
    yield


@pytest.fixture(scope="session")
def served_url() -> Iterator[str]:
    """The address of a running `transformers serve`; tests with it need `served_model.skip_without`."""
    with served_model.serve() as url:
        yield url


@pytest.fixture(scope="session")
def smoke_run() -> Path:
    """A clone in which the smoke pipeline has run. Shared by all tests: copy it before you change anything."""
    return shared.once("smoke", lambda folder: smoke.dvc(smoke.clone(folder), "repro"))
