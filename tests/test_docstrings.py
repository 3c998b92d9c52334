"""Every public module, class, function and method says what it is: the reference pages of the documentation show it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

INHERITED = {"on_save", "on_step_end", "on_log", "training_step", "compute_loss"}
"""Hooks of transformers' Trainer and callbacks: its documentation holds."""
PLAIN = {"narratives/wording.py: Wording: pair", "narratives/wording.py: Wording: may_be_stable"}
"""Properties of one line that say what they are."""

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


def test_everything_public_has_a_docstring() -> None:
    paths = sorted(SOURCE.rglob("*.py"))
    assert len(paths) > 100
    missing = [
        name
        for path in paths
        for name in without(ast.parse(path.read_text(encoding="utf-8")), path.relative_to(SOURCE).as_posix())
    ]
    assert set(missing) <= PLAIN, missing


def test_the_reference_pages_name_every_room() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (SOURCE.parent.parent / "docs" / "api").glob("*.md"))
    named = {line.removeprefix("::: thce.") for line in pages.splitlines() if line.startswith("::: ")}
    rooms = {path.stem for path in SOURCE.iterdir() if not path.stem.startswith(("_", "cli"))}
    assert rooms == named
