"""Every public module, class, function and method says what it is: the reference pages of the documentation show it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

INHERITED = {"on_save", "on_step_end", "on_log", "training_step", "compute_loss", "forward", "backward"}
"""Hooks of transformers' Trainer and callbacks, and of torch's functions: their documentation holds."""

SOURCE = Path(__file__).resolve().parent.parent / "src" / "thce"


def without(node: ast.Module | ast.ClassDef, place: str) -> Iterator[str]:
    """Public things in a module or class that have no docstring, as `file: name`."""
    if not ast.get_docstring(node):
        yield place
    for child in node.body:
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from without(child, f"{place}: {child.name}")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            overload = any(isinstance(one, ast.Name) and one.id == "overload" for one in child.decorator_list)
            if not ast.get_docstring(child) and not overload and child.name not in INHERITED:
                yield f"{place}: {child.name}"


def raised(function: ast.FunctionDef) -> set[str]:
    """Names of the errors that a function raises itself, not those of what it calls or holds inside."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            found.add(node.exc.func.id)
        waiting.extend(ast.iter_child_nodes(node))
    return found


def silent(tree: ast.Module, place: str) -> Iterator[str]:
    """Public functions and methods that raise `UserError`, ValueError or KeyError without a word of it, as `file: name`."""
    said = re.compile(r"[Rr]aises?\b|[Rr]efuse|Error|stops|fault|is an error")
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for node in [*tree.body, *(child for one in classes for child in one.body)]:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            text = ast.get_docstring(node)
            if text and raised(node) & {"UserError", "ValueError", "KeyError"} and not said.search(text):
                yield f"{place}: {node.name}"


def test_what_is_raised_is_said() -> None:
    trees = {path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")}
    found = {name for place, tree in trees.items() for name in silent(tree, place)}
    assert not found, sorted(found)
    one = ast.parse('def f(x):\n    """Half of x."""\n    if x % 2:\n        raise UserError("x", "odd", "")\n    return x')
    assert list(silent(one, "a.py")) == ["a.py: f"]


def test_everything_public_has_a_docstring() -> None:
    paths = sorted(SOURCE.rglob("*.py"))
    assert len(paths) > 100
    missing = [
        name
        for path in paths
        for name in without(ast.parse(path.read_text(encoding="utf-8")), path.relative_to(SOURCE).as_posix())
    ]
    assert not missing, missing


def test_the_reference_pages_name_every_room() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (SOURCE.parent.parent / "docs" / "api").glob("*.md"))
    named = {line.removeprefix("::: thce.") for line in pages.splitlines() if line.startswith("::: ")}
    rooms = {path.stem for path in SOURCE.iterdir() if not path.stem.startswith(("_", "cli"))}
    assert rooms == named
