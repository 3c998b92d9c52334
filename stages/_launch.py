"""Start of the training stages: under the launcher in THCE_LAUNCH, where there is one.

    THCE_LAUNCH="accelerate launch --num_processes 2" dvc repro

The launcher stands in the environment, not in dvc.yaml: how a model was trained on this machine is no part of what it is, so
dvc.lock does not change with it. The script starts itself again as the launcher's argument, which works in every shell.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable

import _bootstrap


def run(main: Callable[[], None]) -> None:
    """Run a stage, or replace this process by the launcher that runs it. `srun` and `mpirun` need `python` at their end."""
    command = shlex.split(os.environ.pop("THCE_LAUNCH", ""))
    if not command:
        _bootstrap.run(main)
        return
    if shutil.which(command[0]) is None:
        print(f"error: THCE_LAUNCH: {command[0]}: no such command; install it or unset the variable", file=sys.stderr)
        raise SystemExit(2)
    os.execvp(command[0], [*command, os.path.abspath(sys.argv[0])])
