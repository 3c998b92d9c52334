"""All sections of params.yaml together: checking a whole file, explaining a key, and putting a profile in place."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from pathlib import Path
from typing import Any, get_type_hints

from thce import files, params
from thce.errors import UserError
from thce.settings.coder import CoderParams
from thce.settings.codes import CodesParams
from thce.settings.evaluation import BaselinesParams, EvaluateParams
from thce.settings.modeling import BaseParams, Stage1Params, Stage2Params, Stage3Params
from thce.settings.narratives import NarrativesParams
from thce.settings.pairs import PairsParams
from thce.settings.prepare import PrepareParams

SECTIONS: dict[str, type[Any]] = {
    section.section: section
    for section in (
        CodesParams,
        NarrativesParams,
        PrepareParams,
        BaseParams,
        Stage1Params,
        Stage2Params,
        PairsParams,
        Stage3Params,
        CoderParams,
        BaselinesParams,
        EvaluateParams,
    )
}
SCALARS = {
    "seed": "The one seed; every random stage derives its own from it.",
    "threads": "Processor threads of torch. Part of the result: other thread counts round sums differently.",
}


def check(path: Path | str = params.FILE) -> list[str]:
    """Every fault of a params file, one line each; empty for a file every stage can read."""
    value = params.read_yaml(path)
    faults: list[str] = []
    known = [*SCALARS, *SECTIONS]
    faults.extend(params.unknown(str(name), known, str(path)) for name in value if name not in known)
    for name in SCALARS:
        try:
            params.load_scalar(name, path)
        except UserError as error:
            faults.append(str(error))
    for name, section in SECTIONS.items():
        if name not in value:
            faults.append(f"{path}: {name}: section is missing")
            continue
        inner: list[str] = []
        params.build(section, value[name], name, inner)
        faults.extend(f"{path}: {fault}" for fault in inner)
    return faults


def documentation(section: type[Any]) -> dict[str, str]:
    """Field name -> the docstring below it, base classes included; a subsection without one is described by its class."""
    found: dict[str, str] = {}
    for kind in reversed(section.__mro__):
        if not dataclasses.is_dataclass(kind):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                value = text.value if isinstance(text, ast.Expr) else None
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found[field.target.id] = " ".join(value.value.split())
    for name, hint in get_type_hints(section).items():
        if name not in found and dataclasses.is_dataclass(hint):
            found[name] = " ".join((hint.__doc__ or "").split())
    return found


def explain(key: str, path: Path | str = params.FILE) -> dict[str, Any]:
    """Meaning, type, range and present value of one key, e.g. `stage1.learning_rate`.

    Raises `UserError` for a key that does not exist.
    """
    if key in SCALARS:
        return {
            "key": key,
            "meaning": SCALARS[key],
            "type": "int",
            "range": None,
            "value": params.load_scalar(key, path),
        }
    name, _, field_name = key.partition(".")
    if name not in SECTIONS:
        raise UserError(key, "no such key", params.unknown(name, [*SCALARS, *SECTIONS], "params.yaml").partition("; ")[2])
    section = SECTIONS[name]
    fields = {field.name: field for field in dataclasses.fields(section)}
    if field_name not in fields:
        raise UserError(key, "no such key", f"`{name}` has {', '.join(fields)}")
    hint = get_type_hints(section)[field_name]
    metadata = fields[field_name].metadata
    low, high = metadata.get("range", (None, None))
    return {
        "key": key,
        "meaning": documentation(section).get(field_name, ""),
        "type": getattr(hint, "__name__", str(hint)) if not getattr(hint, "__args__", None) else str(hint),
        "range": [low, high] if low is not None or high is not None else list(metadata.get("choices") or []) or None,
        "value": params.read_yaml(path).get(name, {}).get(field_name),
    }


def use(name: str, folder: Path | str = "configs", target: Path | str = params.FILE) -> Path:
    """Write the profile `configs/<name>.yaml` to params.yaml, comments and all, after checking it.

    Raises `UserError` for an unknown profile or one with a fault.
    """
    source = Path(folder) / f"{name}.yaml"
    if not source.is_file() or Path(name).name != name:
        names = ", ".join(sorted(path.stem for path in Path(folder).glob("*.yaml") if "stage1" in params.read_yaml(path)))
        raise UserError(str(source), "no such profile", f"there are: {names}")
    faults = check(source)
    if faults:
        raise UserError(str(source), faults[0])
    files.write_text(target, files.read_text(source))
    return Path(target)
