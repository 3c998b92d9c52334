"""How fast traces are built and verified on one core.

    PYTHONPATH=src python benchmarks/reasoning.py

Builds 2,000 narratives in memory from the phrasebook, keeps those whose trace holds (as `prepare` does), then times three
passes of each and prints the best.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from thce import codes
from thce.narratives import synthetic
from thce.narratives.examples import faithful
from thce.reasoning import completion, verify
from thce.reasoning.negatives import one_negative
from thce.settings.narratives import NarrativesParams

SEED = 17
PARAMS = NarrativesParams(
    train=2000,
    multi_share=0.1,
    no_code_share=0.1,
    val=20,
    test_known=1,
    test_unseen_phrase=1,
    test_contrast=4,
    test_no_code=1,
    test_multi=1,
    test_unseen_multi=1,
    test_distractors=1,
    test_visits=1,
    val_visits=1,
    distractor_share=0.3,
    extra_sentences=0.6,
    abbreviation_rate=0.25,
    lower_rate=0.08,
    upper_rate=0.04,
    typo_rate=0.06,
    span_typo_rate=0.02,
)


def best(count: int, run: Callable[[], None], passes: int = 3) -> float:
    """Items per second of processor time in the fastest pass; the first one also fills the caches."""
    fastest = float("inf")
    for _ in range(passes):
        start = time.process_time()
        run()
        fastest = min(fastest, time.process_time() - start)
    return count / fastest


def main() -> None:
    book = codes.open("data/codes")
    rows = synthetic.build(synthetic.material(book, "data/phrasebook", "data/grammar", SEED), PARAMS, SEED)["train"]
    held = [(row, text) for row in rows if (text := faithful(row, book, SEED)) is not None]
    rows, texts = [row for row, _ in held], [text for _, text in held]
    rejected = [(row["narrative"], made.text) for row in rows if (made := one_negative(row, book, SEED))]

    def built() -> None:
        for row in rows:
            completion(row, book, SEED)

    def good() -> None:
        for row, text in zip(rows, texts, strict=True):
            verify(row["narrative"], text, book)

    def bad() -> None:
        for narrative, text in rejected:
            verify(narrative, text, book)

    print(f"verify, built traces    {best(len(rows), good):8,.0f} /s")
    print(f"verify, hard negatives  {best(len(rejected), bad):8,.0f} /s")
    print(f"build                   {best(len(rows), built):8,.0f} /s")


if __name__ == "__main__":
    main()
