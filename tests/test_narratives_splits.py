"""Held-out language: which phrases and sentence families are kept from training, and that the choice is stable."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thce.narratives.phrasebook import key
from thce.narratives.splits import PhraseIndex, holds, split_families, split_phrases
from thce.narratives.wording import Wording, wording

pytestmark = pytest.mark.unit

GOUT = ("ICD10", "M10.9")
ASTHMA = ("ICD10", "J45.909")


def words(pair: tuple[str, str], *phrases: str) -> list[Wording]:
    """A title (the first) and synonyms of one code."""
    return [wording(*pair, "synonym" if number else "title", text) for number, text in enumerate(phrases)]


def test_a_phrase_is_held_as_a_run_of_words_never_as_part_of_one() -> None:
    assert holds("patient has heart attack today", "heart attack")
    assert not holds("heart attacks", "heart attack")
    assert not holds("heart and attack", "heart attack")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3),
)
def test_the_index_finds_what_a_plain_search_finds(text: list[str], phrase: list[str]) -> None:
    joined, wanted = " ".join(text), " ".join(phrase)
    assert (wanted in PhraseIndex([wanted]).found(joined)) == holds(joined, wanted)


def test_one_phrase_is_held_out_for_test_and_one_for_validation_and_the_title_never_is() -> None:
    own = words(GOUT, "Gout, unspecified", "podagra", "uric acid arthritis", "crystal joint disease", "gouty attack")
    split = split_phrases(17, [GOUT], own, [])
    assert split.test[GOUT].key != split.val[GOUT].key
    assert len(split.train[GOUT]) == 3
    assert any(item.kind == "title" for item in split.train[GOUT])
    assert split.without_test == split.without_val == ()


def test_a_phrase_inside_another_code_s_phrase_is_not_held_out() -> None:
    own = words(GOUT, "Gout, unspecified", "podagra", "uric arthritis", "big toe crisis")
    other = words(
        ASTHMA,
        "Unspecified asthma, uncomplicated",
        "podagra with wheeze",
        "uric arthritis and wheeze",
        "big toe crisis wheeze",
    )
    split = split_phrases(17, [GOUT, ASTHMA], own + other, [])
    assert GOUT in split.without_test and GOUT in split.without_val
    assert split.test[ASTHMA].text == "podagra with wheeze", "it holds one trained word, which does not give it away"
    assert ASTHMA in split.without_val, "the others hold phrases of several words that are trained on"


def test_a_single_word_inside_a_longer_phrase_spoils_only_itself() -> None:
    own = words(GOUT, "Gout, unspecified", "podagra", "podagra of long standing", "tophi")
    split = split_phrases(17, [GOUT], own, [])
    held = {split.test[GOUT].text, split.val[GOUT].text}
    assert held == {"podagra of long standing", "tophi"}


def test_what_stands_in_a_sentence_of_the_grammar_is_not_held_out() -> None:
    own = words(GOUT, "Gout, unspecified", "podagra", "swollen toe")
    split = split_phrases(17, [GOUT], own, ["seen for a swollen toe: "])
    assert "swollen toe" not in {item.text for held in (split.test, split.val) for item in held.values()}


def test_the_split_of_a_code_stays_when_another_code_is_added() -> None:
    own = words(GOUT, "Gout, unspecified", "podagra", "uric acid arthritis", "crystal joint disease", "gouty attack")
    other = words(ASTHMA, "Unspecified asthma, uncomplicated", "wheezy bronchi", "reactive airways", "twitchy airways")
    alone = split_phrases(17, [GOUT], own, [])
    both = split_phrases(17, [ASTHMA, GOUT], other + own, [])
    assert (alone.test[GOUT], alone.val[GOUT], alone.train[GOUT]) == (both.test[GOUT], both.val[GOUT], both.train[GOUT])


def test_another_seed_holds_out_other_phrases() -> None:
    own = words(GOUT, "Gout", *(f"phrase {key(chr(97 + n) * 3)}" for n in range(20)))
    assert len({split_phrases(seed, [GOUT], own, []).test[GOUT].text for seed in range(12)}) > 3


def test_every_pool_of_sentences_has_all_three_sides() -> None:
    for count in (3, 5, 8, 20):
        sides = list(split_families(17, [f"clinic-{n:03d}" for n in range(count)]).values())
        assert {"train", "val", "test"} == set(sides)
        assert sides.count("train") >= sides.count("val")
