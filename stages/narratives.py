"""DVC stage `narratives`: write the synthetic narratives, their evidence and splits, and prove that nothing leaks."""

from __future__ import annotations

import _bootstrap
from thce import params
from thce.codes.book import open as open_book
from thce.errors import UserError
from thce.files import write_json, write_jsonl
from thce.narratives import contamination, measures, synthetic
from thce.settings.narratives import NarrativesParams

OUT = "data/narratives"


def main() -> None:
    settings = params.load(NarrativesParams)
    seed = params.load_scalar("seed")
    book = open_book("data/codes")
    stuff = synthetic.material(book, "data/phrasebook", "data/grammar", seed)
    rows = synthetic.build(stuff, settings, seed)
    found = contamination.check(rows, stuff.phrases)
    if found.total:
        raise UserError(OUT, f"{found.total} leaks between the splits, first {found.examples[0]}", "mend the split, then rerun")
    for name, group in rows.items():
        write_jsonl(f"{OUT}/{name}.jsonl", group)
    write_jsonl(f"{OUT}/phrases.jsonl", synthetic.phrase_rows(stuff.phrases))
    write_json("metrics/narratives.json", measures.summary(rows, stuff.phrases, stuff.grammar, found))


if __name__ == "__main__":
    _bootstrap.run(main)
