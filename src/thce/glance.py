"""`thce` alone: in what state this checkout is, what can be done in it, and what to do next.

It starts at once: neither torch nor DVC is imported. So code, inputs and parameters are compared with dvc.lock by their
hash, outputs by presence and size alone; `thce doctor` asks DVC.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

TABLES, MODEL, ANSWERS = "tables", "model", "answers"
"""What a command may need: code tables, a trained model, predictions for the test sets."""

_FILES = {
    TABLES: ("data/codes/manifest.json",),
    MODEL: ("models/stage3/config.json", "models/coder/coder.json"),
    ANSWERS: ("data/predictions/system.jsonl",),
}
_STAGE = {TABLES: "dvc repro codes", MODEL: "dvc repro", ANSWERS: "dvc repro"}

COMMANDS: tuple[tuple[str, str, str, str | None], ...] = (
    ("use", "code TEXT", "codes with evidence, confidence and reasoning", MODEL),
    ("", "review --input FILE", "answers in a local page, checked by you", MODEL),
    ("look", "report --open", "every number of the last run on one page", None),
    ("", "show ID", "one test case: answer, reasoning judged, gold", ANSWERS),
    ("", "evaluate, metrics, baseline", "score a model, answers, a baseline", TABLES),
    ("", "compare, analyze", "results row by row; wrong answers by kind", TABLES),
    ("codes", "codes check, explain, search", "is it a code, where it stands, which one fits", TABLES),
    ("", "codes edits, import, diff", "a claim; official files; a new release", TABLES),
    ("data", "data collect, preprocess, convert", "your own notes; public corpora", TABLES),
    ("", "data generate, check", "notes by a large model; is a file sound", TABLES),
    ("change", "profile, params", "another profile; what a parameter means", None),
    ("", "experiments", "what each changed, and what came out", None),
    ("train", "train STAGE --dry-run", "what a stage would need; dvc repro trains", TABLES),
    ("", "export MODEL --output DIR", "a trained model as a folder for anyone", MODEL),
    ("mend", "doctor, relock", "is all fit; the lock after a comment", None),
    ("", "completion", "the Tab key, for bash and zsh", None),
)
"""(heading, `thce` commands, what they do, what they need)."""


@dataclass(frozen=True, slots=True)
class State:
    """What was found. `kind`: outside, bare (not set up), new (nothing trained), changed, or ready. `next` is a command
    and why; `have` holds what is there of tables, model and answers."""

    kind: str
    found: str
    next: tuple[str, str]
    have: frozenset[str]
    profile: str = ""


def look(folder: Path = Path(".")) -> State:
    """The state of a checkout; never raises for a file that is damaged or missing."""
    if not (folder / "dvc.yaml").is_file():
        return State("outside", "no THCE checkout in this folder", ("cd FOLDER", "go to the project's folder"), frozenset())
    have = frozenset(name for name, files in _FILES.items() if all((folder / file).is_file() for file in files))
    profile = _profile(folder)
    if any(importlib.util.find_spec(name) is None for name in ("dvc", "torch", "trl")):
        return State("bare", "not set up yet", ("make setup", "installs what is pinned into .venv"), have, profile)
    try:
        reasons = changes(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return State("changed", "dvc.lock or params.yaml cannot be read", ("thce doctor", "says what is wrong"), have, profile)
    more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    if MODEL not in have:
        known = "; dvc.lock fits this code" if not reasons else f"; changed since dvc.lock: {reasons[0]}{more}"
        return State("new", f"nothing is trained here yet{known}", ("dvc repro", "trains, evaluates, reports"), have, profile)
    if reasons:
        found = f"changed since the last run: {reasons[0]}{more}"
        return State("changed", found, ("dvc repro", "runs what depends on it"), have, profile)
    if missing := next(outputs(folder), None):
        found = f"trained; {missing} is not as dvc.lock says"
        return State("changed", found, ("dvc repro", "makes it again"), have, profile)
    example = 'thce code "Acute bronchitis with cough and fever."'
    return State("ready", "trained and up to date", (example, "codes a narrative"), have, profile)


def _profile(folder: Path) -> str:
    params = folder / "params.yaml"
    text = params.read_bytes() if params.is_file() else b""
    names = [path.stem for path in sorted((folder / "configs").glob("*.yaml")) if path.read_bytes() == text]
    return names[0] if names else "your own parameters"


def changes(folder: Path) -> list[str]:
    """What dvc.lock does not know as it is now: commands, code, inputs, sections of params.yaml. Each named once."""
    lock, pipeline = _read(folder / "dvc.lock")["stages"], _read(folder / "dvc.yaml")["stages"]
    params = _read(folder / "params.yaml")
    made = {path for entry in lock.values() for path in _paths(entry.get("outs", ()))}
    found: dict[str, None] = {}
    known: dict[str, str | None] = {}
    for stage, entry in pipeline.items():
        if stage not in lock or lock[stage]["cmd"] != entry["cmd"]:
            found[f"stage {stage}"] = None
            continue
        written = {path for kind in ("outs", "metrics", "plots") for path in _paths(entry.get(kind, ()))}
        if not written <= set(_paths(lock[stage].get("outs", ()))):
            found[f"stage {stage}"] = None
            continue
        locked = {item["path"]: item["md5"] for item in lock[stage].get("deps", ())}
        for path in _paths(entry.get("deps", ())):
            if path in made:
                continue
            if path not in known:
                known[path] = _hash(folder, path)
            if locked.get(path) != known[path]:
                found[path] = None
        for name, value in lock[stage].get("params", {}).get("params.yaml", {}).items():
            if params.get(name) != value:
                found[f"params.yaml: {name}"] = None
    return list(found)


def outputs(folder: Path) -> Iterator[str]:
    """Outputs that are missing or of another size than dvc.lock says."""
    for entry in _read(folder / "dvc.lock")["stages"].values():
        for item in entry.get("outs", ()):
            path = folder / item["path"]
            if not path.exists() or (path.is_file() and path.stat().st_size != item["size"]):
                yield item["path"]


def _paths(items: Any) -> Iterator[str]:
    """Paths as dvc.lock (`path: ...`) and dvc.yaml (plain, or with options behind) have them."""
    for item in items:
        yield item if isinstance(item, str) else item.get("path") or next(iter(item))


def _read(path: Path) -> dict[str, Any]:
    import yaml

    from thce import params

    # libyaml reads dvc.lock ten times as fast as the reader in plain Python; the scalar rules stay those of params.yaml
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = type("Loader", (fast,), {"yaml_implicit_resolvers": params._Loader.yaml_implicit_resolvers})
    try:
        found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except yaml.YAMLError as error:
        raise ValueError(str(path)) from error
    return found


def _hash(folder: Path, name: str) -> str | None:
    """The md5 DVC gives a file, or a folder: that of the JSON list of its files' md5 and relative path, sorted by path."""
    path = folder / name
    if not path.is_dir():
        return _md5(path.read_bytes()) if path.is_file() else None
    rules = [rule.rstrip("/") for rule in (folder / ".dvcignore").read_text(encoding="utf-8").split()]
    files = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    kept = [file for file in files if not any(fnmatch(part, rule) for part in file.split("/") for rule in rules)]
    listed = [{"md5": _md5((path / file).read_bytes()), "relpath": file} for file in kept]
    return _md5(json.dumps(listed, sort_keys=True).encode()) + ".dir"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def lines(state: State, colour: bool) -> Iterator[str]:
    """The page for the terminal."""
    from thce.terminal import BOLD, DIM, GOOD, paint

    yield paint("THCE", BOLD, colour) + "  clinical narratives in, billing codes out"
    yield ""
    here = paint(state.found, GOOD if state.kind == "ready" else BOLD, colour)
    yield f"  {'here':<7}{here}" + (f"  (profile: {state.profile})" if state.profile else "")
    command, why = state.next
    yield f"  {'next':<7}{paint(command, BOLD, colour)}  {paint('# ' + why, DIM, colour)}"
    if state.kind == "new":
        quick = paint("thce profile use smoke && dvc repro", BOLD, colour)
        yield f"  {'or':<7}{quick}  {paint('# every stage in a minute or two; the numbers mean nothing', DIM, colour)}"
    yield ""
    for heading, name, does, needs in COMMANDS:
        line = f"  {heading:<7}thce {name:<29} {does}"
        missing = needs is not None and needs not in state.have and state.kind not in ("outside", "bare")
        yield paint(f"{line} (after {_STAGE[needs]})", DIM, colour) if missing and needs else line
    yield ""
    yield "  thce COMMAND --help has examples. Research software: not for unsupervised billing."
