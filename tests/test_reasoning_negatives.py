"""Hard negatives and the faithfulness metrics."""

from __future__ import annotations

from collections import Counter

import pytest
from codes_tables import book
from reasoning_rows import SEED, all_rows, row, synthetic_rows

from thce.answers import NONE_ANSWER, parse
from thce.narratives.examples import lexicon_of, located
from thce.narratives.splits import PhraseIndex
from thce.reasoning import PARTS, verify
from thce.reasoning.build import completion
from thce.reasoning.metrics import faithfulness, reasons
from thce.reasoning.negatives import KINDS, correct, negative, negatives, one_negative
from thce.reasoning.verify import TOKENS_FIRST, count_tokens

pytestmark = pytest.mark.unit

KNEE = row("Follow-up of right knee OA. Denies gout.", ("ICD10", "M17.11", "right knee OA"))
NO_GOUT = row("Denies gout.", none="negated")
GOUT = [("gout", ("ICD10", "M10.9"))]


def test_none_is_faithful_and_correct() -> None:
    lexicon = lexicon_of(synthetic_rows()["train"])
    index = PhraseIndex(lexicon)
    seen: Counter[str] = Counter()
    for example in all_rows()[::3]:
        for made in negatives(example, book(), SEED, located(example["narrative"], index, lexicon)):
            seen[made.kind] += 1
            assert made.text != completion(example, book(), SEED)
            assert not (correct(example, made.text) and verify(example["narrative"], made.text, book()).faithful)
    assert set(seen) == set(KINDS)
    assert min(seen.values()) >= 20


def test_neighbour_answers_a_sibling_on_the_same_evidence() -> None:
    made = negative(KNEE, book(), SEED, "neighbour")
    assert made is not None
    code = parse(made.text).codes[0].code
    assert code != "M17.11"
    assert book().find("ICD10", code) is not None
    assert '"right knee OA"' in made.text
    verdict = verify(KNEE["narrative"], made.text, book())
    assert verdict.format and verdict.answer and not verdict.decision


def test_invented_keeps_the_answer_and_loses_the_evidence() -> None:
    made = negative(KNEE, book(), SEED, "invented")
    assert made is not None
    verdict = verify(KNEE["narrative"], made.text, book())
    assert correct(KNEE, made.text) and verdict.format and verdict.placement and not verdict.evidence


def test_misplaced_keeps_the_answer_and_loses_the_place() -> None:
    made = negative(KNEE, book(), SEED, "misplaced")
    assert made is not None
    verdict = verify(KNEE["narrative"], made.text, book())
    assert correct(KNEE, made.text) and verdict.format and verdict.evidence and not verdict.placement


def test_overcoding_adds_a_code_the_text_does_not_support() -> None:
    made = negative(KNEE, book(), SEED, "overcoding")
    assert made is not None
    codes = [code.code for code in parse(made.text).codes]
    assert codes[0] == "M17.11" and len(codes) == 2


def test_rambling_hedges() -> None:
    made = negative(KNEE, book(), SEED, "rambling")
    assert made is not None and correct(KNEE, made.text)
    assert count_tokens(made.text) > count_tokens(completion(KNEE, book(), SEED)) + 20
    assert not verify(KNEE["narrative"], made.text, book()).format


def test_a_denied_finding_is_coded_alone_or_beside() -> None:
    alone = negative(NO_GOUT, book(), SEED, "denied", GOUT)
    assert alone is not None and [code.code for code in parse(alone.text).codes] == ["M10.9"]
    assert not verify(NO_GOUT["narrative"], alone.text, book()).evidence
    beside = negative(KNEE, book(), SEED, "denied", GOUT)
    assert beside is not None and "M10.9" in beside.text
    assert negative(KNEE, book(), SEED, "denied", []) is None
    asserted = row("Follow-up of gout.", none="administrative")
    assert negative(asserted, book(), SEED, "denied", GOUT) is None


def test_a_text_without_a_code_is_coded_by_force() -> None:
    made = negative(row("Impression: celiac disease.", none="out_of_scope"), book(), SEED, "forced")
    assert made is not None and len(parse(made.text).codes) == 1
    assert negative(KNEE, book(), SEED, "forced") is None


def test_unstopped_goes_on_after_the_right_completion() -> None:
    for example in (KNEE, NO_GOUT):
        made = negative(example, book(), SEED, "unstopped")
        assert made is not None and made.text.startswith(completion(example, book(), SEED) + "\n")
        assert not parse(made.text).well_formed


def test_the_choice_is_seeded_and_every_row_gets_one() -> None:
    rows = all_rows()[:80]
    first = [one_negative(example, book(), SEED) for example in rows]
    assert first == [one_negative(example, book(), SEED) for example in rows]
    assert first != [one_negative(example, book(), SEED + 1) for example in rows]
    kinds = Counter(made.kind for made in first if made)
    assert sum(kinds.values()) == len(rows)
    assert kinds["neighbour"] == max(kinds.values())


def test_correct_is_the_same_set_of_codes() -> None:
    assert correct(KNEE, "ICD10: M17.11 (x)") and not correct(KNEE, "ICD10: M17.12 (x)") and not correct(KNEE, "M17.11")
    assert correct(NO_GOUT, NONE_ANSWER) and not correct(KNEE, NONE_ANSWER) and not correct(NO_GOUT, "")


def test_rates_count_verdicts_and_claims() -> None:
    good = verify(KNEE["narrative"], completion(KNEE, book(), SEED), book())
    made = negative(KNEE, book(), SEED, "invented")
    assert made is not None
    bad = verify(KNEE["narrative"], made.text, book())
    result = faithfulness([good, good, good, bad], [True, True, False, True])
    assert result["n"] == 4
    assert result["faithful"] == 0.75 and result["evidence"] == 0.75 and result["placement"] == 1.0
    assert result["faithful_and_correct"] == 0.5 and result["faithful_but_wrong"] == 0.25
    assert result["unsupported"] == {"evidence": 1}
    assert result["claims"] == sum(len(verdict.claims) for verdict in (good, good, good, bad))
    assert reasons([good, bad]) == [{"kind": "evidence", "reason": "not in the text", "count": 1}]
    assert set(PARTS) <= set(result)


def test_nothing_has_no_rate() -> None:
    result = faithfulness([])
    assert result["n"] == 0 and result["faithful"] is None and result["claims_supported"] is None
    with pytest.raises(ValueError, match="0 verdicts but 1 marks"):
        faithfulness([], [True])


def test_the_limit_is_what_the_documents_say() -> None:
    assert TOKENS_FIRST == 90
