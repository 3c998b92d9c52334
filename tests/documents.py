"""The command blocks of README and docs: found, run as a reader would, and held against the output that is shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKS = ("gpu", "hub", "licence", "trained", "long", "files", "network", "server", "shell")
KINDS = ("console", "bash", "python")

_FENCE = re.compile(r"^( *)```(\w*) *\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- needs: ([\w|]+) -->\n\Z")


@dataclass(frozen=True)
class Block:
    """One fenced block: its page and line, kind, text, and what it needs."""

    page: str
    line: int
    kind: str
    text: str
    needs: tuple[str, ...]

    @property
    def name(self) -> str:
        """`docs/codes.md:31`."""
        return f"{self.page}:{self.line}"

    @property
    def steps(self) -> list[tuple[str, list[str]]]:
        """Commands with the output that is shown for each. Of kinds other than `console`: the whole, with no output."""
        if self.kind == "python":
            return [(f"python - <<'END'\n{self.text}END", [])]
        if self.kind != "console":
            return [(f"set -e\n{self.text}", [])]
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.startswith("> ") or (found and not found[-1][1] and found[-1][0].endswith("\\")):
                found[-1] = (f"{found[-1][0]}\n{line.removeprefix('> ')}", [])
            else:
                found[-1][1].append(line)
        return found

    @property
    def commands(self) -> Iterator[list[str]]:
        """Words of the simple commands in the block: what stands between `|`, `&&`, `;`, redirections and comments."""
        text = "\n".join(command for command, _ in self.steps) if self.kind == "console" else self.text
        for line in re.sub(r"\\\n\s*", " ", text).splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
            lexer.commenters = "#"
            lexer.whitespace_split = True
            words: list[str] = []
            for word in [*lexer, ";"]:
                if set(word) <= set("|&;<>()"):
                    if words:
                        yield words
                    words = []
                else:
                    words.append(word)


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, whatever their kind."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        mark = _MARK.search(text[: match.start()])
        line = text.count("\n", 0, match.start()) + 1
        name = page.relative_to(ROOT).as_posix()
        found.append(Block(name, line, match[2], dedent(match[3]), tuple(mark[1].split("|")) if mark else ()))
    return found


def unfenced(page: Path) -> list[str]:
    """Commands in indented blocks, which nothing would run."""
    text = _FENCE.sub(lambda match: "\n" * match[0].count("\n"), page.read_text(encoding="utf-8"))
    pattern = re.compile(r"^ {4,}(\$ |thce |dvc |make |python |pytest ).*", re.MULTILINE)
    return [f"{page.name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0].strip()}" for match in pattern.finditer(text)]


def run(command: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and what was printed, errors included."""
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stdout


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of an activated .venv in the folder, with the folder's own code."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(folder / "src"), "DVC_NO_ANALYTICS": "1", "COLUMNS": "120"}


def fits(shown: list[str], printed: str) -> bool:
    """Whether the output is what is shown; `...` stands for anything, alone on a line for any lines."""
    parts = []
    for line in [line.rstrip() for line in shown]:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(r"[^\n]*".join(map(re.escape, line.split("..."))) + r" *\n")
    pattern = "".join(parts)
    text = "\n".join(line.rstrip() for line in printed.splitlines()) + "\n" if printed else ""
    return re.fullmatch(pattern.rstrip(r"\n") + r"\s*", text) is not None or re.fullmatch(pattern + r"\s*", text) is not None


def unknown_to_dvc(words: list[str]) -> list[str]:
    """What DVC or this pipeline would not understand: command and options, stages, keys of params.yaml."""
    import yaml
    from dvc.cli import parse_args
    from dvc.cli.parser import DvcParserError

    try:
        read = parse_args(words)
    except (DvcParserError, SystemExit):
        return [" ".join(words)]
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    wrong = []
    if read.func.__name__ in ("CmdRepro", "CmdExperimentsRun"):
        wrong += [name for name in read.targets or [] if name not in stages]
        for change in getattr(read, "set_param", None) or []:
            section, _, key = change.partition("=")[0].partition(".")
            if section not in params or (key and key not in params[section]):
                wrong.append(change)
    return wrong
