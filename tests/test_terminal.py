"""The command line as a whole: the page without a command, help, option names, completion, colours, one-line faults."""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import smoke
import yaml

from thce import cli, cli_options, glance, terminal
from thce.cli import main

pytestmark = pytest.mark.unit

TOP = cli.parser(list(cli.COMMANDS.values()))
LEAVES = {leaf.prog: leaf for leaf in cli.leaves(TOP)}


def parsers(top: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """A parser and all below it, groups too."""
    inner = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    return [top, *(found for action in inner for child in action.choices.values() for found in parsers(child))]


def examples(text: str) -> list[list[str]]:
    """The words of the `thce ...` commands in a help text, without what is piped into them, redirections and remarks."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    commands = (re.split(r"\s{3,}|\)", line.strip())[0] for line in lines if re.match(r"\s+.*\bthce ", line))
    parts = (part.strip() for command in commands for part in re.split(r"\s\|\s|\$\(|\s>\s", command))
    return [shlex.split(part)[1:] for part in parts if part.startswith("thce ")]


@pytest.mark.parametrize("name", [one.prog for one in parsers(TOP)])
def test_every_help_has_examples_that_parse(name: str) -> None:
    one = next(found for found in parsers(TOP) if found.prog == name)
    found = [words for words in examples(one.epilog or "") if " ".join(["thce", *words]).startswith(name)]
    assert found, f"`{name} --help` has no example"
    for words in found:
        assert cli.parse(words).run


def test_the_page_without_a_command_names_every_command() -> None:
    listed = {word.strip(",") for _, name, _, _ in glance.COMMANDS for word in name.split()}
    assert set(cli.COMMANDS) <= listed
    for group in ("codes", "data"):
        actions = {name.split()[-1] for name in LEAVES if name.startswith(f"thce {group} ")}
        assert actions <= listed, group


def test_one_thing_has_one_name() -> None:
    """The same option means the same everywhere, and every command that answers can answer in JSON."""
    names: dict[str, set[str | None]] = {}
    for name, leaf in LEAVES.items():
        options = {option: action for action in leaf._actions for option in action.option_strings}
        for option, action in options.items():
            names.setdefault(option, set()).add(action.metavar if isinstance(action.metavar, str) else None)
        if name not in ("thce completion", "thce profile use", "thce review"):
            assert "--json" in options, name
        if any(isinstance(action.default, str) and action.default == "data/codes" for action in leaf._actions):
            assert "--tables" in options, name
    # one of two, or a name; a file, or a folder: of a corpus, of an export
    assert {option for option, kinds in names.items() if len(kinds) > 1} <= {"--model", "--mode", "--input", "--output"}
    assert names["--date"] == {"YYYY-MM-DD"} and names["--output"] == {"FILE", "DIR"} and names["--type"] == {None}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cod", "x"], "error: thce: `cod` is no command; did you mean `thce code`?"),
        (["zzzz"], "error: thce: `zzzz` is no command; `thce` lists them"),
        (["codes", "check", "I10", "--jsno"], "error: thce codes check: does not know `--jsno`; did you mean `--json`?"),
        (["codes", "search", "x", "--limit", "a"], "--limit: must be a whole number, not `a`"),
        (["data", "check"], "the following arguments are required: FILE"),
        (["params"], "the following arguments are required: ACTION"),
    ],
)
def test_a_slip_is_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_is_a_script_that_knows_commands_and_files(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "--test-data" in script and "relock" in script and "file" in script.casefold()
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_the_tab_key_completes_an_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    asked = 'COMP_WORDS=(thce codes check --fi); COMP_CWORD=3; _shtab_thce; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", capsys.readouterr().out + asked], capture_output=True, text=True)
    assert done.stdout.split() == ["--file"], done.stderr


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_and_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal.colours(Terminal()) and not terminal.colours(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "")
    assert terminal.colours(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.colours(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not terminal.colours(Terminal())


def test_progress_has_a_rate_on_a_terminal_and_is_a_line_now_and_then_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def count() -> str:
        told = cli_options.replies()
        for done in range(1, 251):
            told(done, 250)
        return capsys.readouterr().err

    assert count() == "100/250 replies\n200/250 replies\n250/250 replies\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    bar = count()
    assert "250/250" in bar and "replies/s" in bar and "100%" in bar


def test_a_text_cannot_command_the_terminal() -> None:
    assert terminal.paint("a\x1b[31mb", terminal.BOLD, True) == f"{terminal.BOLD}a�[31mb{terminal.END}"
    assert terminal.marked("one two three", [(4, 7), (4, 7), (5, 9)], False) == "one [two] three"
    assert terminal.marked("one two", [(4, 7)], True) == f"one {terminal.MARK}two{terminal.END}"


def test_the_page_imports_neither_torch_nor_dvc() -> None:
    script = (
        "import sys; from thce.cli import main\nassert main([]) == 0\n"
        "heavy = {'torch', 'dvc', 'numpy', 'sklearn', 'transformers', 'httpx2', 'starlette'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={"PYTHONPATH": "src"})
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout and "next" in done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small checkout with a lock that fits it: one stage with a folder, a file and a section of params.yaml."""
    for name, text in {
        "dvc.yaml": "stages: {one: {cmd: go, deps: [in, a.py], params: [one], outs: [models/stage3/config.json]}}",
        "params.yaml": "one: {rate: 1e-05, on: off}\n",
        ".dvcignore": "__pycache__/\n",
        "a.py": "A = 1\n",
        "in/b/two.txt": "2\n",
        "in/one.txt": "1\n",
        "in/__pycache__/x": "ignored\n",
        "configs/mine.yaml": "one: {rate: 1e-05, on: off}\n",
        "models/stage3/config.json": "{}",
        "models/coder/coder.json": "{}",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    deps = [{"path": name, "md5": glance._hash(tmp_path, name)} for name in ("a.py", "in")]
    entry = {
        "cmd": "go",
        "deps": deps,
        "params": {"params.yaml": {"one": {"rate": 0.00001, "on": "off"}}},
        "outs": [{"path": "models/stage3/config.json", "md5": "-", "size": 2}],
    }
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": {"one": entry}}), encoding="utf-8")
    return tmp_path


def test_the_state_of_a_checkout(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert glance.look(tmp_path_factory.mktemp("elsewhere")).kind == "outside"
    state = glance.look(project)
    assert (state.kind, state.profile, state.have) == ("ready", "mine", {glance.MODEL})
    for name, text, said in (
        ("a.py", "A = 2\n", "a.py"),
        ("in/b/three.txt", "3\n", "in"),
        ("params.yaml", "one: {rate: 2e-05, on: off}\n", "params.yaml: one"),
        ("dvc.yaml", (project / "dvc.yaml").read_text().replace("cmd: go", "cmd: run"), "stage one"),
        ("models/stage3/config.json", "{ }", "models/stage3/config.json"),
        ("dvc.lock", "stages: {", "cannot be read"),
    ):
        path = project / name
        before = path.read_text(encoding="utf-8") if path.exists() else None
        path.write_text(text, encoding="utf-8")
        state = glance.look(project)
        assert state.kind == "changed" and said in state.found, (name, state.found)
        path.unlink() if before is None else path.write_text(before, encoding="utf-8")
    (project / "models/coder/coder.json").unlink()
    state = glance.look(project)
    assert state.kind == "new" and any("smoke" in line for line in glance.lines(state, True))


def test_a_checkout_that_is_not_set_up(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "dvc" else found(name))
    state = glance.look(project)
    assert state.kind == "bare" and state.next[0] == "make setup"


def test_the_hash_of_a_folder_is_dvcs() -> None:
    lock = glance._read(smoke.ROOT / "dvc.lock")["stages"]
    folders = {item["path"]: item["md5"] for entry in lock.values() for item in entry["deps"] if item["md5"].endswith(".dir")}
    made = {path for path in folders if (smoke.ROOT / path).is_dir() and path.startswith("data/") and "prepared" not in path}
    known = [path for path in sorted(made) if smoke.git(smoke.ROOT, "ls-files", path)]
    assert known
    from dvc.repo import Repo

    for path in known:
        from dvc_data.hashfile.build import build

        with Repo(str(smoke.ROOT)) as repo:
            _, _, found = build(repo.cache.local, str(smoke.ROOT / path), repo.dvcfs.fs.repo.fs, "md5", dry_run=True)
        assert glance._hash(smoke.ROOT, path) == found.hash_info.value, path


def test_the_report_is_named_and_opened(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda uri: opened.append(uri) or True)
    assert main(["report", "--open"]) == 0
    assert capsys.readouterr().out == "metrics/report.html\n" and opened[0].startswith("file:///")
    assert main(["report", "--json"]) == 0 and json.loads(capsys.readouterr().out)["model_card"]
    monkeypatch.setattr("webbrowser.open", lambda uri: False)
    assert main(["report", "--open"]) == 1 and "by hand" in capsys.readouterr().err
    monkeypatch.chdir(project)
    assert main(["report"]) == 2 and "dvc repro report" in capsys.readouterr().err
