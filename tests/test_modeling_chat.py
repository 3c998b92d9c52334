"""One chat format: what is trained is what is generated from, and only the completion carries loss."""

from __future__ import annotations

import random

import pytest
from transformers import PreTrainedTokenizerFast

from thce.answers import format_answer, format_completion
from thce.modeling import chat, tokenizer

pytestmark = pytest.mark.unit

ANSWER = format_answer([("ICD10", "J20.9", "Acute bronchitis, unspecified")])
MESSAGES = [
    {"role": "system", "content": "Give the billing codes."},
    {"role": "user", "content": "Patient presents with acute bronchitis, T 38.2, coughing since 12 days."},
    {"role": "assistant", "content": format_completion('- Documented: "acute bronchitis"\n- Code: J20.9', ANSWER)},
]


@pytest.fixture(scope="module")
def tok() -> PreTrainedTokenizerFast:
    texts = [chat.prompt_text(MESSAGES[:-1]) + MESSAGES[-1]["content"], "chest pain, cough and fever for 3 days"] * 4
    return tokenizer.train(texts, 400)


def test_the_prompt_is_an_exact_prefix_of_the_training_row(tok: PreTrainedTokenizerFast) -> None:
    row = chat.encode(tok, MESSAGES)
    prompt = chat.encode_prompt(tok, MESSAGES[:-1])
    assert row["input_ids"][: len(prompt)] == prompt


def test_rows_made_in_two_parts_equal_the_text_tokenized_whole(tok: PreTrainedTokenizerFast) -> None:
    whole = chat.prompt_text(MESSAGES[:-1]) + MESSAGES[-1]["content"] + chat.STOP
    assert chat.encode(tok, MESSAGES)["input_ids"] == tok.encode(whole, add_special_tokens=False)


def test_the_saved_template_renders_the_same_prompt(tok: PreTrainedTokenizerFast) -> None:
    rendered = tok.apply_chat_template(MESSAGES[:-1], tokenize=False, add_generation_prompt=True)
    assert rendered == chat.prompt_text(MESSAGES[:-1])
    full = tok.apply_chat_template(MESSAGES, tokenize=False)
    assert full.startswith(rendered) and full == rendered + MESSAGES[-1]["content"] + chat.STOP + "\n"


def test_the_loss_mask_is_the_completion_with_its_stop_token(tok: PreTrainedTokenizerFast) -> None:
    row = chat.encode(tok, MESSAGES)
    supervised = [token for token, on in zip(row["input_ids"], row["completion_mask"], strict=True) if on]
    assert tok.decode(supervised) == MESSAGES[-1]["content"] + chat.STOP
    assert supervised[-1] == chat.stop_id(tok)
    assert row["completion_mask"] == sorted(row["completion_mask"])


def test_pad_and_stop_are_different_tokens(tok: PreTrainedTokenizerFast) -> None:
    assert tok.pad_token_id != tok.eos_token_id == chat.stop_id(tok)


def test_think_tags_survive_decoding_without_special_tokens(tok: PreTrainedTokenizerFast) -> None:
    ids = chat.encode_completion(tok, MESSAGES[-1]["content"])
    assert tok.decode(ids, skip_special_tokens=True) == MESSAGES[-1]["content"]
    assert tok.convert_tokens_to_ids("<think>") in ids


@pytest.mark.parametrize("token", [chat.START, chat.STOP, chat.PAD, "<think>", "</think>"])
def test_control_tokens_in_a_narrative_are_plain_text(tok: PreTrainedTokenizerFast, token: str) -> None:
    clean = chat.encode_prompt(tok, MESSAGES[:-1])
    messages = [MESSAGES[0], {"role": "user", "content": f"chest pain {token} cough"}]
    ids = chat.encode_prompt(tok, messages)
    count = tok.convert_tokens_to_ids(token)
    assert ids.count(count) == clean.count(count)


def test_codes_are_spelled_with_single_digits(tok: PreTrainedTokenizerFast) -> None:
    pieces = tok.convert_ids_to_tokens(tok.encode(" E11.65", add_special_tokens=False))
    assert len(pieces) >= 5 and sum(piece.isdigit() for piece in pieces) == 4


def test_cutting_words_changes_the_pieces_and_never_the_text(tok: PreTrainedTokenizerFast) -> None:
    text = MESSAGES[1]["content"]
    assert "".join(chat.Cuts(random.Random(1), 1.0).pieces(text)) == text
    plain = chat.encode(tok, MESSAGES)
    cut = chat.encode(tok, MESSAGES, chat.Cuts(random.Random(1), 1.0))
    assert cut["input_ids"] != plain["input_ids"]
    assert tok.decode(cut["input_ids"]) == tok.decode(plain["input_ids"])
    assert cut == chat.encode(tok, MESSAGES, chat.Cuts(random.Random(1), 1.0))


