"""`thce doctor`: whether this machine and this checkout can give the promised result, in plain words.

None of it imports torch or goes over the network.
`ok` and `warn` let the pipeline run, `fail` does not.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from thce import doctor_pipeline, params
from thce.errors import UserError
from thce.files import read_json, read_text

PYTHON = (3, 11)
DISK = 2.0
"""GB that a run of the default profile fills, with its cache."""
MEMORY = 3.5
"""GiB that a run of the default profile needs at its peak, with some room."""
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report: what was looked at, `ok`, `warn` or `fail`, what was found, and what to do."""

    name: str
    state: str
    found: str
    mend: str = ""


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Check:
    """Whether this Python is new enough."""
    text = ".".join(map(str, version))
    if version < PYTHON:
        return Check("python", "fail", text, "3.11 or newer is needed: make PYTHON=python3.12")
    return Check("python", "ok", text)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def packages(pins: str, needed: list[str], installed: Mapping[str, str]) -> Check:
    """The installed versions against the pinned ones.

    `pins` is the text of constraints.txt, `needed` the names the pipeline imports, `installed` name -> version. A local
    build such as `2.13.0+cpu` counts as its version. Missing packages that nothing here needs (extras) are fine.
    """
    have = {_plain(name): version.partition("+")[0] for name, version in installed.items()}
    wanted = {}
    for line in pins.splitlines():
        name, equals, version = line.partition("#")[0].strip().partition("==")
        if equals:
            wanted[_plain(name)] = version
    missing = [name for name in map(_plain, needed) if name not in have]
    if missing:
        return Check("packages", "fail", f"missing: {', '.join(missing)}", "make setup")
    other = [f"{name} {have[name]} (not {version})" for name, version in wanted.items() if have.get(name, version) != version]
    if other:
        words = ", ".join(other[:4]) + (f" and {len(other) - 4} more" if len(other) > 4 else "")
        return Check("packages", "warn", words, "the same bytes are promised for the pinned versions: make setup")
    return Check("packages", "ok", f"{len(wanted.keys() & have.keys())} of {len(wanted)} pinned packages, all as pinned")


def _installed_packages() -> Check:
    project = tomllib.loads(read_text("pyproject.toml"))["project"]
    needed = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in project["dependencies"]]
    installed = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()}
    return packages(read_text("constraints.txt"), needed, installed)


def disk(free: int) -> Check:
    """Bytes free where the repository is."""
    found = f"{free / 1e9:.1f} GB free"
    if free < DISK / 4 * 1e9:
        return Check("disk", "fail", found, f"the default needs {DISK:.0f} GB; `dvc gc -w` drops results of other runs")
    if free < DISK * 1e9:
        return Check("disk", "warn", found, f"the default needs {DISK:.0f} GB; `dvc gc -w` drops results of other runs")
    return Check("disk", "ok", found)


def memory(free: int) -> Check:
    """Bytes a new process may use."""
    found = f"{free / GIB:.1f} GiB available"
    if free < MEMORY * GIB:
        return Check(
            "memory", "warn", found, f"the default peaks near {MEMORY} GiB: smaller batches, or `thce profile use smoke`"
        )
    return Check("memory", "ok", found)


def _memory() -> Check:
    import psutil

    free = int(psutil.virtual_memory().available)
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():  # a container may have less than the machine
        free = min(free, int(text) - int(used.read_text()))
    return memory(free)


def cores(count: int, threads: int, bfloat16: bool | None) -> Check:
    """Cores this process may use, beside the threads that params.yaml asks for."""
    kind = {True: ", bfloat16 in hardware", False: ", no bfloat16 in hardware", None: ""}[bfloat16]
    found = f"{count} ({platform.machine()}{kind})"
    if count < threads:
        return Check("cores", "warn", found, f"`threads: {threads}` gives the same result here, only slower")
    return Check("cores", "ok", found)


def _cores() -> Check:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    information = Path("/proc/cpuinfo")
    flags = information.read_text(encoding="utf-8").split() if information.is_file() else None
    bfloat16 = None if flags is None else "avx512_bf16" in flags or "amx_bf16" in flags
    return cores(count, params.load_scalar("threads"), bfloat16)


