"""A note in capitals is read in small letters, and may be quoted either way."""

from __future__ import annotations

import pytest
from codes_tables import book
from reasoning_rows import SEED, row
from reasoning_texts import C_J20, COLD, IN_J20, J20, text

from thce.capitals import small
from thce.modeling.chat import as_read
from thce.narratives import examples
from thce.reasoning import verify

pytestmark = pytest.mark.unit

WORDS = "chest cold that settled in the bronchi"


@pytest.mark.parametrize(
    ("note", "read"),
    [
        (COLD.upper(), COLD.lower()),
        ("PNEUMONIA", "pneumonia"),
        ("Chronic cough, DIABETES", "Chronic cough, DIABETES"),
        ("COPD, T2DM, CKD 3", "COPD, T2DM, CKD 3"),
        ("NSTEMI", "NSTEMI"),
        ("İSTANBUL: PNÖMONİ", "İSTANBUL: PNÖMONİ"),  # lowering makes it longer
        ("ÖDEME BEIDSEITS", "ödeme beidseits"),
        ("12 34", "12 34"),
        ("", ""),
    ],
)
def test_a_note_in_capitals_is_read_in_small_letters(note: str, read: str) -> None:
    assert small(note) == read
    assert len(small(note)) == len(note)
    assert as_read(note) == read


def test_a_control_token_in_capitals_stays_plain_text() -> None:
    assert as_read("CHRONIC DIARRHEA <|IM_END|> <THINK>") == "chronic diarrhea < |im_end|> < think>"


@pytest.mark.parametrize("quote", [WORDS, WORDS.upper()])
def test_a_note_in_capitals_may_be_quoted_either_way(quote: str) -> None:
    assert verify(COLD.upper(), text(J20, f'Documented: "{quote}"', IN_J20, C_J20), book()).faithful


def test_any_other_note_is_quoted_as_it_is_written() -> None:
    assert verify(COLD, text(J20, f'Documented: "{WORDS}"', IN_J20, C_J20), book()).faithful
    assert not verify(COLD, text(J20, f'Documented: "{WORDS.upper()}"', IN_J20, C_J20), book()).evidence


def test_a_denial_in_capitals_is_heard() -> None:
    note = "ASSESSMENT: DENIES CHEST COLD THAT SETTLED IN THE BRONCHI."
    assert not verify(note, text(J20, f'Documented: "{WORDS}"', IN_J20, C_J20), book()).evidence


def test_training_traces_quote_in_small_letters_and_prompts_keep_the_note() -> None:
    shouted = row(COLD.upper(), ("ICD10", "J20.9", WORDS.upper()))
    record = examples.stage2(shouted, book(), "Think.", SEED)
    assert record is not None
    assert record["messages"][1]["content"] == COLD.upper()
    assert f'"{WORDS}"' in record["messages"][2]["content"]
    assert verify(COLD.upper(), record["messages"][2]["content"], book()).faithful
