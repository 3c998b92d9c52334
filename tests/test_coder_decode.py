"""Decoding: free text as the library would write it, and answers that are codes in scope whatever the model says."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from coder_models import DIRECT, THINK, rows, taught, untaught
from codes_tables import book
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from thce.answers import parse
from thce.coder.decode import ANSWER_ROOM, Answer, Decoder, _concluded, _draw
from thce.coder.trie import CodeSet
from thce.errors import UserError
from thce.modeling.chat import prompt_text

pytestmark = pytest.mark.unit

LIMITS = {"max_reasoning": 80, "max_codes": 3}


@cache
def decoder(trained: bool, batch_size: int = 8) -> Decoder:
    torch.set_num_threads(1)
    return Decoder.load(taught() if trained else untaught(), batch_size)


@cache
def codes(trained: bool) -> CodeSet:
    return CodeSet(book().scope, decoder(trained).tokenizer)


def prompts(narratives: list[str], trained: bool, think: bool = True) -> list[list[int]]:
    system = {"role": "system", "content": THINK if think else DIRECT}
    return [decoder(trained).encode(prompt_text([system, {"role": "user", "content": text}])) for text in narratives]


NARRATIVES = [row[1]["content"] for row in rows(True)][:14]


def test_greedy_text_is_what_the_library_generates() -> None:
    model = AutoModelForCausalLM.from_pretrained(taught())
    found = decoder(True).free(prompts(NARRATIVES[:5], True), 50)
    for ids, (completion,) in zip(prompts(NARRATIVES[:5], True), found, strict=True):
        inputs = torch.tensor([ids])
        kept: dict[str, Any] = {"attention_mask": torch.ones_like(inputs), "do_sample": False, "max_new_tokens": 50}
        theirs = model.generate(inputs, eos_token_id=decoder(True).stop, **kept)[0, len(ids) :].tolist()
        assert completion.new_tokens == len(theirs)
        assert completion.stopped == (theirs[-1] == decoder(True).stop)
        assert completion.text == decoder(True).decode(theirs[:-1] if completion.stopped else theirs)


def test_further_lines_are_the_codes_the_reasoning_has_concluded() -> None:
    some = codes(False)
    rows_of = decoder(False).start(list(range(6)), prompts(NARRATIVES[:6], False))
    wanted = {number: [some.none - 1 - number, 2 + number] for number in range(5)} | {5: []}
    found = decoder(False)._lines(rows_of, some, 4, 16, 0.01, wanted)
    several = 0
    for number in range(5):
        first, *others = [line.number for line in found[number]]
        if first != some.none:
            several += 1
            assert len(others) == 1 and others[0] in wanted[number] and others[0] != first
            second = found[number][1].scores  # what the model thinks of all codes is kept
            assert np.isfinite(np.delete(second, [first, some.none])).all()
    assert several


def test_further_lines_are_written_only_where_they_are_wanted() -> None:
    some, ids = codes(False), prompts(NARRATIVES, False)
    limits = {"think": False, "max_reasoning": 0, "max_codes": 3}
    asked: list[int] = []

    def even(number: int, scores: np.ndarray) -> bool:
        assert np.exp(scores).sum() == pytest.approx(1)
        asked.append(number)
        return number % 2 == 0

    free = decoder(False).constrained(ids, some, **limits)
    assert max(len(answer.lines) for answer in free[::2]) > 1 < max(len(answer.lines) for answer in free[1::2])
    for number, answer in enumerate(decoder(False).constrained(ids, some, further=even, **limits)):
        wanted = [line.number for line in free[number].lines]
        assert [line.number for line in answer.lines] == (wanted if number % 2 == 0 else wanted[:1])
    assert sorted(asked) == list(range(len(ids)))  # once each


def test_an_answer_has_no_more_lines_than_its_reasoning_has_codes() -> None:
    some = codes(True)
    concluded = []
    several = [text for row in rows(True) if (text := row[1]["content"]).count("Dx") > 1]
    for answer in decoder(True).constrained(prompts([*NARRATIVES[:4], *several[:8]], True), some, think=True, **LIMITS):
        named = _concluded(answer.reasoning or "", some)
        concluded.append(len(named))
        assert not named or len(answer.lines) <= len(named)
        assert {line.number for line in answer.lines[1:]} <= set(named or range(len(some)))
    assert max(concluded) > 1


def test_what_a_reasoning_concludes() -> None:
    some = codes(True)
    label = {code: place for place, (_, code) in enumerate(some.labels)}
    text = '- Stated: "cold"\n- Code: J20.9\n- So the code is I10\n- Code: J20.9\n- Code: Q99.9\nCode: E11.9\n- Code: none'
    assert _concluded(text, some) == [label["J20.9"], label["I10"]]
    assert _concluded("- Code: none", some) == _concluded("", some) == []


def test_a_sample_depends_on_seed_prompt_and_number_only() -> None:
    ids = prompts(NARRATIVES, True)
    draw = {"samples": 3, "temperature": 1.5, "top_p": 0.95}
    whole = decoder(True).free(ids, 30, seed=5, **draw)
    assert decoder(True).free(ids, 30, seed=5, **draw) == whole
    assert decoder(True, 3).free(ids[:4], 30, seed=5, **draw) == whole[:4]
    assert decoder(True).free(ids, 30, seed=6, **draw) != whole
    assert any(len({one.text for one in drawn}) > 1 for drawn in whole)


def test_sampling_stays_in_the_nucleus() -> None:
    ids = prompts(NARRATIVES[:3], True)
    greedy = decoder(True).free(ids, 30)
    assert decoder(True).free(ids, 30, temperature=1.0, top_p=1e-6) == greedy


@pytest.mark.parametrize(
    ("top_p", "temperature", "throws", "tokens"),
    [
        (1.0, 1.0, [0.0, 0.19, 0.21, 0.69, 0.71, 1 - 2**-53], [1, 1, 3, 3, 4, 4]),
        (1.0, 0.5, [0.0, 0.10, 0.11, 0.75, 0.77], [1, 1, 3, 3, 4]),  # shares 4, 25 and 9 of 38
        (0.8, 1.0, [0.0, 0.62, 0.63, 1 - 2**-53], [3, 3, 4, 4]),  # without the least likely
        (0.5, 1.0, [0.0, 0.5, 1 - 2**-53], [3, 3, 3]),
    ],
)
def test_a_token_is_drawn_as_often_as_it_is_probable(
    top_p: float, temperature: float, throws: list[float], tokens: list[int]
) -> None:
    logits = torch.tensor([[0.0, 0.2, 0.0, 0.5, 0.3, 0.0]]).log().expand(len(throws), -1)
    throw = torch.tensor(throws, dtype=torch.float64)
    assert _draw(logits, temperature, top_p, throw).tolist() == tokens


@pytest.mark.parametrize("trained", [True, False])
def test_code_probabilities_are_exact_when_nothing_is_left_out(trained: bool) -> None:
    table = codes(trained)
    ids = prompts(NARRATIVES[:2], trained, think=False)
    scores, left_out = decoder(trained).scores(ids, table, beam=10_000, cutoff=0.0)
    assert np.allclose(np.exp(scores).sum(axis=1), 1) and not left_out.any()
    model = AutoModelForCausalLM.from_pretrained(taught() if trained else untaught())
    children: dict[tuple[int, ...], set[int]] = {}
    for sequence in table.spelled:
        for cut in range(len(sequence)):
            children.setdefault(tuple(sequence[:cut]), set()).add(sequence[cut])
    for row, prompt in enumerate(ids):
        for number in (*range(0, len(table), 97), table.none):
            sequence = table.spelled[number]
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([prompt + sequence])).logits[0, len(prompt) - 1 :].double()
            expected = 0.0
            for cut, token in enumerate(sequence):
                allowed = sorted(children[tuple(sequence[:cut])])
                expected += float(logits[cut, token] - torch.logsumexp(logits[cut, allowed], 0))
            assert scores[row, number] == pytest.approx(expected, abs=2e-3)


def test_what_is_left_out_is_spread_and_reported() -> None:
    ids = prompts(NARRATIVES[:4], False, think=False)
    exact, _ = decoder(False).scores(ids, codes(False), beam=10_000, cutoff=0.0)
    scores, left_out = decoder(False).scores(ids, codes(False), beam=4, cutoff=1e-2)
    assert np.allclose(np.exp(scores).sum(axis=1), 1) and (left_out > 0).all() and (left_out < 1).all()
    # the difference in mass can be no larger than what was left out
    assert (np.abs(np.exp(scores) - np.exp(exact)).sum(axis=1) <= 2 * left_out + 1e-6).all()


def test_a_taught_model_answers_as_it_was_taught() -> None:
    data = rows(True)
    found = decoder(True).constrained(prompts([row[1]["content"] for row in data], True), codes(True), think=True, **LIMITS)
    wanted = [row[2]["content"] for row in data]
    assert sum(answer.text == text for answer, text in zip(found, wanted, strict=True)) >= 0.9 * len(wanted)
    assert max(len(answer.lines) for answer in found) == 2
    assert sum(answer.closed for answer in found) >= 0.9 * len(wanted)


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("think", [True, False])
def test_one_at_a_time_gives_the_same_answers_as_a_batch(trained: bool, think: bool) -> None:
    ids = prompts(NARRATIVES, trained, think)

    def answers(batch_size: int) -> list[tuple[str, tuple[int, ...]]]:
        found = decoder(trained, batch_size).constrained(ids, codes(trained), think=think, **LIMITS)
        return [(answer.text, tuple(line.number for line in answer.lines)) for answer in found]

    assert answers(1) == answers(32) == answers(5)


def test_a_shared_prefix_changes_nothing() -> None:
    ids = prompts(NARRATIVES, True)
    shared = ids[0][:6]
    assert all(prompt[:6] == shared for prompt in ids)
    plain = decoder(True).constrained(ids, codes(True), think=True, **LIMITS)
    quick = decoder(True).constrained(ids, codes(True), think=True, prefix=shared, **LIMITS)
    assert [answer.text for answer in quick] == [answer.text for answer in plain]


def check(answer: Answer, think: bool) -> None:
    read = parse(answer.text)
    assert read.well_formed
    assert (read.reasoning is not None) == think
    for code, description in zip(read.codes, read.descriptions, strict=True):
        entry = book().find(code.code_type, code.code)
        assert entry is not None and entry.billable and entry.short_title == description
    assert read.none == (not read.codes)
    assert len(read.codes) <= LIMITS["max_codes"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6), st.booleans(), st.booleans())
def test_whatever_is_written_in_a_narrative_the_answer_is_codes_in_scope(texts: list[str], think: bool, trained: bool) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    ids = prompts(texts, trained, think)
    for answer in decoder(trained).constrained(ids, codes(trained), think=think, **LIMITS):
        check(answer, think)


def test_reasoning_that_does_not_end_is_closed_by_force() -> None:
    ids = prompts(NARRATIVES[:3], True)
    found = decoder(True).constrained(ids, codes(True), think=True, max_reasoning=4, max_codes=2)
    for answer in found:
        assert not answer.closed
        assert len(decoder(True).encode(answer.reasoning or "")) <= 4
        check(answer, True)


def test_no_code_comes_twice_and_no_code_line_stands_alone() -> None:
    ids = prompts(["Dx acute bronchitis. Dx hypertension.", "Assessment: nothing new."], True)
    two, none = decoder(True).constrained(ids, codes(True), think=True, **LIMITS)
    numbers = [line.number for line in two.lines]
    assert len(numbers) == len(set(numbers)) == 2
    assert two.lines[0].reached == 1.0 and 0.5 < two.lines[1].reached <= 1
    for line in two.lines[1:]:
        assert line.scores[numbers[0]] == line.scores[codes(True).none] == -np.inf
        assert np.exp(line.scores).sum() == pytest.approx(1)
    assert [line.number for line in none.lines] == [codes(True).none]


def test_a_prompt_that_does_not_fit_is_refused_not_cut() -> None:
    context = decoder(True).model.context
    with pytest.raises(UserError, match="context"):
        decoder(True).free([[5] * context], 1)
    with pytest.raises(UserError, match="context"):
        decoder(True).scores([[5] * (context - ANSWER_ROOM + 1)], codes(True))


def test_no_prompts_no_answers() -> None:
    assert decoder(True).free([], 5) == []
    assert decoder(True).constrained([], codes(True), think=True, **LIMITS) == []
