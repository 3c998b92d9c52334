"""Preference pairs: sample the stage-2 model, judge every sample, keep the most instructive contrast per prompt."""

from collections import Counter
from typing import Any

import _bootstrap
from thce import files, params
from thce.coder.decode import Decoder
from thce.codes.book import open as open_book
from thce.modeling import chat, runtime
from thce.reasoning import pairs
from thce.seeds import derive
from thce.settings.pairs import PairsParams


def main() -> None:
    # 1 parameters and model
    settings = params.load(PairsParams)
    seed = derive(params.load_scalar("seed"), "pairs")
    runtime.start(params.load_scalar("threads"), seed)
    book = open_book("data/codes")
    decoder = Decoder.load("models/stage2", settings.batch_size)

    # 2 sample and judge
    metrics: dict[str, Any] = {}
    for part, prompts, limit in (
        ("train", settings.prompts, settings.max_pairs),
        ("val", settings.val_pairs, settings.val_pairs),
    ):
        rows = list(files.read_jsonl(f"data/prepared/stage3/{part}.jsonl"))[:prompts]
        drawn = decoder.free(
            [decoder.encode(chat.prompt_text(row["prompt"])) for row in rows],
            settings.max_new_tokens,
            samples=settings.samples,
            temperature=settings.temperature,
            seed=derive(seed, part),
        )
        judged = [
            [
                pairs.judge(fact(row), pairs.Sample(sample.text.removesuffix(chat.STOP), sample.stopped), book)
                for sample in samples
            ]
            for row, samples in zip(rows, drawn, strict=True)
        ]

        # 3 choose and mix
        found = []
        for row, samples in zip(rows, judged, strict=True):
            about = row["_metadata"]
            pair = pairs.choose(samples, row["chosen"], (about["rejected_kind"], row["rejected"]))
            if pair is not None:
                found.append((about["id"], lead(about["codes"]), pair))
        mixed = pairs.mix(found, settings.built_share, settings.max_per_code, limit, derive(seed, part, "mix"))
        by_id = {row["_metadata"]["id"]: row for row in rows}
        files.write_jsonl(
            f"data/pairs/{part}.jsonl",
            (
                {
                    "prompt": by_id[name]["prompt"],
                    "chosen": pair.chosen,
                    "rejected": pair.rejected,
                    "_metadata": {**by_id[name]["_metadata"], "rejected_kind": pair.fault, "origin": pair.origin},
                }
                for name, pair in mixed
            ),
        )
        metrics[part] = summary(judged, found, mixed)

    # 4 metrics
    files.write_json("metrics/pairs.json", metrics)


def fact(row: dict[str, Any]) -> dict[str, Any]:
    """What judging needs of a prepared row: the narrative and the right codes."""
    return {"narrative": row["prompt"][-1]["content"], "codes": row["_metadata"]["codes"]}


def lead(codes: list[dict[str, str]]) -> str:
    """The first code, or that there is none."""
    return codes[0]["code"] if codes else pairs.NO_CODE


def summary(judged: list[list[pairs.Judged]], found: list[Any], mixed: list[tuple[str, pairs.Pair]]) -> dict[str, Any]:
    """Shares over samples and prompts, and what the pairs are made of."""
    samples = [one for row in judged for one in row]
    own = sum(pair.origin == "own" for _, _, pair in found)
    return {
        "prompts": len(judged),
        "samples": len(samples),
        "samples_good": sum(one.fault is None for one in samples) / max(1, len(samples)),
        "faults": dict(sorted(Counter(one.fault for one in samples if one.fault).items())),
        "prompts_with_own_contrast": own / max(1, len(judged)),
        "prompts_without_fault": sum(all(one.fault is None for one in row) for row in judged) / max(1, len(judged)),
        "pairs": len(mixed),
        "origin": dict(sorted(Counter(pair.origin for _, pair in mixed).items())),
        "rejected": dict(sorted(Counter(pair.fault for _, pair in mixed).items())),
    }


if __name__ == "__main__":
    _bootstrap.run(main)
