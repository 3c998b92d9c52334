"""What `dvc status` says, in words for somebody who has not read DVC's manual; and the mending of a damaged tree.

Five things can be damaged in a way that `dvc repro` does not mend: objects of its cache (after a disk fault), dvc.lock and
DVC's list of running commands (it writes neither in one go), its memory of a run (a folder made before its file), and
training checkpoints cut short by a power failure. `mend` takes away what is damaged, and `dvc repro` makes anew what is
missing, with the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thce import params, relock
from thce.errors import UserError

MARKER = "complete"
"""The file that `thce.modeling.checkpoints` puts into a checkpoint last."""
RUNNING = Path(".dvc/tmp/rwlock")


def describe() -> tuple[str, str, str]:
    """State (`ok`, `warn`, `fail`), what it is, and what to do about it."""
    if broken := broken_lock() or broken_list():
        return "fail", broken, "thce doctor --mend"
    try:
        status = relock.status()
    except UserError as error:
        if "acquire lock" in error.problem or "busy" in error.problem:
            return "ok", "another dvc command is at work here", "ask again when it is done"
        raise
    pipeline = params.read_yaml("dvc.yaml")["stages"]
    state, found, mend = words(status, pipeline, unrecorded(pipeline, _locked()))
    stopped = sorted({path.parents[2].name for path in _checkpoints().glob(f"*/*/checkpoint-*/{MARKER}")})
    if stopped:
        found += f"; training of {', '.join(stopped)} was stopped and goes on from its last checkpoint"
    return state, found, mend


def _checkpoints() -> Path:
    return Path(os.environ.get("THCE_CHECKPOINTS", ".checkpoints"))


def _locked() -> dict[str, Any]:
    path = Path(relock.LOCK)
    found: dict[str, Any] = params.read_yaml(path)["stages"] if path.is_file() else {}
    return found


def unrecorded(pipeline: dict[str, Any], locked: dict[str, Any]) -> list[str]:
    """Stages of dvc.yaml of which dvc.lock has no entry, or one that lacks a declared output."""
    known = {stage: {item["path"] for item in entry.get("outs", [])} for stage, entry in locked.items()}
    return [
        stage
        for stage, entry in pipeline.items()
        if stage not in known or not known[stage].issuperset(relock.paths_of(entry, "outs", "metrics", "plots"))
    ]


def words(status: dict[str, list[Any]], pipeline: dict[str, Any], unknown: Sequence[str] = ()) -> tuple[str, str, str]:
    """The same from a parsed `dvc status --json`, the stages of dvc.yaml and those that are `unrecorded`."""
    if unknown:
        return (
            "warn",
            f"{relock.LOCK} has no whole entry for {_some(list(unknown))}: not run yet, or the file is cut off there",
            "`dvc repro` takes from its cache what ran before, and runs the rest",
        )
    outputs = {path for entry in pipeline.values() for path in relock.paths_of(entry, "outs", "metrics", "plots")}
    reasons: dict[str, list[str]] = {}
    missing: list[str] = []
    edited: list[str] = []
    for stage, entries in status.items():
        deps = relock.changed(entries, "changed deps")
        outs = relock.changed(entries, "changed outs")
        for path, word in deps.items():
            if isinstance(word, dict):
                reasons.setdefault(f"{path} ({', '.join(word)})", []).append(stage)
            elif path not in outputs:
                reasons.setdefault(path, []).append(stage)
        for entry in entries:
            if isinstance(entry, str):
                reasons.setdefault(entry, []).append(stage)
        if any(word in ("deleted", "not in cache") for word in outs.values()):
            missing.append(stage)
        edited += [path for path, word in outs.items() if word == "modified"]
    if edited:
        return "warn", f"outputs were changed outside the pipeline: {_some(edited)}", "`dvc repro` makes them anew"
    if reasons:
        listed = _some([f"{reason} -> {', '.join(stages)}" for reason, stages in reasons.items()])
        return (
            "ok",
            f"changed since the last run: {listed}",
            "`dvc repro` runs what depends on it; `thce relock` if only comments changed",
        )
    cached = {stage for stage, entry in pipeline.items() if any(isinstance(out, str) for out in entry.get("outs", []))}
    if cached and cached <= set(missing):
        return (
            "ok",
            "dvc.lock fits code and parameters; the outputs are not built here yet",
            "`dvc repro` makes them, `dvc pull` fetches them",
        )
    if missing:
        return (
            "ok",
            f"outputs are missing for {', '.join(missing)} (a run was stopped, or files were deleted)",
            "`dvc repro` makes them",
        )
    return "ok", "up to date: the outputs belong to this code and these parameters", ""


def _some(items: list[str], most: int = 3) -> str:
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")


def broken_lock() -> str | None:
    """What is wrong with dvc.lock, None if it can be read whole."""
    path = Path(relock.LOCK)
    if not path.is_file():
        return None
    content = path.read_bytes()
    if not content.endswith(b"\n"):  # DVC ends the file with a line break; a cut seldom does
        return f"{path}: is cut short"
    try:
        stages = params.read_yaml(path)["stages"]
        for stage, entry in stages.items():
            for item in [*entry.get("deps", []), *entry.get("outs", [])]:
                if not re.fullmatch(r"[0-9a-f]{32}(\.dir)?", str(item["md5"])) or not isinstance(item["size"], int):
                    return f"{path}: {stage}: {item['path']} has no whole hash"
                if item["md5"].endswith(".dir") and not isinstance(item["nfiles"], int):
                    return f"{path}: {stage}: {item['path']} is not whole"
            if not entry["cmd"] or not entry["outs"]:
                return f"{path}: {stage} is not whole"
    except (UserError, KeyError, TypeError, AttributeError) as error:
        return str(error) if isinstance(error, UserError) else f"{path}: is not whole"
    lacking = unrecorded(params.read_yaml("dvc.yaml")["stages"], stages) if Path("dvc.yaml").is_file() else []
    if lacking and (committed := _committed(path)).startswith(content) and committed != content:
        return f"{path}: is cut short where {lacking[0]} should follow"
    return None


def _committed(path: Path) -> bytes:
    """The file at HEAD, empty if there is none."""
    return subprocess.run(["git", "cat-file", "blob", f"HEAD:./{path}"], capture_output=True).stdout


def broken_list() -> str | None:
    """What is wrong with DVC's list of who reads and writes what, None if it can be read; a killed `dvc` may leave it empty."""
    for wait in (0.5, 0.0):  # another `dvc` may be writing it just now
        try:
            json.loads(RUNNING.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            time.sleep(wait)
        else:
            return None
    return f"{RUNNING}: is not whole, and every `dvc repro` stops at it"


def broken_objects(cache: Path) -> list[Path]:
    """Objects of DVC's cache whose content is not what their name says (the name is the content's md5)."""
    found = []
    for path in sorted((cache / "files" / "md5").glob("[0-9a-f][0-9a-f]/*")):
        name = path.parent.name + path.name.removesuffix(".dir")
        if path.is_file() and re.fullmatch(r"[0-9a-f]{32}", name):
            with path.open("rb") as stream:
                if hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() != name:
                    found.append(path)
    return found


def unfinished_memories(cache: Path) -> list[Path]:
    """What a killed `dvc` left of its memory of a run: files with a temporary name, and folders with no other file.

    At an empty folder every later run of that stage stops with `join() argument must be str`.
    """
    found: list[Path] = []
    for folder in sorted((cache / "runs").glob("*/*")):
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
        torn = [path for path in entries if not re.fullmatch(r"[0-9a-f]{64}", path.name)]
        found += [folder] if torn == entries else torn
    return found


def broken_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints with a file that was cut short, whatever their marker says."""
    return [
        path
        for path in sorted(folder.glob("*/*/checkpoint-*"))
        if any(not _whole(file) for file in path.iterdir() if file.name != MARKER)
    ]


def _whole(path: Path) -> bool:
    try:
        if path.suffix == ".safetensors":  # its header says how long it is
            with path.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                header = json.loads(stream.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
            return path.stat().st_size == 8 + length + max(ends, default=0)
        if path.suffix in (".pt", ".pth", ".bin"):  # a zip archive with checksums
            with zipfile.ZipFile(path) as archive:
                return archive.testzip() is None
        if path.suffix == ".json":
            json.loads(path.read_bytes())
    except (OSError, ValueError, struct.error, zipfile.BadZipFile, KeyError, TypeError):
        return False
    return True


def cache() -> Path:
    """DVC's cache folder, wherever it is configured."""
    done = subprocess.run([sys.executable, "-m", "dvc", "cache", "dir"], capture_output=True, text=True)
    return Path(done.stdout.strip()) if done.returncode == 0 and done.stdout.strip() else Path(".dvc/cache")


def mend() -> list[str]:
    """Take away what is damaged; one line for each thing. dvc.lock comes back as Git has it.

    Raises `UserError` if Git has none.
    """
    done = []
    if broken := broken_lock():
        result = subprocess.run(["git", "checkout", "HEAD", "--", relock.LOCK], capture_output=True, text=True)
        if result.returncode:
            raise UserError(broken, "and Git has no other", "delete it; `dvc repro` writes it anew")
        done.append(f"{broken}; put back as committed")
    if broken := broken_list():
        RUNNING.unlink()
        done.append(f"{RUNNING}: was not whole, removed")
    folder = cache()
    for path in unfinished_memories(folder):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        done.append(f"{path}: unfinished memory of a run, removed")
    for path in broken_objects(folder):
        path.chmod(0o644)
        path.unlink()
        done.append(f"{path}: damaged object of the cache, removed")
    for path in broken_checkpoints(_checkpoints()):
        shutil.rmtree(path)
        done.append(f"{path}: damaged checkpoint, removed")
    return done
