"""`thce evaluate`: a model of ours, the whole system, or a model behind a server, over test files or a published task."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thce.cli_evaluation import RESULT, command, finish, read, scope_only, scoped
from thce.cli_options import natural, positive, replies, seconds
from thce.errors import UserError

if TYPE_CHECKING:
    from thce.codes.book import CodeBook
    from thce.evaluation.data import Item

TASKS = ("description-to-code", "title-variants")

_EPILOG = f"""examples
  thce evaluate --model models/stage3 --coder models/coder --test-data data/prepared/test_known.jsonl
  thce evaluate --model models/stage2 --test-data my_notes.jsonl --mode free --output stage2.json --json
  thce evaluate --model models/stage3 --coder models/coder --task title-variants --rows 50
  thce evaluate --base-url http://localhost:8000/v1 --model-name NAME --test-data my_notes.jsonl

test data  any file in the project's formats: messages with `_metadata`, or rows with `id`, `narrative` and `codes`. Gold codes
           out of scope count as misses; --scope-only leaves them out
mode       `constrained` answers under the code table, `free` lets the model write; a model behind a server writes
server     any with OpenAI-style chat completions. The narratives are sent to it; one on another machine needs
           --send-narratives. The key is read from THCE_API_KEY
{RESULT}"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = command(subparsers, "evaluate", "run a model over a test file and score it", _evaluate, _EPILOG)
    model = parser.add_argument_group("model of ours")
    model.add_argument("--model", "--model-path", dest="model_path", metavar="FOLDER", help="a trained model")
    model.add_argument(
        "--coder", "--coder-path", dest="coder_path", metavar="FOLDER", help="lexical prior and calibration: the whole system"
    )
    model.add_argument("--mode", choices=("constrained", "free"), default="constrained", help="how to answer")
    model.add_argument("--no-think", action="store_true", help="answer without reasoning")

    server = parser.add_argument_group("model behind a server")
    server.add_argument("--base-url", metavar="URL", help="address of the server, up to and with /v1")
    server.add_argument("--model-name", metavar="NAME", help="the model's name at the server")
    server.add_argument("--send-narratives", action="store_true", help="the narratives may leave this machine")
    server.add_argument(
        "--system-prompt", dest="system", metavar="TEXT", help="(default: one that explains task and answer format)"
    )
    server.add_argument("--temperature", type=float, default=0.0, metavar="T", help="sampling temperature (default: 0)")
    server.add_argument(
        "--max-tokens-name",
        choices=("max_tokens", "max_completion_tokens"),
        default="max_tokens",
        help="what the server calls the limit (default: max_tokens)",
    )
    server.add_argument("--workers", type=positive, default=4, metavar="N", help="requests at once (default: 4)")
    server.add_argument(
        "--timeout", type=seconds, default=120.0, metavar="SECONDS", help="seconds to wait for one reply (default: 120)"
    )
    server.add_argument("--attempts", type=positive, default=6, metavar="N", help="tries per request (default: 6)")

    rows = parser.add_argument_group("rows")
    rows.add_argument("--test-data", "--ground-truth", dest="test_data", metavar="FILE", nargs="+", help="test files")
    rows.add_argument("--task", choices=TASKS, help="instead of a file: a published task, made from the code tables")
    rows.add_argument(
        "--rows", type=natural, default=0, metavar="N", help="the first N rows of each file; of a task, N codes per code system"
    )
    rows.add_argument("--save-rows", metavar="FOLDER", help="write the rows of a task as test files too")
    scope_only(rows)

    parser.add_argument("--max-new-tokens", type=positive, default=200, metavar="N", help="longest reasoning or text")
    parser.add_argument("--predictions", metavar="FILE", help="write the predictions too (JSONL)")
    parser.add_argument("--output", metavar="FILE", help="result file (JSON)")


def _evaluate(args: argparse.Namespace) -> int:
    from thce.codes.book import open as open_book
    from thce.evaluation.data import matched, to_prediction
    from thce.files import write_jsonl

    if bool(args.model_path) == bool(args.base_url):
        raise UserError("thce evaluate", "needs one model", "give --model FOLDER, or --base-url URL and --model-name NAME")
    if bool(args.test_data) == bool(args.task):
        raise UserError("thce evaluate", "needs one source of rows", "give --test-data FILE, or --task NAME")
    book = open_book(args.codes)
    items, scope = scoped(args, _rows(args, book))
    name = args.model_name if args.base_url else Path(args.model_path).name
    found = _asked(args, items, book) if args.base_url else _answered(args, items, name, book)
    if args.predictions:
        write_jsonl(args.predictions, found)
    predictions = {str(row["id"]): to_prediction(row) for row in found}
    return finish(args, name, items, matched(items, predictions, name), scope)


def _rows(args: argparse.Namespace, book: CodeBook) -> list[Item]:
    from thce.evaluation import tasks
    from thce.files import write_jsonl

    if not args.task:
        return read(args.test_data, args.rows)
    items = tasks.rows(args.task, book, args.seed, args.rows)
    if args.save_rows:
        for name in dict.fromkeys(item.test_set for item in items):
            lines = [tasks.as_row(item) for item in items if item.test_set == name]
            write_jsonl(Path(args.save_rows) / f"test_{name}.jsonl", lines)
    return items


def _answered(args: argparse.Namespace, items: list[Item], name: str, book: CodeBook) -> list[dict[str, Any]]:
    """Answers of a model of ours."""
    from dataclasses import replace

    from thce.coder.coder import Options
    from thce.evaluation import running

    if args.coder_path:
        coder = running.whole_system(args.model_path, args.coder_path, book)
        coder.options = replace(coder.options, max_reasoning=args.max_new_tokens)
    else:
        coder = running.model_alone(args.model_path, book, Options(max_reasoning=args.max_new_tokens))
    think = not args.no_think and coder.options.think
    if args.mode == "free":
        return running.free(coder, items, name, think, args.max_new_tokens)
    return running.constrained(coder, items, name, "fused" if args.coder_path else "constrained", think)


def _asked(args: argparse.Namespace, items: list[Item], book: CodeBook) -> list[dict[str, Any]]:
    """Answers of a model behind a server; what got no answer is said and left out."""
    from thce.evaluation import remote
    from thce.narratives.endpoint import endpoint

    if not args.model_name:
        raise UserError("--base-url", "needs the model's name", "add --model-name NAME")
    to = endpoint(
        args.base_url,
        args.model_name,
        max_tokens=args.max_new_tokens,
        max_tokens_name=args.max_tokens_name,
        temperature=args.temperature,
        workers=args.workers,
        timeout=args.timeout,
        attempts=args.attempts,
    )
    remote.may_ask(to, args.send_narratives)
    keep = args.predictions or args.output
    found, failed = remote.free(
        items,
        to,
        args.system if args.system is not None else remote.instructions(book),
        args.seed,
        Path(f"{keep}.journal.jsonl") if keep else None,
        replies(),
    )
    for reason in dict.fromkeys(failed.values()):
        print(f"{list(failed.values()).count(reason)} rows got no answer: {reason}", file=sys.stderr)
    return found
