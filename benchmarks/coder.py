"""How fast the coder is, beside the library's own ways of doing the same with the same model, inputs and run.

    python benchmarks/coder.py                       # models/stage3 on data/prepared/test_known.jsonl
    python benchmarks/coder.py --rows 64 --threads 1 --json

Compared, with and without reasoning, one note at a time and 32 at once:

    coder       constrained decoding over the code tree: probabilities of all codes, forced text appended in one pass
    generate    the library's `generate`, greedy, unconstrained
    prefix fn   `generate` with `prefix_allowed_tokens_fn` over the same code lines

Rounds are interleaved and the best of each is shown, so that a busy machine disturbs all alike. Memory is the peak of a
process that runs nothing else; start-up is a whole `thce code` process for one note.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

SYSTEMS = ("coder", "generate", "prefix fn")
MAX_REASONING, MAX_LINE = 160, 48


def narratives(path: str, rows: int) -> list[str]:
    """The first narratives of a prepared test set."""
    with open(path, encoding="utf-8") as stream:
        return [json.loads(line)["messages"][1]["content"] for _, line in zip(range(rows), stream, strict=False)]


class Library:
    """The model as the library loads and runs it."""

    def __init__(self, folder: str, coder: Any) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.coder = coder
        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", local_files_only=True)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
        self.tree: dict[int, Any] = {}
        codes = coder.codes()
        for number in range(len(codes)):
            node = self.tree
            for token in codes.tokens(number):
                node = node.setdefault(token, {})

    def answer(self, texts: Sequence[str], think: bool, batch: int, constrained: bool) -> list[str]:
        """Completions, batches sorted by length as the coder sorts them."""
        prompts = [self.coder.prompt(text, think) for text in texts]
        order = sorted(range(len(texts)), key=lambda i: len(prompts[i]))
        found = [""] * len(texts)
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            inputs = self.tokenizer.pad({"input_ids": [prompts[i] for i in part]}, return_tensors="pt")
            width = inputs["input_ids"].shape[1]
            allowed = self._allowed(width, think) if constrained else None
            written = self.model.generate(
                **inputs,
                do_sample=False,
                max_new_tokens=(MAX_REASONING if think else 0) + MAX_LINE,
                eos_token_id=self.coder.decoder.stop,
                pad_token_id=self.tokenizer.pad_token_id,
                prefix_allowed_tokens_fn=allowed,
            )
            for i, row in zip(part, written[:, width:].tolist(), strict=True):
                end = row.index(self.coder.decoder.stop) if self.coder.decoder.stop in row else len(row)
                found[i] = self.coder.decoder.decode(row[:end])
        return found

    def _allowed(self, width: int, think: bool) -> Callable[[int, Any], list[int]]:
        """Any token until the reasoning is closed, then the lines of the code tree."""
        decoder = self.coder.decoder
        every = list(range(len(self.tokenizer)))

        def allowed(row: int, ids: Any) -> list[int]:
            written = ids[width:].tolist()
            if think:
                if decoder.close not in written:
                    return [decoder.close] if len(written) >= MAX_REASONING else every
                written = written[written.index(decoder.close) + 1 :]
                if not written:
                    return [decoder.newline]
                written = written[1:]
            node = self.tree
            for token in written:
                if token == decoder.newline and not node:
                    node = self.tree
                elif token in node:
                    node = node[token]
                else:
                    return [decoder.stop]
            return list(node) or [decoder.stop, decoder.newline]

        return allowed


def load(model: str, coder_folder: str | None, codes: str) -> Any:
    """Our coder; without a calibrated folder the model alone."""
    from dataclasses import replace

    from thce.coder.coder import Coder, Options
    from thce.codes.book import open as open_book

    options = Options(max_reasoning=MAX_REASONING)
    coder = Coder.load(model, open_book(codes), coder_folder, options=None if coder_folder else options)
    coder.options = replace(coder.options, max_reasoning=MAX_REASONING)
    return coder


def runner(
    name: str, coder: Any, library: Library | None, think: bool, batch: int
) -> Callable[[Sequence[str]], list[str]]:
    """The function that codes narratives in one of the ways."""
    if name == "coder":

        def ours(texts: Sequence[str]) -> list[str]:
            coder.decoder.batch_size = batch
            step = len(texts) if batch > 1 else 1
            return [one.text for i in range(0, len(texts), step) for one in coder.code(texts[i : i + step], think)]

        return ours
    assert library is not None
    return lambda texts: library.answer(texts, think, batch, name == "prefix fn")


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


def peak(args: argparse.Namespace, name: str) -> float:
    """Peak memory in MB of a process that answers 32 narratives in one way."""
    command = [sys.executable, __file__, "--only", name, "--rows", "32", *_shared(args)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def startup(args: argparse.Namespace) -> float | None:
    """Seconds of a whole `thce code` process for one note, the better of two; None without a calibrated coder."""
    if not args.coder:
        return None
    command = [sys.executable, "-m", "thce", "code", "acute bronchitis with cough"]
    command += ["--model", args.model, "--coder", args.coder, "--codes", args.codes]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent / "src")}
    times = []
    for _ in range(2):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=env)
        times.append(time.perf_counter() - began)
    return min(times)


def _shared(args: argparse.Namespace) -> list[str]:
    shared = ["--model", args.model, "--codes", args.codes, "--input", args.input, "--threads", str(args.threads)]
    return [*shared, "--coder", args.coder]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/stage3")
    parser.add_argument("--coder", default="models/coder", help="calibrated coder; empty: the model alone")
    parser.add_argument("--codes", default="data/codes")
    parser.add_argument("--input", default="data/prepared/test_known.jsonl")
    parser.add_argument("--rows", type=int, default=96, help="narratives in the batches; a sixth of them one by one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=SYSTEMS, help=argparse.SUPPRESS)
    args = parser.parse_args()

    import torch

    torch.set_num_threads(args.threads)
    texts = narratives(args.input, args.rows)
    coder = load(args.model, args.coder or None, args.codes)
    if args.only:
        library = None if args.only == "coder" else Library(args.model, coder)
        runner(args.only, coder, library, True, 32)(texts)
        print(high_water())
        return
    library = Library(args.model, coder)
    best: dict[tuple[str, bool, int], float] = {}
    share: dict[tuple[str, bool, int], float] = {}
    cases = [(name, think, batch) for think in (True, False) for batch in (32, 1) for name in SYSTEMS]
    for turn in range(args.rounds + 1):
        for case in cases:
            name, think, batch = case
            part = texts if batch > 1 else texts[: max(4, len(texts) // 6)]
            run = runner(name, coder, library, think, batch)
            began = time.perf_counter()
            said = run(part if turn else part[:4])
            if turn:  # the first turn only warms up
                best[case] = min(best.get(case, float("inf")), (time.perf_counter() - began) / len(part))
                share[case] = valid_share(said, coder.book)
    result: dict[str, Any] = {
        "rows": len(texts),
        "threads": args.threads,
        "seconds_per_note": {f"{n}, {'think' if t else 'direct'}, batch {b}": best[n, t, b] for n, t, b in cases},
        "valid": {f"{n}, {'think' if t else 'direct'}": share[n, t, 32] for n, t, b in cases if b == 32},
        "peak_mb": {name: peak(args, name) for name in SYSTEMS},
        "startup_s": startup(args),
    }
    print(json.dumps(result, indent=2) if args.json else table(best, share, result))


def table(
    best: dict[tuple[str, bool, int], float], share: dict[tuple[str, bool, int], float], result: dict[str, Any]
) -> str:
    """The results as a Markdown table."""
    lines = [
        f"{result['rows']} narratives, {result['threads']} threads, best of the rounds",
        "",
        "| | reasoning | notes/s, batch 32 | ms/note, batch 1 | valid answers | coder is faster, batch 32 | peak MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for think in (True, False):
        for name in SYSTEMS:
            many, one = best[name, think, 32], best[name, think, 1]
            times = "" if name == "coder" else f"{many / best['coder', think, 32]:.1f} x"
            lines.append(
                f"| {name} | {'yes' if think else 'no'} | {1 / many:.1f} | {1000 * one:.0f} | "
                f"{100 * share[name, think, 32]:.0f} % | {times} | {result['peak_mb'][name]:.0f} |"
            )
    if result["startup_s"] is not None:
        lines += ["", f"`thce code` for one note, the whole process: {result['startup_s']:.1f} s"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
