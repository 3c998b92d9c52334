"""A two-stage DVC project with a shared module, small enough to run in a second: real Git, real DVC."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SHARED = '''"""Shared."""

FACTOR = 2  # times


def scale(x: int) -> int:
    """Scaled."""
    return x * FACTOR
'''

STAGE = """import sys
from pathlib import Path
import yaml
from shared import scale

name, source, target = sys.argv[1:]
settings = yaml.safe_load(Path("params.yaml").read_text())
Path(target).write_text(f"{scale(int(Path(source).read_text()) + settings[name])}\\n")
"""

PIPELINE = """stages:
  one:
    cmd: python stage.py one start.txt one.txt
    deps: [shared.py, stage.py, start.txt]
    params: [one]
    outs: [one.txt]
  two:
    cmd: python stage.py two one.txt two.txt
    deps: [one.txt, shared.py, stage.py]
    params: [two]
    outs:
      - two.txt: {cache: false}
"""


def git(folder: Path, *arguments: str) -> None:
    """Run git as somebody."""
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def call(folder: Path, module: str, *arguments: str, code: int = 0) -> str:
    """Run `python -m MODULE ...` with this interpreter first on the path; returns stdout and stderr."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    source = str(Path(__file__).resolve().parent.parent / "src")
    environment = {**os.environ, "PATH": path, "PYTHONPATH": source, "DVC_NO_ANALYTICS": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def build(folder: Path) -> Path:
    """The project, run and committed."""
    for name, text in {
        "shared.py": SHARED,
        "stage.py": STAGE,
        "dvc.yaml": PIPELINE,
        "params.yaml": "one: 1\ntwo: 1\n",
        "start.txt": "3\n",
        ".gitignore": "/one.txt\n__pycache__/\n",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "init", "-q")
    call(folder, "dvc", "init", "-q")
    call(folder, "dvc", "repro", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "run")
    return folder
