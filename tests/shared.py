"""What is dear and needed by many tests is made once per run, also where several worker processes share the run."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

_VARIABLE = "TESTS_SHARED_FOLDER"
"""Set by the first process, which also removes the folder; worker processes inherit it."""

if _VARIABLE not in os.environ:
    os.environ[_VARIABLE] = tempfile.mkdtemp(prefix="thce-tests-")
    atexit.register(shutil.rmtree, os.environ[_VARIABLE], ignore_errors=True)


def once(name: str, build: Callable[[Path], object]) -> Path:
    """The folder `name`, which `build` has filled: by the first process that asks, while the others wait. Not to be changed."""
    base = Path(os.environ[_VARIABLE])
    folder, done = base / name, base / f"{name}.done"
    with FileLock(base / f"{name}.lock"):
        if not done.exists():
            assert not folder.exists(), f"{name} could not be made; the first test that needed it says why"
            folder.mkdir()
            build(folder)
            done.touch()
    return folder
