"""Preference tuning, one change at a time: every variant is trained from the stage-2 model and measured on validation prompts.

    python benchmarks/preferences.py                          # all variants, a minute or two each (`rlvr` longer)
    python benchmarks/preferences.py --only beta_0.5 rlvr     # some of them

Needs the outputs of `dvc repro pairs` (`models/stage2`, `data/pairs`, `data/prepared`). No test row is read: half of the rows
are from data/prepared/stage3/val.jsonl, half from stage2/val.jsonl, and every variant answers the same ones.

- `exact`     written freely and greedily: the answer is exactly the row's codes
- `faithful`  the verifier holds every part true, right or wrong
- `good`      exact, faithful and finished: what the pairs were chosen by
- `stopped`   the turn was ended within the limit; `tokens`: mean length of a completion
- `direct`    under the code table, without reasoning: exact
- `gain`      good minus stage 2's, in points, with the paired bootstrap interval; `exact_gain` likewise

What a variant changes is written as the keys of `params.yaml` are. The default profile trains on pairs both sides of which the
model wrote itself and on built traces against samples that name fewer codes; `sft` on their chosen side alone, which is nearly
rejection sampling (one round of expert iteration); `own` leaves the built traces out, `with_built` takes pairs with a built
negative instead of them, `with_mended` those of a built trace against any sample.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from thce import files, params
from thce.coder.decode import Decoder
from thce.coder.trie import CodeSet
from thce.codes.book import CodeBook
from thce.codes.book import open as open_book
from thce.errors import UserError
from thce.evaluation import intervals
from thce.modeling import chat, dpo, rlvr, runtime
from thce.reasoning import pairs
from thce.reasoning.negatives import correct
from thce.reasoning.verify import verify
from thce.seeds import derive
from thce.settings.modeling import Stage3Params

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Variant:
    """What differs from the profile: values of `stage3`."""

    changes: dict[str, Any] = field(default_factory=dict)


def losses(*names: str, weights: tuple[float, ...] = (), **more: Any) -> Variant:
    """A variant with these losses."""
    return Variant({"loss_type": names, "loss_weights": weights or (1.0,) * len(names), **more})


VARIANTS = {
    "profile": Variant(),
    "beta_0.05": Variant({"beta": 0.05}),
    "beta_0.3": Variant({"beta": 0.3}),
    "beta_0.5": Variant({"beta": 0.5}),
    "rate_1e-6": Variant({"learning_rate": 1e-6}),
    "rate_5e-6": Variant({"learning_rate": 5e-6}),
    "rate_3e-5": Variant({"learning_rate": 3e-5}),
    "rate_5e-5": Variant({"learning_rate": 5e-5}),
    "rate_1e-4": Variant({"learning_rate": 1e-4}),
    "rate_1e-4_epochs_3": Variant({"learning_rate": 1e-4, "epochs": 3.0}),
    "epochs_3": Variant({"epochs": 3.0}),
    "sigmoid": losses("sigmoid"),
    "sft_1": losses("sigmoid", "sft"),
    "sft_10": losses("sigmoid", "sft", weights=(1.0, 10.0)),
    "ipo": losses("ipo", "sft"),
    "apo_zero": losses("apo_zero", "sft"),
    "sigmoid_norm": losses("sigmoid_norm", "sft", beta=5.0),
    "sft": losses("sft", learning_rate=1e-4),
    "sft_3e-4": losses("sft", learning_rate=3e-4, epochs=3.0),
    "own_alone": Variant({"origins": ("own",)}),
    "with_completed": Variant({"origins": ("own", "uncoded", "completed")}),
    "with_built": Variant({"origins": ("own", "uncoded", "built")}),
    "with_mended": Variant({"origins": ("own", "uncoded", "completed", "mended")}),
    "rlvr": Variant({"rlvr_steps": 30}),
    "rlvr_1e-4": Variant({"rlvr_steps": 30, "rlvr_learning_rate": 1e-4}),
}


def rows_of(count: int) -> list[dict[str, Any]]:
    """Validation rows, half from each file: narrative, codes, and both prompts' system texts are added by the caller."""
    found = []
    for name in ("stage3/val", "stage2/val"):
        for row in list(files.read_jsonl(f"data/prepared/{name}.jsonl"))[: count // 2]:
            talk = row["prompt"] if "prompt" in row else row["messages"][:-1]
            found.append({"narrative": talk[-1]["content"], "codes": row["_metadata"]["codes"]})
    return found


def measure(folder: Path, rows: list[dict[str, Any]], book: CodeBook, limit: int) -> dict[str, list[float]]:
    """One value per row of everything that is measured."""
    decoder = Decoder.load(folder, 64)
    systems = files.read_json(folder / "prompt.json")

    def ask(row: dict[str, Any], system: str) -> list[int]:
        talk = [{"role": "system", "content": system}, {"role": "user", "content": row["narrative"]}]
        return decoder.encode(chat.prompt_text(talk))

    drawn = [one for (one,) in decoder.free([ask(row, systems["system"]) for row in rows], limit)]
    codes = CodeSet(book.scope, decoder.tokenizer)
    asked = [ask(row, systems["system_direct"]) for row in rows]
    direct = decoder.constrained(asked, codes, think=False, max_reasoning=0, max_codes=5)
    good = [
        pairs.judge(row, pairs.Sample(one.text, one.stopped), book).fault is None for row, one in zip(rows, drawn, strict=True)
    ]
    return {
        "good": [float(value) for value in good],
        "exact": [float(correct(row, one.text)) for row, one in zip(rows, drawn, strict=True)],
        "faithful": [float(verify(row["narrative"], one.text, book).faithful) for row, one in zip(rows, drawn, strict=True)],
        "stopped": [float(one.stopped) for one in drawn],
        "tokens": [float(one.new_tokens) for one in drawn],
        "direct": [float(correct(row, one.text)) for row, one in zip(rows, direct, strict=True)],
    }


def train(
    variant: Variant, parent: Path, data: Path, out: Path, settings: Stage3Params, book: CodeBook, seed: int
) -> dict[str, Any]:
    """Train one variant into `out`; returns the stage's metrics."""
    mine = replace(settings, **variant.changes)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["THCE_CHECKPOINTS"] = folder
        _, metrics = dpo.train_stage(parent, out, data, mine, seed)
    if mine.rlvr_steps:
        judge = judge_with(book)
        train, val = (list(files.read_jsonl(f"data/prepared/stage3/{part}.jsonl")) for part in ("train", "val"))
        metrics["rlvr"] = rlvr.train_stage(out, out, train, val, judge, mine, derive(seed, "rlvr"))
    return metrics


def changed(settings: Stage3Params, changes: Sequence[str]) -> Stage3Params:
    """The settings with `KEY=VALUE` changes; raises `UserError` for a key that is not a number of `stage3` or no number."""
    for one in changes:
        key, _, value = one.partition("=")
        before = getattr(settings, key, None)
        if not isinstance(before, (int, float)):
            raise UserError("--set", f"`{key}` is no number of stage3")
        try:
            settings = replace(settings, **{key: type(before)(value)})
        except ValueError:
            raise UserError("--set", f"`{value}` is no value of {key}", f"write it as {before}") from None
    return settings


def judge_with(book: CodeBook) -> Callable[[dict[str, Any], str, bool], bool]:
    """The reward of stage 3."""

    def good(row: dict[str, Any], text: str, stopped: bool) -> bool:
        fact = {"narrative": row["prompt"][-1]["content"], "codes": row["_metadata"]["codes"]}
        return pairs.judge(fact, pairs.Sample(text, stopped), book).fault is None

    return good


def summary(found: dict[str, list[float]], before: dict[str, list[float]]) -> dict[str, Any]:
    """Means in percent (tokens as they are), and both gains over stage 2 with their intervals in points."""
    count = len(found["good"])
    result: dict[str, Any] = {
        name: round(sum(values) / count * (1 if name == "tokens" else 100), 1) for name, values in found.items()
    }
    for name, key in (("gain", "good"), ("exact_gain", "exact"), ("direct_gain", "direct")):
        pair = intervals.paired([v > 0 for v in found[key]], [v > 0 for v in before[key]], None, 5, RESAMPLES)
        result[name] = [round(100 * value, 1) for value in (pair.difference, pair.low, pair.high)]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parent", type=Path, default=Path("models/stage2"), help="the model every variant starts from")
    parser.add_argument("--pairs", type=Path, default=Path("data/pairs"))
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME")
    parser.add_argument("--rows", type=int, default=200, help="validation rows (default: 200)")
    parser.add_argument("--limit", type=int, default=140, help="longest completion in tokens (default: 140)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="change a number of stage3 in all variants")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        run(args)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def run(args: argparse.Namespace) -> None:
    """Measure the parent, then train and measure each variant. Raises `UserError` where the pipeline has not come that far."""
    settings = changed(params.load(Stage3Params), args.set)
    seed = derive(params.load_scalar("seed"), "stage3")
    runtime.start(args.threads, seed)
    book = open_book("data/codes")
    rows = rows_of(args.rows)
    before = measure(args.parent, rows, book, args.limit)
    report("stage2", summary(before, before), args.json)
    for name in args.only:
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            metrics = train(VARIANTS[name], args.parent, args.pairs, Path(folder), settings, book, seed)
            seconds = time.perf_counter() - begun
            found = summary(measure(Path(folder), rows, book, args.limit), before)
        found |= {"pairs": metrics["pairs"], "steps": metrics["steps"], "training_seconds": round(seconds)}
        found |= {"rlvr": metrics["rlvr"]} if "rlvr" in metrics else {}
        report(name, found, args.json)


def report(name: str, found: dict[str, Any], as_json: bool) -> None:
    """One line per variant."""
    if as_json:
        print(json.dumps({"variant": name} | found), flush=True)
    else:
        print(f"{name:20}" + "  ".join(f"{key} {value}" for key, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
