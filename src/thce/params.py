"""params.yaml, typed: every key known, every type checked, every fault named with its key.

The file is read as YAML 1.2 says (PyYAML alone reads `1e-05`, as DVC writes it, as text, and `no` as false). A stage asks
for its own section by type and gets that and nothing else, so what a stage can depend on is what dvc.yaml declares.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from thce.errors import UserError
from thce.files import read_text

FILE = "params.yaml"

T = TypeVar("T")


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalar rules of YAML 1.2's core schema."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def read_yaml(path: Path | str) -> dict[str, Any]:
    """The mapping at the top of a YAML file; a syntax fault is named as `file:line`."""
    text = read_text(path)
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}", f"not valid YAML ({error.problem})", "see the comments in params.yaml") from None
    if not isinstance(value, dict):
        raise UserError(str(path), "holds no keys", "start from configs/default.yaml")
    return value


def load(section: type[T], path: Path | str = FILE) -> T:
    """The section of params.yaml that belongs to `section`, checked.

    Raises `UserError` that names the key for an unknown or missing key, a wrong type, or a value outside its range.
    """
    name: str = section.section  # type: ignore[attr-defined]
    value = read_yaml(path)
    if name not in value:
        raise UserError(f"{path}: {name}", "section is missing", "see configs/default.yaml")
    faults: list[str] = []
    result: T = build(section, value[name], name, faults)
    if faults:
        raise UserError(str(path), faults[0])
    return result


def load_scalar(name: str, path: Path | str = FILE) -> int:
    """A top-level whole number: `seed` or `threads`. Any other value is an error (`UserError`)."""
    value = read_yaml(path).get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < (1 if name == "threads" else 0):
        raise UserError(f"{path}: {name}", f"must be a whole number, not `{value}`", f"write `{name}: 2`")
    return value


def unknown(name: str, known: list[str], place: str) -> str:
    """The line for a key nobody knows, with the nearest one that exists."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"{place}: {name}: unknown key" + (f"; did you mean `{near[0]}`?" if near else "")


def build(kind: Any, value: Any, place: str, faults: list[str]) -> Any:
    """An instance of the dataclass `kind` from a mapping; what is wrong is added to `faults`, one line each."""
    if not isinstance(value, dict):
        faults.append(f"{place}: must be a section with keys, not `{value}`")
        return None
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    before = len(faults)
    for name in value:
        if name not in fields:
            faults.append(unknown(str(name), list(fields), place))
    arguments: dict[str, Any] = {}
    for name, field in fields.items():
        where = f"{place}.{name}"
        if name not in value:
            faults.append(f"{where}: missing")
            continue
        item = value[name]
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            arguments[name] = build(hint, item, where, faults)
            continue
        arguments[name] = _scalar(hint, item, where, faults)
        _range(field, arguments[name], where, faults)
    return kind(**arguments) if len(faults) == before else None


def _scalar(hint: Any, item: Any, where: str, faults: list[str]) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        if item is None and type(None) in get_args(hint):
            return None
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        if not isinstance(item, list):
            faults.append(f"{where}: must be a list, not `{item}`")
            return ()
        return tuple(_scalar(inner, part, f"{where}[{i}]", faults) for i, part in enumerate(item))
    if get_origin(hint) is dict:
        inner = get_args(hint)[1]
        if not isinstance(item, dict):
            faults.append(f"{where}: must be a section with keys, not `{item}`")
            return {}
        return {str(key): _scalar(inner, part, f"{where}.{key}", faults) for key, part in item.items()}
    if hint is float and isinstance(item, int) and not isinstance(item, bool):
        return float(item)
    if not isinstance(item, hint) or (hint is not bool and isinstance(item, bool)):
        names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        faults.append(f"{where}: must be {names[hint]}, not `{item}`")
    return item


def _range(field: dataclasses.Field[Any], item: Any, where: str, faults: list[str]) -> None:
    choices = field.metadata.get("choices")
    for value in item if isinstance(item, tuple) else (item,):
        if choices and value not in choices:
            faults.append(f"{where}: must be one of {', '.join(choices)}, not `{value}`")
    low, high = field.metadata.get("range", (None, None))
    if isinstance(item, int | float) and not isinstance(item, bool):
        if low is not None and item < low:
            faults.append(f"{where}: must be at least {low}, not {item}")
        if high is not None and item > high:
            faults.append(f"{where}: must be at most {high}, not {item}")
