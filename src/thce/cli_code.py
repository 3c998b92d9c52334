"""`thce code`: narratives in, codes with evidence out."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from thce import terminal
from thce.answers import CODE_TYPES
from thce.cli_options import positive
from thce.errors import UserError

_EPILOG = """examples
  thce code "Patient presents with acute bronchitis with cough and fever."
  thce code --input notes.jsonl --output coded.jsonl --workers 2
  thce code --input notes.csv --output coded.jsonl --resume --audit
  thce code --input notes.jsonl --output coded.jsonl --engine ray --workers 16
  cut -f2 notes.tsv | thce code --input - --no-think

input      .jsonl, .csv or .parquet with `narrative` and, if wanted, `id`, `code_type`, `date`; .txt with one narrative
           per line; `-` reads lines or JSON objects from standard input
output     one JSON object per narrative, in the order of the input: id, status (coded, review, none or error),
           confidence, codes with description, confidence and evidence offsets, reasoning, alternatives, findings
exit code  0 fine, 1 some rows could not be coded, 2 wrong use

Research software: not for unsupervised billing. A person must check every code before it is used.
No text leaves this machine.
"""


def add_parser(subparsers: Any) -> None:
    """Add `thce code`."""
    parser = subparsers.add_parser(
        "code",
        help="code narratives with the trained model",
        description="Code narratives: ICD-10-CM, CPT and HCPCS codes with evidence, confidence and reasoning, or none.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("text", nargs="?", metavar="TEXT", help="one narrative")
    parser.add_argument("--input", metavar="FILE", help="many narratives; `-` for standard input")
    parser.add_argument("--output", metavar="FILE", help="where the results go (default: standard output)")
    parser.add_argument("--resume", action="store_true", help="go on with an output that was cut off")
    parser.add_argument("--strict", action="store_true", help="stop at the first row that cannot be coded")
    parser.add_argument("--audit", action="store_true", help="add input hash, model hash, code-set releases and parameters")
    parser.add_argument("--json", action="store_true", help="one JSON object also for a single narrative")
    parser.add_argument("--no-think", action="store_true", help="answer without reasoning: faster")
    parser.add_argument("--type", choices=CODE_TYPES, help="only codes of this type")
    parser.add_argument("--date", "--dos", metavar="YYYY-MM-DD", help="day of service: only codes in force on that day")
    parser.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="processes, each with its own model (default: 1)"
    )
    parser.add_argument(
        "--engine",
        choices=("processes", "ray"),
        default="processes",
        help="what runs the workers: processes of this machine (default), or a Ray cluster",
    )
    parser.add_argument("--model", "--model-path", default="models/stage3", metavar="FOLDER", help="the trained model")
    parser.add_argument(
        "--coder", "--coder-path", default="models/coder", metavar="FOLDER", help="lexical prior and calibration"
    )
    parser.add_argument("--tables", "--codes", dest="codes", default="data/codes", metavar="FOLDER", help="the code tables")
    parser.set_defaults(run=_code)


def _code(args: argparse.Namespace) -> int:
    if (args.text is None) == (args.input is None):
        raise UserError("thce code", "give one narrative or --input", 'for example: thce code "acute bronchitis"')
    if args.resume and not args.output:
        raise UserError("--resume", "needs --output, the file to go on with")
    from thce.coder import records
    from thce.codes.book import open as open_book

    day = records.parse_day(args.date) if args.date else None
    if args.text is not None and not args.text.strip():
        raise UserError("narrative", "is empty")
    if args.text is not None and not records.encodable(args.text):
        raise UserError("narrative", "is not UTF-8")
    jobs = records.read_jobs(args.input, args.type, day) if args.input else iter(())
    jobs = chain(list(islice(jobs, 1)), jobs)  # a file that is missing or of another kind is said before anything is written
    for folder, file in ((args.model, "config.json"), (args.coder, "coder.json")):
        if not (Path(folder) / file).is_file():
            raise UserError(folder, "nothing is trained here yet", "run `make repro` (or `dvc repro`)")
    open_book(args.codes)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads soon sleep: spinning ones starve a busy machine
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    from thce.coder import run

    engine = run.run
    if args.engine == "ray":
        from thce.coder.engine import run as engine
    setup = run.Setup(args.model, args.coder, args.codes, False if args.no_think else None, args.audit)
    if args.text is not None:
        import torch

        torch.set_num_threads(1)  # one note is too little work to share out
        worker = run.Worker(setup)
        row = worker.rows([records.Job("1", "narrative", args.text, args.type, day)])[0]
        if row["status"] == "error":
            raise UserError("narrative", row["error"])
        if args.json or args.output:
            output = records.Output(args.output, False)
            output.write([row])
            output.close()
        else:
            doubts = checked(args.text, row, args.codes) if row["reasoning"] else {}
            print(view(args.text, row, terminal.colours(sys.stdout), doubts))
        return 0

    output = records.Output(args.output, args.resume)
    if output.complete:
        print(f"{args.output} is complete already", file=sys.stderr)
        return 0
    jobs = records.skip_done(jobs, output.done, f"{args.output}.part")
    bad = 0
    coded = engine(jobs, setup, args.workers, _chunk_size(args.coder))
    total = None
    if sys.stderr.isatty() and Path(args.input).is_file():  # what comes through a pipe can be read only once
        total = sum(1 for _ in records.read_jobs(args.input, args.type, day))
    for _, rows in _with_progress(coded, len(output.done), total):
        faults = [row for row in rows if row["status"] == "error"]
        if faults and args.strict:
            output.write(rows[: rows.index(faults[0])])
            raise UserError(faults[0]["place"], faults[0]["error"], "mend the row, or run without --strict")
        bad += len(faults)
        output.write(rows)
    output.close()
    if bad:
        print(f"{bad} rows could not be coded; see their `error`", file=sys.stderr)
    return 1 if bad else 0


def _chunk_size(coder_folder: str) -> int:
    from thce.coder import fusion, run

    return int(fusion.load(coder_folder)["params"]["batch_size"]) * run.CHUNK


def _with_progress(chunks: Any, done: int, total: int | None) -> Any:
    """The chunks, counted on the terminal, with rate and, if it is known how many there are, the time that is left."""
    if not sys.stderr.isatty():
        yield from chunks
        return
    from tqdm import tqdm

    with tqdm(initial=done, total=total, unit=" narratives", file=sys.stderr) as bar:
        for jobs, rows in chunks:
            yield jobs, rows
            bar.update(len(rows))


def checked(narrative: str, row: dict[str, Any], codes_folder: str) -> dict[str, str]:
    """Bullet of the row's reasoning -> why it does not hold, for those that do not, judged beside the row's answer."""
    from thce.answers import format_answer, format_completion
    from thce.codes.book import open as open_book
    from thce.reasoning.verify import SUPPORTED, verify

    answer = format_answer([(item["code_type"], item["code"], item["description"]) for item in row["codes"]])
    verdict = verify(narrative, format_completion(row["reasoning"], answer), open_book(codes_folder))
    return {claim.text: claim.reason or claim.status for claim in verdict.claims if claim.status != SUPPORTED}


def view(narrative: str, row: dict[str, Any], colour: bool, doubts: Mapping[str, str] | None = None) -> str:
    """One result for a person: the narrative with its evidence marked, codes, reasoning, alternatives, findings.

    `doubts` maps a bullet of the reasoning to what the check found wrong with it; it is printed beside the bullet.
    """

    def paint(text: str, style: str) -> str:
        return terminal.paint(text, style, colour)

    spans = {(span["start"], span["end"]) for item in row["codes"] for span in item["evidence"]}
    lines = [terminal.marked(narrative, spans, colour), ""]
    said = {"coded": "coded", "review": "review: a person should look at this", "none": "no code supported by the text"}
    lines.append(f"{paint(said[row['status']], terminal.BOLD)}  (confidence {row['confidence']:.2f})")
    for item in row["codes"]:
        lines.append(
            f"  {item['code_type']} {paint(item['code'], terminal.BOLD)}  {item['description']}  {item['confidence']:.2f}"
        )
        for span in item["evidence"]:
            lines.append(
                paint(f'      "{span["text"]}" at {span["start"]}-{span["end"]}, from the {span["source"]}', terminal.DIM)
            )
    if row["reasoning"]:
        lines += ["", "reasoning"]
        for line in row["reasoning"].split("\n"):
            doubt = next((why for text, why in (doubts or {}).items() if text and text in line), None)
            lines.append(f"  {terminal.plain(line)}" + (paint(f"   <- does not hold: {doubt}", terminal.DIM) if doubt else ""))
    lines += ["", "alternatives"]
    for other in row["alternatives"]:
        name = f"{other['code_type']} {other['code']}" if other["code"] else "no code"
        lines.append(f"  {other['probability']:.3f}  {name}")
    if row["findings"]:
        lines += ["", "findings", *(f"  {finding['severity']}: {finding['text']}" for finding in row["findings"])]
    if "audit" in row:
        lines += [
            "",
            "audit",
            *(f"  {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in row["audit"].items()),
        ]
    return "\n".join(lines)
