"""`thce relock`: after an edit that changes no behaviour, tell dvc.lock so, instead of training again.

DVC compares bytes: a comment in a shared module makes every stage that imports it stale. Here the syntax trees of the file
and of the version dvc.lock names are compared. Where they are the same but for comments, formatting and strings that are
nobody's value (docstrings), the lock is brought up to date; any other difference is refused with its file and line.

What is taken on trust: no module reads source files or line numbers of another. A stage with a module that reads
docstrings (`__doc__`, `inspect`) has its docstrings compared too.
"""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thce import params
from thce.errors import UserError

LOCK = "dvc.lock"


@dataclass(slots=True)
class Plan:
    """`stages`: stage -> its modules that changed in form only. `absent`: those of them whose outputs are not here.
    `refused`: file:line and reason -> stages that must run because of it."""

    stages: dict[str, list[str]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=dict)


def status(folder: Path | str = ".") -> dict[str, list[Any]]:
    """What `dvc status` says: stage -> list of `{"changed deps": {path: word}}`, `{"changed outs": ...}` or a text.

    Raises `UserError` outside of a project and if DVC fails.
    """
    if not (Path(folder) / "dvc.yaml").is_file():
        raise UserError(str(Path(folder).resolve()), "holds no dvc.yaml", "go to the project's folder")
    done = subprocess.run([sys.executable, "-m", "dvc", "status", "--json"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise UserError("dvc status", _last_line(done.stderr), "`dvc status -v` tells more")
    found: dict[str, list[Any]] = json.loads(done.stdout)
    return found


def _last_line(text: str) -> str:
    lines = [line.removeprefix("ERROR: ") for line in text.strip().splitlines() if line.startswith("ERROR")]
    return lines[-1] if lines else (text.strip().splitlines() or ["failed"])[-1]


def changed(entries: list[Any], kind: str) -> dict[str, Any]:
    """The `changed deps` or `changed outs` of one stage's status."""
    found: dict[str, Any] = {}
    for entry in entries:
        if isinstance(entry, dict):
            found.update(entry.get(kind, {}))
    return found


def versions(path: str) -> Iterator[bytes]:
    """The file's contents in Git: at HEAD, then in every commit of any branch that touched it, newest first."""
    log = _git("rev-list", "--all", "--full-history", "--", path).decode().split()
    for commit in ["HEAD", *log]:
        try:
            yield _git("cat-file", "blob", f"{commit}:./{path}")
        except UserError:
            continue  # not there at that commit


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], capture_output=True)
    if done.returncode:
        raise UserError("git " + arguments[0], _last_line(done.stderr.decode(errors="replace")))
    return done.stdout


