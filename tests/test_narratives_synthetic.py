"""The synthetic narratives: true evidence, honest labels, no leak between the splits, the same every time."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from thce import codes
from thce.errors import UserError
from thce.narratives import contamination, measures, synthetic
from thce.narratives.conflicts import Conflicts
from thce.narratives.distractors import Distractors
from thce.narratives.phrasebook import key
from thce.narratives.splits import PhraseIndex
from thce.narratives.synthetic import Material
from thce.narratives.wording import wording
from thce.narratives.writer import NONE_REASONS
from thce.settings.narratives import NarrativesParams

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parent.parent
PARAMS = NarrativesParams(
    train=3000,
    multi_share=0.1,
    no_code_share=0.1,
    val=300,
    test_known=800,
    test_unseen_phrase=400,
    test_contrast=120,
    test_no_code=100,
    test_multi=100,
    test_unseen_multi=80,
    test_distractors=200,
    test_visits=60,
    val_visits=40,
    distractor_share=0.4,
    extra_sentences=1.0,
    abbreviation_rate=0.25,
    lower_rate=0.08,
    upper_rate=0.04,
    typo_rate=0.06,
    span_typo_rate=0.05,
)
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> codes.CodeBook:
    folder = tmp_path_factory.mktemp("codes")
    codes.build(ROOT / "data/code_databases", folder)
    return codes.open(folder)


@pytest.fixture(scope="module")
def stuff(book: codes.CodeBook) -> Material:
    return synthetic.material(book, ROOT / "data/phrasebook", ROOT / "data/grammar", 17)


@pytest.fixture(scope="module")
def rows(stuff: Material) -> Rows:
    return synthetic.build(stuff, PARAMS, 17)


def every(rows: Rows) -> list[dict[str, Any]]:
    return [row for group in rows.values() for row in group]


def test_the_sets_have_the_sizes_asked_for(rows: Rows) -> None:
    sizes = {name: len(group) for name, group in rows.items()}
    assert 110 <= sizes.pop("test_contrast") <= 120
    assert sizes == {
        "train": 3000, "val": 300, "test_known": 800, "test_unseen_phrase": 400, "test_no_code": 100, "test_multi": 100,
        "test_unseen_multi": 80, "test_distractors": 200, "test_visits": 60, "val_visits": 40,
    }  # fmt: skip


def test_evidence_stands_where_it_says_once_for_each_code(rows: Rows) -> None:
    for row in every(rows):
        assert [(e["code_type"], e["code"]) for e in row["evidence"]] == [(c["code_type"], c["code"]) for c in row["codes"]]
        for item in row["evidence"]:
            assert row["narrative"][item["start"] : item["end"]] == item["text"] != ""
        assert len({(c["code_type"], c["code"]) for c in row["codes"]}) == len(row["codes"])


def test_evidence_is_the_phrase_but_for_case_and_in_training_a_rare_slip(rows: Rows) -> None:
    slips = 0
    for name, group in rows.items():
        for row in group:
            for item in row["evidence"]:
                if item["text"].casefold() != item["phrase"].casefold():
                    slips += 1
                    assert name == "train"
    assert 0 < slips < 0.08 * len(rows["train"])


def test_nothing_leaks(rows: Rows, stuff: Material) -> None:
    assert contamination.check(rows, stuff.phrases).total == 0


def test_a_planted_leak_is_found_in_each_of_the_three_ways(rows: Rows, stuff: Material) -> None:
    held = next(iter(stuff.phrases.test.values()))
    test = rows["test_known"][0]
    by_text = {**rows, "train": [*rows["train"], {**test, "template": "none-000"}]}
    assert contamination.check(by_text, stuff.phrases).text == 1
    by_phrase = {
        **rows,
        "train": [*rows["train"], {**test, "narrative": f"Again: {held.text.upper()}!", "template": "none-000"}],
    }
    assert contamination.check(by_phrase, stuff.phrases).phrase >= 1
    by_template = {**rows, "train": [*rows["train"], {**test, "narrative": "quite new"}]}
    found = contamination.check(by_template, stuff.phrases)
    assert found.template >= 1 and found.examples[0].startswith("template: ")


def test_the_same_seed_writes_the_same_and_another_seed_does_not(stuff: Material, rows: Rows) -> None:
    small = dataclasses.replace(PARAMS, train=300, test_known=50, test_unseen_phrase=50)
    assert synthetic.build(stuff, small, 17) == synthetic.build(stuff, small, 17)
    one, two = synthetic.build(stuff, small, 17), synthetic.build(stuff, small, 18)
    assert [row["narrative"] for row in one["train"]] != [row["narrative"] for row in two["train"]]


def test_training_sees_the_codes_equally_often(rows: Rows, stuff: Material) -> None:
    counts = Counter(
        (row["codes"][0]["code_type"], row["codes"][0]["code"])
        for row in rows["train"]
        if row["kind"] != "multi" and row["codes"]
    )
    assert set(counts) == set(stuff.pairs)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_narratives_are_short(rows: Rows) -> None:
    lengths = sorted(len(row["narrative"].split()) for row in rows["train"])
    assert 8 <= lengths[len(lengths) // 2] <= 20
    assert lengths[int(0.9 * len(lengths))] < 35
    assert lengths[-1] <= 70


def test_a_distractor_in_a_note_with_a_code_comes_from_training_and_from_another_code(rows: Rows, stuff: Material) -> None:
    gold = {pair: {item.key for item in group} for pair, group in stuff.phrases.train.items()}
    index = PhraseIndex(item.key for group in stuff.phrases.train.values() for item in group if " " in item.key)
    seen = 0
    for row in rows["train"]:
        if len(row["codes"]) != 1 or "-" not in row["template"] or row["template"].count("+") == 0:
            continue
        span = row["evidence"][0]
        outside = key(row["narrative"][: span["start"]] + " | " + row["narrative"][span["end"] :])
        own = gold[row["codes"][0]["code_type"], row["codes"][0]["code"]]
        found = set(index.found(outside))
        seen += bool(found)
        assert not found & own, row
    assert seen > 100


def test_no_code_narratives_carry_their_reason_and_no_evidence(rows: Rows) -> None:
    group = rows["test_no_code"]
    assert Counter(row["none_reason"] for row in group).keys() == set(NONE_REASONS)
    assert all(row["codes"] == [] == row["evidence"] for row in group)
    assert all(row["none_reason"] is None for row in every(rows) if row["codes"])


def test_what_is_out_of_scope_stands_in_the_same_sentences_as_codes_do(rows: Rows, stuff: Material) -> None:
    frames = {piece.id for pieces in stuff.grammar.frames.values() for piece in pieces}
    for row in rows["train"]:
        if row["none_reason"] == "out_of_scope":
            assert row["template"].split("+")[0] in frames


def test_a_suspicion_stands_only_beside_a_sign(rows: Rows, stuff: Material) -> None:
    """Guidelines IV.H: in outpatients the sign is coded, not what is suspected."""
    suspicions = {piece.id for piece in stuff.grammar.pieces if piece.role == "suspected"}
    seen = 0
    for row in every(rows):
        if suspicions & set(row["template"].split("+")):
            seen += 1
            assert not row["codes"] or row["codes"][0]["code"].startswith("R")
    assert seen > 10


def test_a_contrast_differs_in_the_evidence_alone(rows: Rows) -> None:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows["test_contrast"]:
        groups.setdefault(row["group"], []).append(row)
    for members in groups.values():
        assert 2 <= len(members) <= 4
        frames = set()
        for row in members:
            span = row["evidence"][0]
            # a phrase at the beginning is capitalised, which leaves the frame as it was
            frames.add((row["narrative"][: span["start"]], row["narrative"][span["end"] :]))
        assert len(frames) == 1
        assert len({row["codes"][0]["code"] for row in members}) == len(members)


def test_notes_with_several_codes_have_diagnoses_first_and_two_to_five_codes(rows: Rows) -> None:
    for row in rows["test_multi"]:
        types = [code["code_type"] == "ICD10" for code in row["codes"]]
        assert 2 <= len(types) <= 5
        assert types == sorted(types, reverse=True)


def test_unseen_phrases_are_the_held_out_ones(rows: Rows, stuff: Material) -> None:
    for row in rows["test_unseen_phrase"]:
        item = row["evidence"][0]
        assert item["phrase"] == stuff.phrases.test[item["code_type"], item["code"]].text


def test_every_code_keeps_its_title_and_ten_phrases_for_training(stuff: Material) -> None:
    for pair, group in stuff.phrases.train.items():
        assert sum(item.kind == "title" for item in group) == 1, pair
        assert len(group) >= 8, pair


def test_too_many_narratives_are_refused_with_a_mend() -> None:
    fresh = synthetic.Fresh(set(), PhraseIndex(()))
    with pytest.raises(UserError, match="only 1 different multi narratives of 2; ask for fewer"):
        synthetic._fill(2, lambda: {"narrative": "Dx: gout."}, fresh, "multi")


def test_words_that_spell_a_hidden_phrase_across_a_full_stop_do_not_pass() -> None:
    fresh = synthetic.Fresh(set(), PhraseIndex(["phosphorus serum"]))
    assert not fresh.passes(["Done: phosphorus; serum iron."])
    assert fresh.passes(["Done: phosphorus; iron."]) and not fresh.passes(["done phosphorus iron"])


def test_the_measures_count_what_is_there(rows: Rows, stuff: Material) -> None:
    found = measures.summary(rows, stuff.phrases, stuff.grammar, contamination.check(rows, stuff.phrases))
    assert found["files"]["train"]["rows"] == 3000
    assert found["files"]["test_known"]["distinct_codes"] == 800
    assert found["distinct_narratives_possible"] > 1_000_000
    assert 0.5 < found["distinct_4gram_ratio"] < 1
    assert measures.distinct_ngrams(["a b c d e"] * 2) == 0.5
    assert measures.distinct_ngrams(["a b"]) == 0.0


@pytest.mark.parametrize(
    ("one", "two", "allowed"),
    [
        (("ICD10", "I10"), ("ICD10", "N18.4"), False),  # Guidelines I.C.9.a.2
        (("ICD10", "E11.9"), ("ICD10", "G62.9"), False),  # Guidelines I.A.15
        (("ICD10", "R05.9"), ("ICD10", "J20.9"), False),  # Guidelines I.B.5
        (("ICD10", "H61.21"), ("ICD10", "H61.22"), False),
        (("ICD10", "O48.0"), ("ICD10", "N40.1"), False),
        (("CPT", "80053"), ("CPT", "82947"), False),
        (("ICD10", "Z00.00"), ("ICD10", "M10.9"), False),
        (("ICD10", "M10.9"), ("ICD10", "L20.9"), True),
        (("ICD10", "M10.9"), ("CPT", "80053"), True),
        (("ICD10", "O48.0"), ("CPT", "85025"), True),
        (("ICD10", "O48.0"), ("CPT", "71260"), False),
    ],
)
def test_which_codes_may_meet_in_one_note(one: tuple[str, str], two: tuple[str, str], allowed: bool) -> None:
    judge = Conflicts(lambda code: ())
    first, second = wording(*one, "synonym", "alpha"), wording(*two, "synonym", "omega")
    assert judge.meet(first, second) is judge.meet(second, first) is allowed


def test_codes_that_exclude_each_other_never_meet() -> None:
    judge = Conflicts(lambda code: ("gouty nephropathy (L20.9)",) if code == "M10.9" else ())
    first, second = wording("ICD10", "M10.9", "synonym", "alpha"), wording("ICD10", "L20.9", "synonym", "omega")
    assert not judge.meet(first, second) and not judge.meet(second, first)


def test_family_distractors_leave_out_what_has_a_code_as_family_history(stuff: Material) -> None:
    """Z80.0, Z80.3, Z82.3, Z82.49 and Z83.3 are in scope: cancer, stroke, heart disease and diabetes in the family."""
    pick = Distractors(stuff.phrases)
    rng = Random(3)
    found = {item.code for _ in range(800) if (item := pick.pick(rng, "family", None)) is not None}
    assert found and not any(code.startswith(("C", "E10", "E11", "I1", "I2", "I4", "I5", "I6", "I7")) for code in found)


def test_a_title_is_cut_only_where_it_may_be() -> None:
    assert synthetic.spoken_title("Gout, unspecified") == "Gout, unspecified"
    long = "Unspecified dementia, unspecified severity, without behavioral disturbance, mood disturbance, and anxiety"
    assert synthetic.spoken_title(long, 60) == "Unspecified dementia, unspecified severity"
