"""`thce data`: generate, collect, convert, preprocess and check data sets."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from thce.cli_options import day, positive, replies, seconds


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `data` with its five commands."""
    parser = subparsers.add_parser(
        "data",
        help="generate, collect, convert, preprocess and check data",
        description="Generate, collect, convert, preprocess and check data sets.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  thce data check data/narratives/train.jsonl",
    )
    commands = parser.add_subparsers(dest="data_command", required=True, metavar="COMMAND")
    _add_generate(commands)
    _add_collect(commands)
    _add_convert(commands)
    _add_preprocess(commands)
    _add_check(commands)


def _command(commands: Any, name: str, run: Any, text: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text.split(".")[0][0].lower() + text.split(".")[0][1:],
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"example:\n  {example}",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--tables", "--codes", dest="codes", default="data/codes", metavar="FOLDER", help="code tables (default: data/codes)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return value


def _price(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def _add_generate(commands: Any) -> None:
    parser = _command(
        commands,
        "generate",
        _generate,
        "Have a large model write records, over any OpenAI-compatible server. Replies are kept in "
        "OUTPUT.journal.jsonl, so a "
        "run that was stopped goes on without paying twice; rejects stand beside the output with their reason. The "
        "key is read "
        "from THCE_API_KEY.",
        "thce data generate --stage 1 --count 100 --model NAME --base-url http://localhost:8000/v1 --output out/stage_1.jsonl",
    )
    parser.add_argument("--stage", type=int, choices=(1, 2, 3), required=True, help="format of the records")
    parser.add_argument("--count", type=positive, metavar="N", required=True, help="how many records to ask for")
    parser.add_argument("--model", required=True, metavar="NAME", help="the model's name at the server")
    parser.add_argument("--base-url", required=True, metavar="URL", help="address of the server, up to and with /v1")
    parser.add_argument("--output", required=True, metavar="FILE", help="JSONL file for the accepted records")
    parser.add_argument("--dry-run", action="store_true", help="estimate tokens and cost, send nothing")
    parser.add_argument("--price-in", type=_price, metavar="P", help="price of a million prompt tokens, for the estimate")
    parser.add_argument("--price-out", type=_price, metavar="P", help="price of a million reply tokens, for the estimate")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="which codes and styles come in which order (default: 0)"
    )
    parser.add_argument(
        "--date",
        "--dos",
        "--date-of-service",
        dest="date_of_service",
        metavar="YYYY-MM-DD",
        help="day the codes must be in force, e.g. 2026-01-15",
    )
    parser.add_argument(
        "--system-prompt", dest="system", metavar="TEXT", help="of the records (default: the stage's in params.yaml)"
    )
    parser.add_argument("--held-out", metavar="FILE", help="phrases.jsonl; notes with a phrase held out for tests are rejected")
    parser.add_argument("--max-tokens", type=positive, default=700, metavar="N", help="longest reply in tokens (default: 700)")
    parser.add_argument(
        "--max-tokens-name",
        choices=("max_tokens", "max_completion_tokens"),
        default="max_tokens",
        help="what the server calls that limit (default: max_tokens)",
    )
    parser.add_argument("--temperature", type=float, default=1.0, metavar="T", help="sampling temperature (default: 1)")
    parser.add_argument("--workers", type=positive, default=4, metavar="N", help="requests at once (default: 4)")
    parser.add_argument(
        "--timeout", type=seconds, default=120.0, metavar="SECONDS", help="seconds to wait for one reply (default: 120)"
    )
    parser.add_argument("--attempts", type=positive, default=6, metavar="N", help="tries per request (default: 6)")
    parser.add_argument("--json-mode", action="store_true", help="ask the server for a JSON object (not all servers can)")


def _generate(args: argparse.Namespace) -> int:
    from thce import codes
    from thce.narratives import endpoint, endpoint_records, endpoint_tasks, sources_collect

    to = endpoint.endpoint(
        args.base_url,
        args.model,
        max_tokens=args.max_tokens,
        max_tokens_name=args.max_tokens_name,
        temperature=args.temperature,
        workers=args.workers,
        timeout=args.timeout,
        attempts=args.attempts,
        json_mode=args.json_mode,
    )
    book = codes.open(args.codes)
    tasks = list(endpoint_tasks.tasks(args.stage, args.count, args.seed, book))
    output = Path(args.output)
    if args.dry_run:
        result = endpoint_records.estimate(tasks, to, output, args.price_in, args.price_out)
        return _print(result, args.json)
    rules = endpoint_records.Rules(
        book,
        args.system if args.system is not None else _system(args.stage),
        day(args.date_of_service),
        sources_collect.held_out(args.held_out)["train"] if args.held_out else None,
    )

    result = endpoint_records.generate(tasks, to, rules, output, replies())
    _print(result, args.json)
    return 1 if result["failed"] or not result["accepted"] else 0


def _system(stage: int) -> str:
    from thce import params
    from thce.settings.prepare import PrepareParams

    settings = params.load(PrepareParams)
    return settings.system_stage1 if stage == 1 else settings.system_stage2


def _add_collect(commands: Any) -> None:
    parser = _command(
        commands,
        "collect",
        _collect,
        "Read sources (own tables, MIMIC-IV, MTSamples, hub, generated) and draw the sets of each stage from them. "
        "What was left "
        "out stands beside each source's file with its reason.",
        "thce data collect --config configs/collect_example.yaml --output-dir data/collected",
    )
    parser.add_argument(
        "--config", "--config-path", dest="config", required=True, metavar="FILE", help="collection file (YAML)"
    )
    parser.add_argument("--output-dir", required=True, metavar="FOLDER", help="where the files are written")


def _collect(args: argparse.Namespace) -> int:
    from thce import codes
    from thce.narratives import sources_collect

    config = sources_collect.read_config(args.config)
    book = codes.open(config.codes if args.codes == "data/codes" else args.codes)
    report = sources_collect.collect(config, args.output_dir, book)
    if args.json:
        return _print(report, True)
    for name, source in report["sources"].items():
        print(f"{name}: {source['kept']} rows ({', '.join(f'{side} {n}' for side, n in source['sides'].items())})")
        for reason, count in source["left_out"].items():
            print(f"  {count:>8}  {reason}")
    for name, drawn in report["sets"].items():
        short = [
            f"{source} gave {n['got']} of {n['wanted']}" for source, n in drawn["sources"].items() if n["got"] < n["wanted"]
        ]
        print(f"{name}: {drawn['rows']} rows" + (f"; {'; '.join(short)}" if short else ""))
    return 0


def _add_convert(commands: Any) -> None:
    parser = _command(
        commands,
        "convert",
        _convert,
        "Bring a published coded corpus, as it is downloaded, into narrative rows that `thce evaluate` and `thce data "
        "collect` read. aci-bench: the visit notes with a label file (or MedCodER). codiesp: the split folders.",
        "thce data convert --from codiesp --input final_dataset_v4_to_publish/dev --output data/private/codiesp_dev.jsonl",
    )
    parser.add_argument("--from", dest="corpus", choices=("aci-bench", "codiesp"), required=True, help="the corpus")
    parser.add_argument("--input", required=True, metavar="FOLDER", help="the folder it was unpacked to")
    parser.add_argument("--output", required=True, metavar="FILE", help="JSONL file for the rows")
    parser.add_argument(
        "--language", choices=("en", "es"), default="en", help="which text of CodiEsp: machine-translated, or Spanish"
    )


def _convert(args: argparse.Namespace) -> int:
    from thce import codes
    from thce.narratives import convert

    return _print(convert.convert(args.corpus, args.input, args.output, codes.open(args.codes), args.language), args.json)


def _add_preprocess(commands: Any) -> None:
    parser = _command(
        commands,
        "preprocess",
        _preprocess,
        "Put narrative rows in order: Unicode, white space, placeholders for identifiers, sections. Evidence keeps "
        "pointing to "
        "its words. Placeholders catch identifiers with a fixed form; they do not make a text de-identified.",
        "thce data preprocess notes.jsonl --output clean.jsonl --sections 'discharge diagnosis' assessment",
    )
    parser.add_argument("file", metavar="FILE", help="narrative rows (JSONL)")
    parser.add_argument("--output", required=True, metavar="FILE", help="JSONL file for the result")
    parser.add_argument("--sections", nargs="+", default=[], metavar="NAME", help="keep only these sections")
    parser.add_argument("--abbreviations", action="store_true", help="add a field `abbreviations` (the text is left as it is)")


def _preprocess(args: argparse.Namespace) -> int:
    from thce.narratives import preprocess_file

    return _print(preprocess_file.preprocess(args.file, args.output, args.sections, args.abbreviations), args.json)


def _add_check(commands: Any) -> None:
    parser = _command(
        commands,
        "check",
        _check,
        "Check data sets in any of the project's formats: shape, codes, evidence, reasoning, duplicates, "
        "identifiers, balance, "
        "and with --against leaks between splits. Exit code 1 when an error was found.",
        "thce data check data/prepared/test_known.jsonl --against data/prepared/stage1/train.jsonl",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="JSONL files, each a set by itself")
    parser.add_argument(
        "--against", nargs="+", default=[], metavar="FILE", help="the other split: nothing of it may stand in FILE"
    )
    parser.add_argument("--new-phrases", action="store_true", help="also no evidence phrase of FILE may stand in --against")
    parser.add_argument(
        "--near",
        type=_share,
        default=None,
        metavar="SHARE",
        help="word triples in common of near duplicates (default: 0.8)",
    )
    parser.add_argument("--no-near", action="store_true", help="do not look for near duplicates")
    parser.add_argument("--no-reasoning", action="store_true", help="do not verify reasoning")
    parser.add_argument("--max-words", type=positive, metavar="N", help="longest narrative allowed, in words")
    parser.add_argument("--strict", action="store_true", help="exit code 1 for warnings too")


def _check(args: argparse.Namespace) -> int:
    from thce import codes
    from thce.narratives import quality

    report = quality.check(
        args.files,
        codes.open(args.codes),
        args.against,
        args.new_phrases,
        None if args.no_near else args.near or quality.NEAR,
        args.max_words,
        not args.no_reasoning,
    )
    if args.json:
        _print(report.as_dict(), True)
    else:
        print("\n".join(quality.lines(report)))
    return 1 if report.total(quality.ERROR) or (args.strict and report.total(quality.WARNING)) else 0


def _print(result: dict[str, Any], as_json: bool) -> int:
    if as_json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        for name, value in result.items():
            text = "; ".join(f"{key}: {item}" for key, item in value.items()) or "-" if isinstance(value, dict) else value
            print(f"{name.replace('_', ' ')}: {text}")
    return 0
