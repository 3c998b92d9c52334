"""`thce metrics`, `baseline`, `analyze` and `compare`; `thce evaluate` stands in `cli_evaluate`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thce.cli_options import natural, positive
from thce.errors import UserError

if TYPE_CHECKING:
    from thce.evaluation.data import Item, Prediction
    from thce.evaluation.scope import Scope
    from thce.evaluation.score import Scoring

FORMATS = ("text", "csv", "markdown", "json")
BASELINES = ("majority", "longest_phrase", "every_phrase", "bm25", "svm", "neighbour")

RESULT = """a result file holds the numbers and every row right or wrong; `thce compare` reads it
exit code  0 fine, 1 the predictions do not cover the test file, 2 wrong use"""

_EPILOGS = {
    "metrics": f"""examples
  thce metrics --predictions data/predictions/svm.jsonl --ground-truth data/prepared/test_known.jsonl
  thce metrics --predictions answers.jsonl --ground-truth test.jsonl --output answers.json --format markdown

predictions  rows with `id` and `codes` (a list; empty: no code), or `id` and `text` in the answer format. What cannot be
             read is wrong, and so is a row without a prediction
{RESULT}""",
    "baseline": """examples
  thce baseline --name svm
  thce baseline --name bm25 --test-data my_notes.jsonl --output bm25.json --format csv

fits the baseline on the prepared training rows and scores it on every prepared test set, or on --test-data""",
    "analyze": """examples
  thce analyze --predictions data/predictions/system.jsonl --system system
  thce analyze --predictions answers.jsonl --ground-truth test.jsonl --examples 2

sorts wrong answers by what the code tables say: wrong side, wrong encounter, sibling, symptom instead of cause ...
Narratives are shown only when asked for with --examples, and only synthetic ones.""",
    "compare": """examples
  thce compare stage2.json stage3.json
  thce compare svm.json stage3.json system.json --format markdown

every file against the first, paired row by row: difference in exact answers with 95 % bootstrap interval, bootstrap p and
exact McNemar p. Positive: better than the first.""",
}


def add_parser(subparsers: Any) -> None:
    """Add the four commands."""
    metrics = command(subparsers, "metrics", "score a file of predictions", _metrics, _EPILOGS["metrics"])
    metrics.add_argument("--predictions", required=True, metavar="FILE", help="predictions (JSONL)")
    metrics.add_argument(
        "--ground-truth", "--test-data", dest="ground_truth", required=True, metavar="FILE", nargs="+", help="test files"
    )
    metrics.add_argument("--output", metavar="FILE", help="result file (JSON)")
    scope_only(metrics)
    _choice(metrics)

    baseline = command(subparsers, "baseline", "fit a baseline and score it", _baseline, _EPILOGS["baseline"])
    baseline.add_argument("--name", required=True, choices=BASELINES, help="the method")
    baseline.add_argument("--prepared", default="data/prepared", metavar="FOLDER", help="training rows and test sets")
    baseline.add_argument(
        "--test-data",
        "--ground-truth",
        dest="test_data",
        metavar="FILE",
        nargs="+",
        help="test files (default: every prepared one)",
    )
    baseline.add_argument("--params", default="params.yaml", metavar="FILE", help="the dials of the method")
    baseline.add_argument("--output", metavar="FILE", help="result file (JSON)")
    scope_only(baseline)

    analyze = command(subparsers, "analyze", "sort wrong answers by kind of error", _analyze, _EPILOGS["analyze"])
    analyze.add_argument("--predictions", required=True, metavar="FILE", help="predictions (JSONL)")
    analyze.add_argument(
        "--ground-truth",
        "--test-data",
        dest="ground_truth",
        metavar="FILE",
        nargs="+",
        help="test files (default: the prepared ones)",
    )
    analyze.add_argument("--examples", type=natural, default=0, metavar="N", help="show N examples per kind")
    _choice(analyze)

    compare = command(subparsers, "compare", "compare result files row by row", _compare, _EPILOGS["compare"])
    compare.add_argument("results", nargs="+", metavar="RESULT", help="result files; the first is the reference")


def command(
    subparsers: Any, name: str, help_text: str, run: Callable[[argparse.Namespace], int], epilog: str
) -> argparse.ArgumentParser:
    """A command with the options that all of them share."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".", epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to print (default: text)")
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    parser.add_argument("--tables", "--codes", dest="codes", default="data/codes", metavar="FOLDER", help="the code tables")
    parser.add_argument("--seed", type=natural, default=17, metavar="N", help="seed of the bootstrap")
    parser.add_argument("--resamples", type=positive, default=1000, metavar="N", help="bootstrap resamples")
    parser.set_defaults(run=run)
    return parser


def scope_only(parser: argparse._ActionsContainer) -> None:
    """The option that leaves gold codes out of scope out; without it they are misses."""
    parser.add_argument("--scope-only", action="store_true", help="leave gold codes out that no answer can name")


def _choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--system", metavar="NAME", help="which system, where the file holds several")
    parser.add_argument("--mode", metavar="NAME", help="which mode, where the system has several")


def _metrics(args: argparse.Namespace) -> int:
    from thce.evaluation.data import matched

    given = read(args.ground_truth)
    name, predictions = _chosen(args)
    items, scope = scoped(args, given)
    return finish(args, name, items, matched(items, predictions, name), scope)