def test_a_quoted_word_is_cut_as_in_the_note_and_no_other_word_of_the_answer_is() -> None:
    cuts = chat.Cuts(random.Random(2), 1.0)
    note = "".join(f"{piece}|" for piece in cuts.pieces("acute bronchitis, bronchitis again"))
    word = note.split(" ")[1].removesuffix(",")
    assert word.count("|") == 1 and note.split(" ")[2] == word  # each time at the same place
    answer = '- Stated: "bronchitis"\n- Belongs to J40 bronchitis "smoking"'
    assert "|".join(cuts.again(answer, chat.QUOTED)) == answer.replace('"bronchitis"', f'"{word}"')
    assert "|".join(cuts.again("bronchitis", chat.WHOLE)) == word


@pytest.mark.parametrize("repeats", [False, True])
def test_what_is_quoted_or_repeated_has_the_tokens_of_the_note(tok: PreTrainedTokenizerFast, repeats: bool) -> None:
    note = "seen with acute bronchitis"
    answer = note if repeats else '- Documented: "acute bronchitis"\n- Code: J20.9'
    talk = [{"role": "user", "content": note}, {"role": "assistant", "content": answer}]
    plain = tok.encode(" bronchitis", add_special_tokens=False)
    row = chat.encode(tok, talk, chat.Cuts(random.Random(1), 1.0), repeats=repeats)
    first = row["completion_mask"].index(1)
    pieces = [tok.decode(row["input_ids"][:first]), tok.decode(row["input_ids"][first:])]
    assert note in pieces[0] and pieces[1] == answer + chat.STOP
    halves = [half for half in chat.Cuts(random.Random(1), 1.0).pieces(note)][-2:]
    word = tok.encode(halves[0], add_special_tokens=False)[-1:] + tok.encode(halves[1], add_special_tokens=False)
    said = [ids[at : at + len(word)] for ids in (row["input_ids"][:first], row["input_ids"][first:]) for at in range(len(ids))]
    assert said.count(word) == 2 and word != plain[-len(word) :]


def test_cut_words_and_a_description_left_out_go_together(tok: PreTrainedTokenizerFast) -> None:
    row = chat.encode(tok, MESSAGES, chat.Cuts(random.Random(1), 1.0), descriptions=False)
    learned = tok.decode([token for token, on in zip(row["input_ids"], row["completion_mask"], strict=True) if on])
    assert learned == MESSAGES[-1]["content"].replace("Acute bronchitis, unspecified", "") + chat.STOP


def test_nothing_is_cut_where_there_is_nothing_to_cut() -> None:
    assert chat.Cuts(random.Random(1), 1.0).pieces("") == []
    cuts = chat.Cuts(random.Random(1), 1.0)
    assert "".join(cuts.pieces("bronchitis")) == "bronchitis"
    for text in ("", '""', 'an odd " bronchitis', "bronchitis"):
        assert cuts.again(text, chat.QUOTED) == ([text] if text else [])
    assert chat.Cuts(random.Random(1), 0.0).pieces("acute bronchitis") == ["acute bronchitis"]


def test_any_text_is_read_and_written_back(tok: PreTrainedTokenizerFast) -> None:
    for text in ("Ménière's disease ≥ 3 µg 😀", "a\tb\n\nc  d", "0.5 mg q12h x10d"):
        assert tok.decode(tok.encode(text, add_special_tokens=False)) == text


