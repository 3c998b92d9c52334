"""What a stage really uses, read from its source: the modules it imports and the parameters it loads."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"


def _files(name: str, start: Path) -> list[Path]:
    """The project's files behind a dotted module name: every package on the way and the module itself."""
    if (start.parent / f"{name}.py").is_file() and "." not in name:
        return [start.parent / f"{name}.py"]
    found: list[Path] = []
    here = SOURCE
    for part in name.split("."):
        if (here / part / "__init__.py").is_file():
            here = here / part
            found.append(here / "__init__.py")
        elif (here / f"{part}.py").is_file():
            found.append(here / f"{part}.py")
            break
        else:
            break
    return found


def imports(path: Path) -> set[Path]:
    """Files of the project that `path` imports, anywhere in it but under `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found: set[Path] = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.update(_files(alias.name, path))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update(_files(node.module, path))
            for alias in node.names:
                found.update(_files(f"{node.module}.{alias.name}", path))
    return found


def closure(script: Path) -> set[str]:
    """The script and everything it imports, directly or not, as paths relative to the repository."""
    seen: set[Path] = set()
    todo = [script]
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo.extend(imports(path))
    return {path.relative_to(ROOT).as_posix() for path in seen}


def sections(script: Path) -> set[str]:
    """Parameter sections a stage script loads: `params.load(XParams)` and `params.load_scalar("name")`."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr == "load_scalar" and isinstance(node.args[0], ast.Constant):
            found.add(str(node.args[0].value))
        elif node.func.attr == "load" and isinstance(node.func.value, ast.Name) and node.func.value.id == "params":
            assert isinstance(node.args[0], ast.Name)
            found.add(_section(node.args[0].id))
    return found


def _section(name: str) -> str:
    for path in sorted((SOURCE / "thce" / "settings").glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                for statement in node.body:
                    if isinstance(statement, ast.AnnAssign) and getattr(statement.target, "id", "") == "section":
                        assert isinstance(statement.value, ast.Constant)
                        return str(statement.value.value)
    raise AssertionError(f"{name} names no section")
