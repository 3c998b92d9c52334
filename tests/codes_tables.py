"""The code tables that the tests of this room share, built once per run from the committed inputs."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest
import shared

from thce import codes
from thce.codes import CodeBook

DATABASE = Path(__file__).resolve().parent.parent / "data" / "code_databases"


@cache
def folder() -> Path:
    """A temporary folder with freshly built tables."""
    return shared.once("codes", lambda path: codes.build(DATABASE, path))


@cache
def book() -> CodeBook:
    """The code book over them."""
    return codes.open(folder())


def reference(*names: str) -> Path:
    """A file of the official releases; without them the test is skipped."""
    base = os.environ.get("THCE_REFERENCE")
    if not base:
        pytest.skip("official files: set THCE_REFERENCE to the folder that holds icd10cm/ and hcpcs/")
    path = Path(base, *names)
    if not path.exists():
        pytest.skip(f"no official file {'/'.join(names)} under THCE_REFERENCE")
    return path
