"""DVC stage `prepare`: narratives become the examples of the three stages, the test sets and the base model's text."""

from __future__ import annotations

from functools import partial

import _bootstrap
from thce import params
from thce.codes.book import open as open_book
from thce.errors import UserError
from thce.files import read_jsonl, write_json, write_jsonl
from thce.halves import in_halves
from thce.narratives import examples, prepare, synthetic
from thce.narratives.splits import PhraseIndex
from thce.settings.prepare import PrepareParams

NARRATIVES = "data/narratives"
OUT = "data/prepared"


def main() -> None:
    # inputs
    settings = params.load(PrepareParams)
    seed = params.load_scalar("seed")
    book = open_book("data/codes")
    rows = {name: list(read_jsonl(f"{NARRATIVES}/{name}.jsonl")) for name in synthetic.FILES}
    held = prepare.held_out_keys(list(read_jsonl(f"{NARRATIVES}/phrases.jsonl")))
    for group in rows.values():
        for row in group:
            examples.check(row, book, settings.max_words)

    # examples
    lexicon = examples.lexicon_of(rows["train"])
    index = PhraseIndex(lexicon)
    sizes = {
        "train": (settings.stage1_train, settings.stage2_train, settings.stage3_train),
        "val": (settings.stage1_val, settings.stage2_val, settings.stage3_val),
    }
    stages: dict[str, dict[str, list[dict[str, object]]]] = {stage: {} for stage in prepare.STAGES}
    left_out = 0
    for name, wanted in sizes.items():
        one, two, three = prepare.divide(rows[name], wanted, seed, evenly=name == "train")
        traced = in_halves(partial(examples.traced, book=book, system=settings.system_stage2, seed=seed), two)
        paired = [examples.stage3(row, book, settings.system_stage2, seed, lexicon, index) for row in three]
        stages["stage1"][name] = [examples.stage1(row, book, settings.system_stage1) for row in one]
        stages["stage2"][name] = [record for record in traced if record]
        stages["stage3"][name] = [record for record in paired if record]
        left_out += sum(record is None for record in traced + paired)
    as_tests = (*synthetic.TESTS, synthetic.VISITS)
    tests = {name: [examples.test(row, book, settings.system_stage2) for row in rows[name]] for name in as_tests}

    # the base model's text, and what must not be in it
    held_out = PhraseIndex([*sorted(held["test"]), *sorted(held["val"])])
    texts, dropped = prepare.pretraining(book, rows["train"], held_out)
    tested = [row for name in synthetic.TESTS for row in rows[name]]
    leaks = list(prepare.contamination(rows["train"], [*rows["val"], *rows[synthetic.VISITS]], tested, texts, held))
    if leaks:
        raise UserError(NARRATIVES, f"{len(leaks)} leaks into training, first: {leaks[0]}", "mend the split, then rerun")

    # results
    for stage, sets in stages.items():
        for name, records in sets.items():
            write_jsonl(f"{OUT}/{stage}/{name}.jsonl", records)
    for name, records in tests.items():
        write_jsonl(f"{OUT}/{name}.jsonl", records)
    write_jsonl(f"{OUT}/pretrain.jsonl", ({"text": text} for text in texts))
    quality = prepare.report(stages, tests) | {
        "contamination": len(leaks),
        "invalid_codes": 0,
        "pretrain": {"lines": len(texts), "dropped_held_out": dropped},
        "reasoning": examples.reasoning_report(stages, book) | {"left_out": left_out},
    }
    write_json("metrics/prepare.json", quality)


if __name__ == "__main__":
    _bootstrap.run(main)