def _baseline(args: argparse.Namespace) -> int:
    from thce import params
    from thce.evaluation import baselines
    from thce.evaluation.data import read_items, to_prediction
    from thce.files import read_jsonl
    from thce.settings.evaluation import BaselinesParams

    settings = params.load(BaselinesParams, args.params)
    methods = baselines.methods(settings)
    if args.name not in methods:
        raise UserError(f"{args.params}: baselines", f"`{args.name}` is switched off", "set its `enabled: true`")
    folder = Path(args.prepared)
    trained = [item for stage in (1, 2, 3) for item in read_items(folder / f"stage{stage}" / "train.jsonl")]
    known = baselines.material(trained, (row["text"] for row in read_jsonl(folder / "pretrain.jsonl")))
    items, scope = scoped(args, read(args.test_data or _prepared(folder)))
    guesses = methods[args.name](known, [item.narrative for item in items])
    rows = [baselines.prediction_row(item, args.name, guess) for item, guess in zip(items, guesses, strict=True)]
    return finish(args, args.name, items, [to_prediction(row) for row in rows], scope)


def _analyze(args: argparse.Namespace) -> int:
    import json

    from thce.codes.book import open as open_book
    from thce.evaluation import tables
    from thce.evaluation.data import matched
    from thce.evaluation.taxonomy import KINDS, Taxonomy, report

    name, predictions = _chosen(args)
    items = read(args.ground_truth or _prepared(Path("data/prepared")))
    if not args.ground_truth:  # a prediction file of the pipeline may cover some rows of each set only
        items = [item for item in items if item.id in predictions]
    if not items:
        raise UserError(args.predictions, "answers no row of the test files", "give its own with --ground-truth")
    book = open_book(args.codes)
    found = report(items, matched(items, predictions, name), Taxonomy(book), args.examples)
    if args.format == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    kinds = [{"kind": kind, "rows": n, "meaning": KINDS[kind]} for kind, n in found["kinds"].items() if n]
    print(tables.render(sorted(kinds, key=lambda row: -int(row["rows"])), args.format))
    if args.format != "csv":
        print(f"\n{found['wrong']} of {found['rows']} rows are not exactly right.\n")
        print(tables.render(found["pairs"], args.format))
        for kind, rows in found["examples"].items():
            print(f"\n{KINDS[kind]}")
            for row in rows:
                print(f"  {row['narrative']}\n    right: {'; '.join(row['gold'])}\n    answered: {'; '.join(row['answered'])}")
    return 0


def _compare(args: argparse.Namespace) -> int:
    from thce.evaluation import tables

    if len(args.results) < 2:
        raise UserError("thce compare", "needs two result files or more", "for example: thce compare a.json b.json")
    print(tables.render(tables.compare(args.results, args.seed, args.resamples), args.format))
    return 0


def read(paths: list[str] | list[Path], rows: int = 0) -> list[Item]:
    """The rows of test files, of each the first `rows` (0: all); an id that two of them share is a `UserError`."""
    from thce.evaluation.data import capped, read_items

    found = [item for path in paths for item in capped(read_items(path), rows)]
    ids = [item.id for item in found]
    if len(set(ids)) < len(ids):
        raise UserError(", ".join(map(str, paths)), "share ids", "score them one by one")
    return found


def scoped(args: argparse.Namespace, items: list[Item]) -> tuple[list[Item], Scope]:
    """The rows with their gold spelled as in the tables, and cut to the scope with --scope-only.

    Raises `UserError` if no row is left.
    """
    from thce.codes.book import open as open_book
    from thce.evaluation import scope

    book = open_book(args.codes)
    kept, found = scope.restricted(scope.spelled(items, book), book, args.scope_only)
    if not kept:
        raise UserError("--scope-only", "leaves no row: no gold code is in scope", "leave it out, or widen the scope")
    return kept, found


def _prepared(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("test_*.jsonl"))
    if not paths:
        raise UserError(str(folder), "no test sets (test_*.jsonl)", "run `dvc repro prepare`, or name test files")
    return paths


def _chosen(args: argparse.Namespace) -> tuple[str, dict[str, Prediction]]:
    """The one system and mode that is meant."""
    from thce.evaluation.data import read_predictions

    found = {
        pair: rows
        for pair, rows in read_predictions(args.predictions).items()
        if args.system in (None, pair[0]) and args.mode in (None, pair[1])
    }
    if not found:
        raise UserError(args.predictions, "holds no such predictions", "leave --system and --mode out to see what there is")
    if len(found) > 1:
        names = ", ".join(f"--system {system} --mode {mode}" for system, mode in found)
        raise UserError(args.predictions, "holds several systems or modes", f"choose one: {names}")
    (((system, mode), rows),) = found.items()
    return f"{system} {mode}", rows


def finish(args: argparse.Namespace, name: str, items: list[Item], predictions: list[Prediction], scope: Scope) -> int:
    """Score, write, print. Rows without a prediction are wrong, and said; so are gold codes out of scope."""
    from thce.evaluation import tables
    from thce.files import write_json

    found = tables.result(name, items, predictions, _scoring(args)) | {"scope": scope.as_dict(args.scope_only)}
    if args.output:
        write_json(args.output, found)
    if args.format == "json":
        import json

        print(json.dumps({key: value for key, value in found.items() if key != "rows"}, indent=2, ensure_ascii=False))
    else:
        print(tables.render(tables.summary_rows(found), args.format))
    if scope.in_scope < scope.codes:
        print(scope.sentence(args.scope_only), file=sys.stderr)
    if found["missing"]:
        print(f"{found['missing']} of {len(items)} rows have no prediction and count as wrong", file=sys.stderr)
    return 1 if found["missing"] else 0


def _scoring(args: argparse.Namespace) -> Scoring:
    from thce.codes.book import open as open_book
    from thce.evaluation.score import scoring

    return scoring(open_book(args.codes), args.seed, args.resamples, bins=15, precision=0.95)
