"""The code tables that the tests of this room share, built once per run from the committed inputs."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest

from thce import codes
from thce.codes import CodeBook

DATABASE = Path(__file__).resolve().parent.parent / "data" / "code_databases"


@cache
def folder() -> Path:
    """A temporary folder with freshly built tables."""
    path = Path(tempfile.mkdtemp(prefix="thce-codes-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    codes.build(DATABASE, path)
    return path


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