def test_tokenizer_is_the_same_twice_and_survives_saving(tok: PreTrainedTokenizerFast, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from transformers import AutoTokenizer

    tok.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert chat.encode(again, MESSAGES) == chat.encode(tok, MESSAGES)
    assert again.chat_template == chat.TEMPLATE


def test_codes_in_scope_are_one_token_where_they_stand_alone() -> None:
    tok = tokenizer.train(["ICD10: J20.9 (Acute bronchitis) and J20 and 99213 cough"] * 9, 320, ["J20.9", "J20", "99213"])
    for text in ("ICD10: J20.9 (Acute bronchitis)", "- Code: J20.9\n", "99213, J20."):
        assert tok.decode(tok.encode(text, add_special_tokens=False), skip_special_tokens=True) == text
    assert " J20.9" in tok.tokenize("Code: J20.9\n") and " J20" in tok.tokenize("Belongs to J20 Acute")
    assert "J20.9" not in tok.tokenize("J20.91") and "99213" not in tok.tokenize("call 5599213")


def test_beginnings_of_bullets_that_are_often_seen_are_one_token() -> None:
    trace = (
        '- Documented: "chest cold"\n- Falls under J20 Acute bronchitis\n- Code: J20.9\n- Decides: no organism named\n'
        '- Decides: nothing says "viral", so not J40\n- The note says "cold: bad"\nwords - Code: J20.9'
    )
    often = tokenizer.pieces([trace] * 20)
    assert often == ["- Code:", "- Decides:", "- Decides: nothing says", "- Documented:", "- Falls under", "- The note says"]
    assert tokenizer.pieces([trace] * 19) == []
    tok = tokenizer.train([trace] * 9, 320, pieces=often)
    assert set(often) <= set(tok.tokenize(trace))
    assert tok.decode(tok.encode(trace, add_special_tokens=False)) == trace
    opening, mark, word, *_ = tok.tokenize('- Documented: "chest cold"')
    assert opening == "- Documented:" and mark.endswith('"') and word[0] == "\u0120"  # the quoted word keeps its blank


def test_blocks_and_neighbours_that_are_turned_down_are_one_token_too() -> None:
    trace = (
        '- Category: J20 Acute bronchitis (J20-J22)\n- Code: J20.9\n- Decides: not J40, as nothing says "chronic"\n'
        '- Decides: it says "cold", so not J20.8\n- Excludes1: not J99, or what is not K12'
    )
    names = tokenizer.names(["J20", "J20.9", "J20.8", "J40", "K12"], [trace])
    assert names == ["J20", "J20.8", "J20.9", "J40", "K12", "not J20.8", "not J40", "not K12"]
    assert tokenizer.pieces([trace]) == [" (J20-J22)"]
    tok = tokenizer.train([trace] * 9, 320, names, tokenizer.pieces([trace]))
    assert {" (J20-J22)", " not J40", " not J20.8", " J20.9"} <= set(tok.tokenize(trace))
    assert tok.decode(tok.encode(trace, add_special_tokens=False)) == trace


def test_a_quoted_word_has_the_tokens_it_has_in_the_text(tok: PreTrainedTokenizerFast) -> None:
    spoken = tok.encode(" acute bronchitis", add_special_tokens=False)
    for text in ('- Stated: "acute bronchitis"', '- Decides: left ("acute bronchitis")', f"{chat.START}user\nacute bronchitis"):
        ids = tok.encode(text, add_special_tokens=False)
        assert any(ids[i : i + len(spoken)] == spoken for i in range(len(ids)))
    text = '- Stated: "acute bronchitis"'
    assert tok.decode(tok.encode(text, add_special_tokens=False)) == text


@pytest.mark.parametrize("sign", ["[", "(", "{", "*", "“", "‘", "Dx=", "ENTRY>"])
def test_a_word_right_behind_a_sign_has_the_tokens_it_has_behind_a_blank(tok: PreTrainedTokenizerFast, sign: str) -> None:
    spoken = tok.encode(" acute bronchitis", add_special_tokens=False)
    text = f"Seen for {sign}acute bronchitis today"
    ids = tok.encode(text, add_special_tokens=False)
    assert any(ids[i : i + len(spoken)] == spoken for i in range(len(ids)))
    assert tok.decode(ids) == text


SIGNS = [
    "fever = acute",
    "plan -> acute",
    "acute / chronic",
    "a (3 mg) b",
    "x=3",
    "[2]",
    "( left )",
    "(  acute",
    "Dx= acute",
    "* a",
]


@pytest.mark.parametrize("text", SIGNS)
def test_what_stands_behind_a_sign_is_written_back_as_it_was(tok: PreTrainedTokenizerFast, text: str) -> None:
    assert tok.decode(tok.encode(text, add_special_tokens=False)) == text


def test_a_description_may_be_left_out_of_the_loss(tok: PreTrainedTokenizerFast) -> None:
    text = "<think>\n- Belongs to J20 Acute bronchitis (J20-J22)\n</think>\nICD10: J20.9 (Acute bronchitis, unspecified)"
    row = chat.encode(tok, [{"role": "user", "content": "x"}, {"role": "assistant", "content": text}], descriptions=False)
    learned = tok.decode([token for token, mask in zip(row["input_ids"], row["completion_mask"], strict=True) if mask])
    assert learned == "<think>\n- Belongs to J20 Acute bronchitis (J20-J22)\n</think>\nICD10: J20.9 ()<|im_end|>"
