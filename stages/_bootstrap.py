"""First import of every stage: use this checkout's code, keep runs deterministic, and turn user errors into one line.

DVC runs experiments in copies of the repository. An installed package would make them import the live workspace's code;
putting this checkout's `src` first on the path is what makes a queued experiment run the code it was queued with.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

# Read by the libraries when they are first imported, so they must be set before.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads sleep: spinning ones starve a busy machine
os.environ.setdefault("GOMP_SPINCOUNT", "20000")  # but not at once: waking them a thousand times a step costs a quarter
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")  # every shape of a batch has kernels; 1,024 hold gigabytes
os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")


def run(main: Callable[[], None]) -> None:
    """Run a stage from the repository root; a `UserError` ends it with one line and exit code 2."""
    if importlib.util.find_spec("yaml") is None:
        sys.exit("stages need the project's environment: run `make setup`, then `source .venv/bin/activate`")
    from thce.errors import UserError

    os.chdir(ROOT)
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
