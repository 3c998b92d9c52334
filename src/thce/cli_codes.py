"""`thce codes`: check, explain and search codes (and, beside it, work with files of codes)."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from thce.cli_options import day, positive

if TYPE_CHECKING:
    from thce.codes import Check, CodeBook

TYPES = ("ICD10", "CPT", "HCPCS")
SHOWN = 10  # codes listed behind one finding in the terminal; --json has them all

_CHECK = """examples
  thce codes check E11.9 --type ICD10
  thce codes check e119 "CPT: 99213" M54.5 --date 2025-11-03
  thce codes check --file codes.txt --json
  cut -f3 claims.tsv | thce codes check --type ICD10 -

Exit code: 0 every code may be billed, 1 some may not, 2 wrong use.
"""
_EXPLAIN = """examples
  thce codes explain E11.22
  thce codes explain HCPCS:E0130 --json
  thce codes explain E08-E13 --type ICD10
"""
_SEARCH = """examples
  thce codes search type 2 diabetes with kidney disease
  thce codes search "walker with wheels" --type HCPCS
  thce codes search cardiomyopathy --billable --chapter 9 --json
"""


def add_parser(subparsers: Any) -> None:
    """Add `thce codes` with its actions."""
    codes = subparsers.add_parser(
        "codes",
        help="check, explain, search, import and compare codes",
        description="ICD-10-CM, CPT and HCPCS Level II: tables, rules and look-ups.",
        epilog="example\n  thce codes check E11.9 --type ICD10",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = codes.add_subparsers(title="actions", metavar="ACTION", required=True)

    one = _action(actions, "check", "is this a code, and may it be billed on the day of service?", _CHECK, _check)
    one.add_argument("codes", nargs="*", metavar="CODE", help="codes; `-` or none: one per line from standard input")
    one.add_argument("--file", "--input", metavar="FILE", help="read codes from a file, one per line")
    one.add_argument("--date", "--dos", metavar="YYYY-MM-DD", help="day of service (default: within the table's release)")

    two = _action(actions, "explain", "chapter, block, category and code, with all notes that apply", _EXPLAIN, _explain)
    two.add_argument("codes", nargs="+", metavar="CODE", help="codes; chapters and blocks too")

    three = _action(actions, "search", "words in, ranked codes out", _SEARCH, _search)
    three.add_argument("words", nargs="+", metavar="WORD", help="words of a title, an inclusion term or a phrase")
    three.add_argument("--billable", action="store_true", help="only codes that may be billed")
    three.add_argument("--chapter", metavar="N", help="only this ICD-10-CM chapter, e.g. 4")
    three.add_argument("--limit", type=positive, default=10, metavar="N", help="how many codes (default: 10)")
    three.add_argument("--phrasebook", default="data/phrasebook", metavar="FOLDER", help="our own phrases")

    if importlib.util.find_spec("thce.cli_codes_files") is not None:
        importlib.import_module("thce.cli_codes_files").add_subparsers(actions)


def _action(
    actions: Any, name: str, does: str, examples: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=does,
        description=does[0].upper() + does[1:],
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--type", choices=TYPES, help="the system of the codes; a code may also name its own: ICD10:E1122")
    parser.add_argument(
        "--tables", "--codes", dest="tables", default="data/codes", metavar="FOLDER", help="folder of the code tables"
    )
    parser.add_argument("--json", action="store_true", help="a JSON list on standard output, for programs")
    parser.set_defaults(run=run)
    return parser


def _check(options: argparse.Namespace) -> int:
    from thce import codes
    from thce.errors import UserError

    served = day(options.date)
    book = codes.open(options.tables)
    results = [codes.check(book, text, options.type, served) for text in _inputs(options)]
    if not results:
        raise UserError("thce codes check", "no codes given", "name codes, a --file, or pipe them in")
    if options.json:
        _print(json.dumps([result.to_dict() for result in results], ensure_ascii=False, indent=2))
    else:
        width = max(len(result.normalised) for result in results)
        for result in results:
            _print("\n".join(_lines(book, result, width)))
    return 0 if all(result.valid for result in results) else 1


def _inputs(options: argparse.Namespace) -> Iterator[str]:
    """Codes from the arguments, the file or standard input; blank lines and those that start with `#` are skipped."""
    from thce.errors import UserError
    from thce.files import read_text

    if options.file and options.codes:
        raise UserError("thce codes check", "codes and --file at once", "use one of them")
    if options.codes and options.codes != ["-"]:
        yield from options.codes
        return
    if options.file:
        text = read_text(options.file)
    else:
        if not options.codes and sys.stdin.isatty():
            raise UserError("thce codes check", "no codes given", "name codes, a --file, or pipe them in")
        try:
            text = sys.stdin.read()
        except UnicodeDecodeError:
            raise UserError("standard input", "is not UTF-8", "convert it to UTF-8") from None
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def _lines(book: CodeBook, result: Check, width: int) -> Iterator[str]:
    """One finding for the terminal: the verdict first, then what to do about it."""
    spelled = f"  (from `{result.normalised_from}`)" if result.normalised_from is not None else ""
    system = result.system or "-"
    line = f"{result.normalised:<{width}}  {system:<5}  {result.status:<18}  {result.description or ''}{spelled}"
    yield "".join(character if character.isprintable() else "?" for character in line).rstrip()
    for message in result.messages:
        yield f"  {message.severity}: {message.text}  [{message.rule_id}; {message.source}]"
    for label, found in (("use", result.header_children), ("successors", result.successors)):
        if found and not (label == "successors" and found == result.header_children):
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            yield f"  {label}: {', '.join(found[:SHOWN])}{more}"
    for suggestion in result.suggestions:
        entry = book.find(result.system or "ICD10", suggestion.code)
        yield f"  near: {suggestion.code}  {entry.title if entry else ''}  ({suggestion.reason})"


def _explain(options: argparse.Namespace) -> int:
    from thce import codes
    from thce.errors import UserError

    book = codes.open(options.tables)
    explained, bad = [], False
    for text in options.codes:
        result = codes.check(book, text, options.type)
        if result.system and book.find(result.system, result.normalised):
            explained.append(codes.explain(book, result.system, result.normalised))
            continue
        bad = True
        for line in _lines(book, result, 0):
            print(line, file=sys.stderr)
    if options.json:
        _print(json.dumps(explained, ensure_ascii=False, indent=2))
    elif explained:
        _print("\n\n".join(codes.tree(one) for one in explained))
    if not explained and not bad:
        raise UserError("thce codes explain", "no codes given", "name a code")
    return 1 if bad else 0


def _search(options: argparse.Namespace) -> int:
    from pathlib import Path

    from thce import codes
    from thce.errors import UserError
    from thce.narratives import phrasebook

    book = codes.open(options.tables)
    if options.chapter and not any(entry.code == options.chapter for entry in book.children("ICD10", "")):
        raise UserError("--chapter", f"ICD-10-CM has no chapter `{options.chapter}`", "use 1 to 22")
    phrases = []
    if Path(options.phrasebook).is_dir():
        titles = {(entry.code_type, entry.code): entry.title for entry in book.scope}
        phrases = [(p.code_type, p.code, p.text) for p in phrasebook.read(options.phrasebook, titles)]
    index = codes.SearchIndex(book, phrases)
    text = " ".join(options.words)
    hits = index.search(text, options.type, True if options.billable else None, options.chapter, options.limit)
    if options.json:
        rows = [hit.entry._asdict() | {"score": hit.score, "matched": hit.matched} for hit in hits]
        _print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        for hit in hits:
            header = "" if hit.entry.billable else f"  ({hit.entry.level})"
            matched = "" if hit.matched == hit.entry.title else f"  <- {hit.matched}"
            _print(f"{hit.entry.code_type:<5}  {hit.entry.code:<8}  {hit.entry.title}{header}{matched}")
    if not hits:
        print(f"nothing found for `{text}`", file=sys.stderr)
    return 0 if hits else 1


def _print(text: str) -> None:
    """Print, also where the terminal's encoding lacks a character of a title."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))
