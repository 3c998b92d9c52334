"""`thce report`, `show`, `review` and `completion`: look at results, and at the answers one by one."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from thce.cli_options import command
from thce.errors import UserError

REPORT = "metrics/report.html"
CARD = "metrics/model_card.md"
PREDICTIONS = "data/predictions/system.jsonl"
PREPARED = "data/prepared"
DECISIONS = "data/private/decisions.jsonl"

_REPORT = """examples
  thce report            where the page is
  thce report --open     in your browser

One page with every number of the last run; it needs no network. `dvc repro report` writes it."""

_SHOW = """examples
  thce show test_known-000000
  thce show test_multi-000003 --mode direct --json
  thce show test_known-000000 --predictions data/predictions/stage2.jsonl --mode free
  thce show 17 --predictions answers.jsonl --ground-truth my_notes.jsonl

The text with the gold's evidence marked, the reasoning with what a program says of each claim, the most probable codes,
the gold. Shown to you only: nothing is written."""

_REVIEW = """examples
  thce review --input notes.jsonl --open
  thce review --input notes.jsonl --predictions coded.jsonl --output data/private/decisions.jsonl
  thce review --port 0

The page is on this machine alone, behind a random address that is printed once. Accept an answer, choose other codes, mark
the evidence, leave a remark. Decisions are narrative rows with the label `gold`: `thce data check` reads them, and
`thce data collect` takes the file as a source of kind `rows`. They hold the narratives: the default place is not in Git.
A decision made earlier is shown again; a new one replaces it."""

_COMPLETION = """examples
  eval "$(thce completion bash)"              this shell; in ~/.bashrc: every one
  thce completion zsh > ~/.zfunc/_thce        zsh, where ~/.zfunc stands in fpath before compinit"""


def add_parser(subparsers: Any) -> None:
    """Add the commands."""
    report = command(subparsers, "report", "where the report of the last run is", _REPORT, _report)
    report.add_argument("--open", action="store_true", help="open it in the browser")

    show = command(subparsers, "show", "show one test case with its answer", _SHOW, _show)
    show.add_argument("id", metavar="ID", help="id of a test case")
    show.add_argument("--predictions", default=PREDICTIONS, metavar="FILE", help=f"answers (default: {PREDICTIONS})")
    show.add_argument(
        "--ground-truth", "--test-data", nargs="+", metavar="FILE", help="test files (default: the prepared ones)"
    )
    show.add_argument("--system", metavar="NAME", help="which system, where the file holds several")
    show.add_argument("--mode", metavar="NAME", help="which mode (default: fused, else the first in the file)")
    show.add_argument("--tables", "--codes", default="data/codes", metavar="FOLDER", help="folder of the code tables")

    review = subparsers.add_parser(
        "review",
        help="look at answers in a local page and put them right",
        description="Try narratives and check answers in a page on this machine; decisions become training rows.",
        epilog=_REVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    review.add_argument("--input", metavar="FILE", help="narratives, as `thce code --input` takes them")
    review.add_argument("--predictions", metavar="FILE", help="answers there are already: the output of `thce code`")
    review.add_argument("--output", default=DECISIONS, metavar="FILE", help=f"your decisions (default: {DECISIONS})")
    review.add_argument("--host", default="127.0.0.1", metavar="HOST", help="127.0.0.1 (default), localhost or ::1")
    review.add_argument("--port", type=int, default=8765, metavar="N", help="0: any free one (default: 8765)")
    review.add_argument("--open", action="store_true", help="open it in the browser")
    review.add_argument("--no-think", action="store_true", help="answer without reasoning: faster")
    review.add_argument("--model", "--model-path", default="models/stage3", metavar="FOLDER", help="the trained model")
    review.add_argument(
        "--coder", "--coder-path", default="models/coder", metavar="FOLDER", help="lexical prior and calibration"
    )
    review.add_argument("--tables", "--codes", default="data/codes", metavar="FOLDER", help="folder of the code tables")
    review.set_defaults(run=_review)

    completion = subparsers.add_parser(
        "completion",
        help="completion of commands and options by the Tab key",
        description="Print a script that completes commands and options by the Tab key.",
        epilog=_COMPLETION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    completion.add_argument("shell", choices=("bash", "zsh"), help="your shell")
    completion.set_defaults(run=_completion)


def _report(options: argparse.Namespace) -> int:
    path = Path(REPORT)
    if not path.is_file():
        raise UserError(REPORT, "there is no report yet", "`dvc repro report` writes it")
    print(json.dumps({"report": REPORT, "model_card": CARD}) if options.json else REPORT)
    if options.open:
        import webbrowser

        if not webbrowser.open(path.resolve().as_uri()):
            print("no browser was found; open the file by hand", file=sys.stderr)
            return 1
    return 0


def _show(options: argparse.Namespace) -> int:
    from thce import terminal
    from thce.codes.book import open as open_book
    from thce.evaluation import case

    found = case.find_rows(options.id, options.predictions)
    tests = options.ground_truth or sorted(Path(PREPARED).glob("test_*.jsonl"))
    if not tests:
        raise UserError(PREPARED, "no test sets (test_*.jsonl)", "run `dvc repro prepare`, or name test files")
    item = case.find_item(options.id, tests)
    if not found:
        raise UserError(f"`{options.id}`", f"is not answered in {options.predictions}", "evaluate.*_rows caps what is asked")
    fits = [row for row in found if options.system in (None, row.get("system")) and options.mode in (None, row.get("mode"))]
    if not fits:
        names = ", ".join(f"--system {row.get('system')} --mode {row.get('mode')}" for row in found)
        raise UserError(options.predictions, "holds no such answer", f"there are: {names}")
    row = next((row for row in fits if row.get("mode") == "fused"), fits[0])
    result = case.case(item, row, open_book(options.tables))
    if options.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        print("\n".join(case.lines(result, terminal.colours(sys.stdout))))
    return 0


def _review(options: argparse.Namespace) -> int:
    import secrets

    from thce.review.app import address, application, bind, server

    listening = bind(options.host, options.port)
    with listening:
        desk = _desk(options)
        key = secrets.token_urlsafe(16)
        where = address(listening, key)
        print(f"{where}\n{len(desk.notes)} notes; decisions go to {desk.output}; ctrl-c ends it", flush=True)
        if options.open:
            import webbrowser

            webbrowser.open(where)
        with contextlib.suppress(KeyboardInterrupt):  # the server may end in good order before the signal is raised again
            server(application(desk, key)).run(sockets=[listening])
        print(f"stopped; decisions are in {desk.output}", file=sys.stderr)
    return 0


def _desk(options: argparse.Namespace) -> Any:
    from thce.coder import records
    from thce.codes.book import open as open_book
    from thce.files import read_jsonl
    from thce.review.desk import Desk

    notes = list(records.read_jobs(options.input)) if options.input else []
    known = {str(row.get("id")): row for row in read_jsonl(options.predictions)} if options.predictions else {}
    trained = (Path(options.model) / "config.json").is_file() and (Path(options.coder) / "coder.json").is_file()
    if not trained and not known:
        raise UserError(options.model, "nothing is trained here yet", "run `dvc repro`, or give answers with --predictions")
    coder = None
    if trained:
        from thce.coder import run

        worker = run.Worker(run.Setup(options.model, options.coder, options.tables, False if options.no_think else None, False))
        coder = lambda note: worker.rows([note])[0]  # noqa: E731
    return Desk(notes, open_book(options.tables), options.output, coder, known)


def _completion(options: argparse.Namespace) -> int:
    import shtab

    from thce import cli

    top = cli.parser(list(cli.COMMANDS.values()))
    places = {"FILE": shtab.FILE, "FOLDER": shtab.DIRECTORY, "RESULT": shtab.FILE}
    for leaf in cli.leaves(top):
        for action in leaf._actions:
            if action.metavar in places:
                action.complete = places[action.metavar]  # type: ignore[attr-defined]
    print(shtab.complete(top, shell=options.shell))
    return 0
