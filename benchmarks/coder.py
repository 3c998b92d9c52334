"""How fast the coder is, beside the library's own ways of doing the same with the same model, inputs and run.

    python benchmarks/coder.py                       # models/stage3 on data/prepared/test_known.jsonl
    python benchmarks/coder.py --rows 96 --rounds 3 --threads 1 --json

Compared, with and without reasoning, one note at a time and 32 at once:

    coder             the whole system: look-up, prior and model decide, then the reasoning is written for the answer
    model alone       the model under the code table; it reasons before it answers, as `generate` does
    generate          the library's `generate`, greedy, nothing held
    prefix fn         `generate` with `prefix_allowed_tokens_fn` over the same code lines
    llguidance        `generate` with a grammar of the same code lines (pip install -c constraints.txt -e '.[bench]')

Every way runs in a process of its own, so that its peak memory is its own; with `--rounds` above 1 the ways take turns and
the best of each counts, so that a busy machine disturbs all alike. One by one, the library's ways get fewer narratives
(`--alone`): they need seconds for each. Start-up is a whole `thce code` process for one note. At the end: the tree over
every billable ICD-10-CM code.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

OURS = ("coder", "model alone")
SYSTEMS = (*OURS, "generate", "prefix fn", "llguidance")
BATCH = 32
CASES = [(think, batch) for think in (True, False) for batch in (BATCH, 1)]
"""With reasoning or not, and how many narratives at once."""


def narratives(path: str, rows: int) -> list[str]:
    """The first narratives of a prepared test set."""
    from thce.files import read_jsonl

    return [record["messages"][1]["content"] for record in islice(read_jsonl(path), rows)]


def positive(text: str) -> int:
    """A whole number above 0, for an option."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not `{text}`")
    return int(text)


def runner(name: str, args: argparse.Namespace) -> Callable[[Sequence[str], bool, int], list[str]]:
    """The function that codes narratives in one of the ways: (narratives, with reasoning, batch) -> completions."""
    if name not in OURS:
        from coder_rivals import Library

        return Library(name, args.model, args.codes).answer
    from thce.coder.coder import Coder
    from thce.codes.book import open as open_book

    coder = Coder.load(args.model, open_book(args.codes), args.coder if name == "coder" else None)

    def ours(texts: Sequence[str], think: bool, batch: int) -> list[str]:
        coder.decoder.batch_size = batch
        step = len(texts) if batch > 1 else 1
        return [one.text for i in range(0, len(texts), step) for one in coder.code(texts[i : i + step], think)]

    return ours


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """One way in this process: seconds per note and valid share by case, load time and peak memory."""
    import torch

    from thce.codes.book import open as open_book

    torch.set_num_threads(args.threads)
    texts = narratives(args.input, args.rows)
    began = time.perf_counter()
    run = runner(name, args)
    found: dict[str, Any] = {"load_s": time.perf_counter() - began, "notes": {}, "seconds": {}, "valid": {}}
    run(texts[:2], True, BATCH)  # warms up
    for think, batch in CASES:
        part = texts if batch > 1 else texts[: args.rows if name in OURS else args.alone]
        began = time.perf_counter()
        said = run(part, think, batch)
        key = case_name(think, batch)
        found["seconds"][key] = (time.perf_counter() - began) / len(part)
        found["notes"][key] = len(part)
        found["valid"][key] = valid_share(said, open_book(args.codes))
    found["peak_mb"] = high_water()
    return found


def case_name(think: bool, batch: int) -> str:
    """A case as a key of the result."""
    return f"{'think' if think else 'direct'}, batch {batch}"


def valid_share(texts: Sequence[str], book: Any) -> float:
    """Share of completions that read as billable codes or as an explicit "no code"."""
    from thce.answers import parse

    good = 0
    for text in texts:
        read = parse(text)
        entries = [book.find(code.code_type, code.code) for code in read.codes]
        good += read.well_formed and all(entry is not None and entry.billable for entry in entries)
    return good / len(texts)


