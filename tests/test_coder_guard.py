"""The guard: what reasoning may quote and name, whatever the model would like to write."""

from __future__ import annotations

import re
from functools import cache

import pytest
from coder_models import rows, taught, untaught
from codes_tables import book
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from thce.coder.coder import Coder, Options
from thce.coder.decode import read_tokenizer
from thce.coder.guard import Guard, Trail
from thce.modeling.chat import as_read

pytestmark = pytest.mark.unit

LINES = ("- Category: J20 Acute bronchitis (J20-J22)", "- Belongs to Medicine", "- Code: J20.9", "- Code: none")
NOTE = "Seen for acute bronchitis, no acute pain."


@cache
def tok() -> Tokenizer:
    return read_tokenizer(taught())


@cache
def guard() -> Guard:
    return Guard(tok(), LINES)


def after(text: str, note: str = NOTE) -> Trail:
    trail = guard().trail(note)
    for token in tok().encode(text, add_special_tokens=False).ids:
        guard().push(trail, token)
    return trail


def possible(text: str, note: str = NOTE) -> list[str]:
    allowed = guard().allowed(after(text, note))
    return ["anything"] if allowed is None else [guard().texts[token] for token in allowed]


@pytest.mark.parametrize(
    ("written", "may_follow"),
    [
        ("", ["anything"]),
        ("- Documented:", ["anything"]),
        ('- Documented: "acute bronchitis"', ["anything"]),
        ("- Decides:", ["anything"]),
        ('- Decides: nothing says "', ["anything"]),  # a word that the text lacks
        ('- Decides: not J20.8, as nothing says "', ["anything"]),
        ("- Belongs to Medicine", ["\n"]),
    ],
)
def test_where_the_model_is_free_and_where_it_is_not(written: str, may_follow: list[str]) -> None:
    assert possible(written) == may_follow


def test_a_quotation_begins_where_a_word_begins() -> None:
    starts = possible('- Documented: "')
    assert all(text.startswith(" ") for text in starts) and '"' not in starts
    assert any(" acute".startswith(text) for text in starts)


@pytest.mark.parametrize("note", ["Dx [acute bronchitis].", "(acute bronchitis)", "Dx=acute bronchitis, 3 d"])
def test_a_quotation_may_begin_with_a_word_right_behind_a_sign(note: str) -> None:
    assert any(" acute".startswith(text) for text in possible('- Documented: "', note))
    assert '"' in possible('- Documented: "acute bronchitis', note)


def test_a_quotation_goes_on_as_the_text_does_and_may_end_after_a_word() -> None:
    both = possible('- Documented: "acute')  # the word occurs twice
    assert '"' in both and len(both) == 3
    assert '"' in possible('- Documented: "acute bronchitis')
    assert possible('- Documented: "acute bronchitis, no acute pain.') == ['"']


@pytest.mark.parametrize("before", ['it says "', '"', 'right side ("', 'not J20.8, as it says "'])
def test_a_deciding_bullet_quotes_the_note_too(before: str) -> None:
    assert possible(f"- Decides: {before}") == possible('- Documented: "')
    closing = [text for text in possible(f"- Decides: {before}acute") if text.startswith('"')]
    assert '"' in closing and set(closing) <= {'"', '",', '")'}
    assert [text for text in possible('- Documented: "acute') if text.startswith('"')] == ['"']


def test_an_empty_note_leaves_nothing_to_quote() -> None:
    assert possible('- Documented: "', "") in ([], ["anything"])


def test_a_place_is_one_the_tables_know_and_a_code_one_in_scope() -> None:
    assert possible("- Category:") != ["anything"]
    assert possible("- Code:") != ["anything"] and len(possible("- Code:")) == 2


def test_a_new_line_begins_anew() -> None:
    assert possible('- Documented: "acute\n- Belongs to Medicine') == ["\n"]


@cache
def writer(trained: bool) -> Coder:
    options = Options(max_reasoning=60, max_codes=2, batch_size=4)
    return Coder.load(taught() if trained else untaught(), book(), options=options)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([row[1]["content"] for row in rows(True)]) | st.text(max_size=60), min_size=1, max_size=4))
def test_whatever_a_model_writes_every_quotation_stands_in_the_note(notes: list[str]) -> None:
    notes = [note for note in notes if note.strip()] or ["chest cold"]
    for trained in (True, False):
        for note, prediction in zip(notes, writer(trained).code(notes, think=True), strict=True):
            for line in (prediction.reasoning or "").split("\n"):
                quoted = re.match(r'- (?!.*nothing says)[^"]*"([^"]+)"', line)
                if quoted:
                    assert quoted[1].strip() in as_read(note)