def gpu() -> Check:
    """NVIDIA devices by name; the default needs none."""
    program = shutil.which("nvidia-smi")
    lines: list[str] = []
    if program:
        command = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        lines = done.stdout.strip().splitlines() if done.returncode == 0 else []
    if not lines:
        return Check("gpu", "ok", "none (the default needs none)")
    return Check("gpu", "ok", "; ".join(lines))


def code_sets(today: date, tables: Path = Path("data/codes"), inputs: Path = Path("data/code_databases")) -> Check:
    """Release of the ICD-10-CM table and whether `today` is beyond it: a new one is in force each 1 October."""
    built = tables / "manifest.json"
    rows = read_json(built) if built.is_file() else {}
    row = rows.get("icd10.tsv") or read_json(inputs / "icd10_codes.json")
    last = row["effective_to"]
    found = f"ICD-10-CM {row['release']}" + (f", in force to {last}" if last else "")
    if last and today.isoformat() > last:
        mend = "later services need the next release: `thce codes import`, see docs/codes.md"
        return Check("code sets", "warn", f"{found}: out of date", mend)
    return Check("code sets", "ok", found)


def sources(folder: Path = Path("data/licensed")) -> Check:
    """Official tables the user imported, and other optional things; none is needed."""
    manifest = folder / "manifest.json"
    names = sorted(read_json(manifest)) if manifest.is_file() else []
    found = [f"imported tables: {', '.join(names)}" if names else "no imported tables (CPT is the demo set)"]
    found += [f"{name} is set" for name in ("THCE_CHECKPOINTS", "THCE_API_KEY") if os.environ.get(name)]
    return Check("optional", "ok", "; ".join(found))


def writable(folders: list[Path]) -> Check:
    """Whether files can be made in every folder the pipeline writes to (those that are there)."""
    refused = []
    for folder in folders:
        try:
            if folder.is_dir():
                tempfile.TemporaryFile(dir=folder, prefix=".thce").close()
        except OSError as error:
            refused.append(f"{folder} ({error.strerror})")
    if refused:
        return Check("writing", "fail", f"not possible in {', '.join(refused)}", "change its permissions or its owner")
    return Check("writing", "ok", "possible wherever the pipeline writes")


def _writable() -> Check:
    names = (".", ".dvc", ".dvc/cache", ".dvc/tmp", ".checkpoints", "data", "data/codes", "data/narratives", "data/prepared")
    more = ("data/pairs", "data/predictions", "models", "metrics", "metrics/plots", tempfile.gettempdir())
    return writable([Path(name) for name in (*names, *more)])


def parameters() -> Check:
    """Whether params.yaml is fine, as `thce params check` says."""
    from thce import profiles

    faults = profiles.check()
    if faults:
        return Check("params", "fail", faults[0], "thce params check")
    return Check("params", "ok", "params.yaml is fine")


def pipeline() -> Check:
    """The state of the pipeline in plain words."""
    state, found, mend = doctor_pipeline.describe()
    return Check("pipeline", state, found, mend)


CHECKS: dict[str, Callable[[], Check]] = {
    "python": python,
    "packages": _installed_packages,
    "disk": lambda: disk(shutil.disk_usage(".").free),
    "memory": _memory,
    "cores": _cores,
    "gpu": gpu,
    "writing": _writable,
    "params": parameters,
    "pipeline": pipeline,
    "code sets": lambda: code_sets(date.today()),
    "optional": sources,
}


def in_project() -> None:
    """Raise `UserError` unless the present folder is the project's."""
    if not Path("dvc.yaml").is_file():
        raise UserError(str(Path.cwd()), "holds no dvc.yaml", "go to the project's folder")


def examine() -> list[Check]:
    """All checks; one that cannot be made is a failure of its own."""
    found = []
    for name, check in CHECKS.items():
        try:
            found.append(check())
        except (UserError, OSError, json.JSONDecodeError, subprocess.SubprocessError) as error:
            found.append(Check(name, "fail", str(error)))
    return found