def high_water() -> float:
    """Peak memory of this process in MB (getrusage would report the parent's, from before the start)."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("peak memory is read from /proc: run this on Linux")


def in_process(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--only", name]
    for key in ("model", "coder", "codes", "input", "rows", "alone", "threads"):
        command += [f"--{key}", str(getattr(args, key))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:  # it has said why
        raise SystemExit(done.returncode)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def startup(args: argparse.Namespace) -> float | None:
    """Seconds of a whole `thce code` process for one note, the better of two; None without a calibrated coder."""
    if not args.coder:
        return None
    command = [sys.executable, "-m", "thce", "code", "acute bronchitis with cough"]
    command += ["--model", args.model, "--coder", args.coder, "--codes", args.codes]
    times = []
    for _ in range(2):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
        times.append(time.perf_counter() - began)
    return min(times)


def whole_table(args: argparse.Namespace) -> dict[str, float]:
    """The tree over every billable ICD-10-CM code, in the model's tokens: how long it takes, and its memory."""
    from thce.coder import trie
    from thce.coder.decode import read_tokenizer
    from thce.codes.book import open as open_book

    book = open_book(args.codes)
    entries = [entry for code in book.table("ICD10") if (entry := book.find("ICD10", code)) and entry.billable]
    tokenizer = read_tokenizer(args.model)
    began = time.perf_counter()
    codes = trie.CodeSet(entries, tokenizer)
    whole = time.perf_counter() - began
    began = time.perf_counter()
    tree = trie.build(codes.spelled)
    return {
        "codes": len(entries),
        "with_tokens_s": whole,
        "tree_s": time.perf_counter() - began,
        "tree_mb": tree.nbytes / 1e6,
        "nodes": len(tree.token),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/stage3")
    parser.add_argument("--coder", default="models/coder", help="calibrated coder; empty: without it")
    parser.add_argument("--codes", default="data/codes")
    parser.add_argument("--input", default="data/prepared/test_known.jsonl")
    parser.add_argument("--rows", type=positive, default=32, help="narratives of a way")
    parser.add_argument("--alone", type=positive, default=4, help="narratives one by one of the library's ways")
    parser.add_argument("--rounds", type=positive, default=1)
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS, metavar="WAY")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=SYSTEMS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(args.only, args)))
        return
    names = [name for name in args.systems if name != "llguidance" or find_spec("llguidance")]
    names = [name for name in names if name != "coder" or args.coder]
    best: dict[str, dict[str, Any]] = {}
    for _ in range(args.rounds):
        for name in names:
            found = in_process(args, name)
            known = best.setdefault(name, found)
            for key, seconds in found["seconds"].items():
                known["seconds"][key] = min(known["seconds"][key], seconds)
            known["load_s"] = min(known["load_s"], found["load_s"])
    result: dict[str, Any] = {"threads": args.threads, "rounds": args.rounds, "systems": best}
    result |= {"startup_s": startup(args), "whole_table": whole_table(args)}
    print(json.dumps(result, indent=2) if args.json else table(result))


def table(result: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    systems = result["systems"]
    base = systems.get("coder")
    lines = [
        f"{result['threads']} threads, best of {result['rounds']} round(s)",
        "",
        "| | reasoning | notes/s, batch 32 | ms/note, batch 1 | valid answers | coder is faster by | load s | peak MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for think in (True, False):
        many, one = case_name(think, BATCH), case_name(think, 1)
        for name, found in systems.items():
            seconds = found["seconds"]
            times = f"{seconds[many] / base['seconds'][many]:.1f} x" if base and found is not base else ""
            lines.append(
                f"| {name} | {'yes' if think else 'no'} | {1 / seconds[many]:.1f} (of {found['notes'][many]}) | "
                f"{1000 * seconds[one]:.0f} (of {found['notes'][one]}) | {100 * found['valid'][many]:.0f} % | {times} | "
                f"{found['load_s']:.1f} | {found['peak_mb']:.0f} |"
            )
    if result["startup_s"] is not None:
        lines += ["", f"`thce code` for one note, the whole process: {result['startup_s']:.1f} s"]
    tree = result["whole_table"]
    lines += [
        "",
        f"Tree over {tree['codes']:,} ICD-10-CM codes: {tree['with_tokens_s']:.2f} s with their tokens, {tree['tree_s']:.2f} s "
        f"the tree alone; {tree['nodes']:,} nodes, {tree['tree_mb']:.1f} MB",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    from thce.errors import UserError

    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