def tree(source: bytes, place: str, docstrings: bool = False) -> ast.Module:
    """The syntax tree; without `docstrings`, statements that are nothing but a string are left out.

    Raises `UserError` for text that is not Python.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise UserError(f"{place}:{line}", f"is not Python ({getattr(error, 'msg', error)})") from None
    if not docstrings:
        for node in ast.walk(module):
            for name in ("body", "orelse", "finalbody"):
                block = getattr(node, name, None)
                if isinstance(block, list):
                    setattr(node, name, [one for one in block if not _only_text(one)])
    return module


def _only_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def difference(old: Any, new: Any, line: int = 1) -> int | None:
    """The line of `new` at which two syntax trees first differ, None if they do not."""
    if type(old) is not type(new):
        return int(getattr(new, "lineno", line))
    if isinstance(old, ast.AST):
        line = getattr(new, "lineno", line)
        pairs = ((getattr(old, name, None), getattr(new, name, None)) for name in old._fields)
        return next((found for one, two in pairs if (found := difference(one, two, line))), None)
    if isinstance(old, list):
        for one, two in zip(old, new, strict=False):
            if found := difference(one, two, line):
                return found
        if len(new) > len(old):
            return int(getattr(new[len(old)], "lineno", line))
        return None if len(old) == len(new) else int(getattr(new[-1], "end_lineno", line) if new else line)
    return None if repr(old) == repr(new) else line  # repr tells 0.0 from -0.0


def reads_docstrings(source: bytes) -> bool:
    """Whether a module can see docstrings while it runs: it names `__doc__` or imports a module that reads them."""
    for node in ast.walk(ast.parse(source)):
        named = getattr(node, "attr", None) or getattr(node, "id", None)
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        if named == "__doc__" or {"inspect", "pydoc", "doctest"} & {name.split(".")[0] for name in modules}:
            return True
    return False


def fault(path: str, locked: str, docstrings: bool) -> str | None:
    """Why a module may not be relocked (`file:line: reason`), None if it equals the version with md5 `locked` in form."""
    if not Path(path).is_file():
        return f"{path}: is gone"
    now = Path(path).read_bytes()
    before = next((text for text in versions(path) if _md5(text) == locked), None)
    if before is None:
        return f"{path}: no commit holds the version that {LOCK} names, so nothing can be compared"
    try:
        line = difference(tree(before, f"{path} as locked", docstrings), tree(now, path, docstrings))
    except UserError as error:
        return str(error)
    return f"{path}:{line}: the code differs from the version that {LOCK} names" if line else None


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def plan(stages: Sequence[str] = ()) -> Plan:
    """What can be relocked of the stale stages (of those named, if any are), and what cannot and why.

    Raises `UserError` for a stage that does not exist.
    """
    stale = status()
    pipeline = params.read_yaml("dvc.yaml").get("stages", {})
    for name in stages:
        if name not in pipeline:
            raise UserError(name, "no such stage", f"there are: {', '.join(pipeline)}")
    locked = params.read_yaml(LOCK).get("stages", {}) if Path(LOCK).is_file() else {}
    outputs = {path for entry in pipeline.values() for path in paths_of(entry, "outs", "metrics", "plots")}
    result = Plan()
    proven: dict[tuple[str, str, bool], str | None] = {}
    for stage, entries in stale.items():
        if stage not in pipeline or (stages and stage not in stages):
            continue
        known = {entry["path"]: entry.get("md5", "") for entry in locked.get(stage, {}).get("deps", [])}
        modules = [path for path in known if path.endswith(".py")]
        docstrings = any(reads_docstrings(Path(path).read_bytes()) for path in modules if _parses(path))
        forms: list[str] = []
        reasons: list[str] = []
        missing = False
        for path, word in changed(entries, "changed deps").items():
            if path in modules:
                key = (path, known[path], docstrings)
                if key not in proven:
                    proven[key] = fault(*key)
                reasons.extend(filter(None, [proven[key]]))
                forms.append(path)
            elif path in outputs and word == "deleted":
                missing = True
            elif isinstance(word, dict):
                reasons.append(f"{path}: {', '.join(word)} changed")
            else:
                reasons.append(f"{path}: {word if path in known else 'a dependency that ' + LOCK + ' does not know'}")
        for path, word in changed(entries, "changed outs").items():
            missing = missing or word in ("deleted", "not in cache")
            if word not in ("deleted", "not in cache"):
                reasons.append(f"{path}: {word}, though {stage} did not run; `git checkout` or `dvc checkout` puts it back")
        reasons.extend(f"dvc.yaml: {stage}: {entry}" for entry in entries if isinstance(entry, str))
        for reason in reasons:
            result.refused.setdefault(reason, []).append(stage)
        if forms and not reasons:
            result.stages[stage] = forms
            if missing:
                result.absent.append(stage)
    return result


def paths_of(entry: dict[str, Any], *kinds: str) -> Iterator[str]:
    """The paths under `outs`, `metrics` ... of a stage, whether plain or with options."""
    for kind in kinds:
        for item in entry.get(kind, []):
            yield next(iter(item)) if isinstance(item, dict) else item


def _parses(path: str) -> bool:
    try:
        ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    return True


def commit(found: Plan) -> None:
    """Bring dvc.lock up to date for the stages of a plan that refuses nothing.

    Where the outputs are here, `dvc commit` does it and also remembers the run, so that going back to these parameters
    later costs nothing. Where they are not (a fresh clone), only the modules' entries in the lock are written.
    """
    if found.refused:
        raise UserError(LOCK, "stays as it is: something changed more than its form")
    proven = {path: _md5(Path(path).read_bytes()) for paths in found.stages.values() for path in paths}
    present = [stage for stage in found.stages if stage not in found.absent]
    if present:
        targets = [] if present == list(status()) else present  # all at once is three times as fast as one by one
        command = [sys.executable, "-m", "dvc", "commit", "--force", "--quiet", *targets]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise UserError("dvc commit", _last_line(done.stderr))
    if found.absent:
        _write_entries(found.absent, found.stages)
    lock = params.read_yaml(LOCK)["stages"]
    for stage, paths in found.stages.items():
        after = {entry["path"]: entry.get("md5") for entry in lock[stage]["deps"]}
        for path in paths:
            if after[path] != proven[path]:
                raise UserError(path, "was edited while it was relocked", "`git checkout dvc.lock`, then again")


def _write_entries(stages: Iterable[str], modules: dict[str, list[str]]) -> None:
    from dvc.utils.serialize import modify_yaml  # DVC's own writer of the lock: the rest of it stays byte for byte

    with modify_yaml(LOCK) as lock:
        for stage in stages:
            for entry in lock["stages"][stage]["deps"]:
                if entry["path"] in modules[stage]:
                    content = Path(entry["path"]).read_bytes()
                    entry["md5"], entry["size"] = _md5(content), len(content)
