"""Which parts of a trace a model foretells: the right next token, given all before it, on validation traces of one code.

    python benchmarks/foretold.py models/base models/stage1 models/stage2 models/stage3

Per model the share of tokens that are its first choice, on wordings of training and on held-out ones (`known`, `unseen`):
the opening of the trace, the first quotation by place, where it ends, the place in the table, the deciding step, the line
that names the code, and the answer. Needs `dvc repro stage3`; no test row is read. A dash: no such token among the rows.

With `--around "[" "]"` the evidence stands in brackets in the note (`--around Dx= ""`: behind an equals sign). Notes of
validation and of the tests never have a sign right before it; those of training do.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

import torch

from thce import answers, files
from thce.errors import UserError
from thce.modeling import base, chat, runtime
from thce.narratives.phrasebook import key

PARTS = ("opening", "quote 1", "quote 2", "quote 3+", "end of quote", "place", "decides", "code", "answer")


def part(text: str, at: int, first: int, last: int, number: int) -> str:
    """The part of a trace in which the character `at` stands; its first quotation lies between `first` and `last`, and the
    token there is the `number`-th inside."""
    if first < at < last:
        return f"quote {number}" if number < 3 else "quote 3+"
    if at == last:
        return "end of quote"
    if at < last:
        return "opening"
    if at >= text.index(answers.THINK_CLOSE):
        return "answer"
    begin = text.rfind("\n", 0, at + 1) + 1
    line = text[begin:].partition("\n")[0]
    return "decides" if line.startswith("- Decides") else "code" if line.startswith("- Code") else "place"


@torch.no_grad()
def foretold(model: Any, tokenizer: Any, messages: list[dict[str, str]]) -> dict[str, list[bool]]:
    """Whether each token of the answer is the model's first choice, by part."""
    text = messages[-1]["content"]
    prompt = tokenizer.encode(chat.prompt_text(messages[:-1]), add_special_tokens=False)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
    right = (logits.argmax(-1) == torch.tensor(ids)).tolist()
    first = text.index('"')
    last = text.index('"', first + 1)
    found: dict[str, list[bool]] = defaultdict(list)
    number = 0
    for (_, end), hit in zip(encoded["offset_mapping"], right, strict=True):
        at = end - 1  # the first quoted word is read with a blank before it, which counts as part of the quotation mark
        number += first < at < last
        found[part(text, at, first, last, number)].append(hit)
    return found


def enclosed(row: dict[str, Any], before: str, after: str) -> list[dict[str, str]]:
    """The conversation of a row, in its note the evidence with something before it and after it."""
    system, user, answer = row["messages"]
    span = row["_metadata"]["evidence"][0]
    text, start, end = user["content"], span["start"], span["end"]
    return [system, user | {"content": f"{text[:start]}{before}{text[start:end]}{after}{text[end:]}"}, answer]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--around", nargs=2, default=("", ""), metavar=("BEFORE", "AFTER"), help="put around the evidence")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    runtime.start(2, 17)
    held = {key(row["phrase"]) for row in files.read_jsonl("data/narratives/phrases.jsonl") if row["split"] == "val"}
    every = files.read_jsonl("data/prepared/stage2/val.jsonl")
    rows = [row for row in every if len(row["_metadata"]["codes"]) == 1][: args.rows]
    result: dict[str, Any] = {}
    for path in args.models:
        model, tokenizer = base.load(path)
        model.eval()
        hits: dict[str, dict[str, list[bool]]] = {kind: defaultdict(list) for kind in ("known", "unseen")}
        for row in rows:
            kind = "unseen" if key(row["_metadata"]["evidence"][0]["phrase"]) in held else "known"
            for name, some in foretold(model, tokenizer, enclosed(row, *args.around)).items():
                hits[kind][name] += some
        result[str(path)] = {
            kind: {name: round(100 * sum(some) / len(some), 1) if (some := found[name]) else None for name in PARTS}
            for kind, found in hits.items()
        }
    if args.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{'%, known / unseen':24}" + "".join(f"{name:>14}" for name in PARTS))
    for path, kinds in result.items():
        shares = ([kinds[kind][name] for kind in ("known", "unseen")] for name in PARTS)
        cells = (" / ".join("-" if share is None else f"{share:.1f}" for share in pair) for pair in shares)
        print(f"{path:24}" + "".join(f"{cell:>14}" for cell in cells))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
