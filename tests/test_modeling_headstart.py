"""The head start: a layer that points from words to codes, and two heads that copy, before any training of the whole."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from thce.answers import format_answer
from thce.modeling import base, chat, headstart, tokenizer
from thce.modeling.headstart import Example, FirstLayer, Parts
from thce.settings.modeling import BaseParams

pytestmark = pytest.mark.unit

SYSTEM = "Give the billing codes."
CODES = {"J20.9": "Acute bronchitis, unspecified", "I10": "Essential hypertension", "K21.9": "Reflux without esophagitis"}
WORDS = {
    "J20.9": ["chest cold", "acute bronchitis", "tracheobronchitis"],
    "I10": ["HTN", "high blood pressure", "raised pressure"],
    "K21.9": ["heartburn", "acid reflux", "GERD"],
}
PARAMS = BaseParams(
    source="scratch",
    revision=None,
    vocabulary=420,
    code_tokens=True,
    hidden=192,
    layers=3,
    heads=3,
    intermediate=64,
    context=128,
    epochs=40.0,
    batch_size=8,
    learning_rate=0.02,
    drop=0.1,
    chop=0.1,
)
FRAMES = ("Patient has {}.", "Assessment: {} again.", "{} on {} side seen for years")


def answer(code: str | None) -> str:
    return format_answer([("ICD10", code, CODES[code])] if code else [])


@cache
def tok() -> PreTrainedTokenizerFast:
    texts = [word for words in WORDS.values() for word in words] + list(FRAMES) + [answer(code) for code in (*CODES, None)]
    prompts = [chat.prompt_text([{"role": "user", "content": text}]) for text in texts]
    return tokenizer.train(texts + prompts, 420, CODES, pieces=["- Stated:"])


@cache
def examples() -> tuple[Example, ...]:
    cases = [(frame.format(word, "left"), code) for code, words in WORDS.items() for word in words for frame in FRAMES]
    cases += [(frame.format("nothing", "no"), None) for frame in FRAMES]
    return tuple(headstart.example(tok(), SYSTEM, text, answer(code)) for text, code in cases)


@cache
def made() -> tuple[FirstLayer, float, LlamaForCausalLM]:
    torch.set_num_threads(1)
    layer, points, share = headstart.teach(tok(), examples(), PARAMS, 5)
    assert points[-1]["loss"] < points[0]["loss"] / 4
    model = base.scratch(PARAMS, tok(), 5)
    headstart.install(model, layer, tokenizer.spoken(tok(), CODES))
    return layer, share, model.eval()


def prompt(text: str) -> list[int]:
    return chat.encode_prompt(tok(), [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}])


def test_an_example_asks_for_the_type_and_the_code_or_for_no_code() -> None:
    def shown(text: str) -> list[str]:
        return [tok().decode([token]) for token in headstart.example(tok(), SYSTEM, "x", text).answer]

    assert shown("ICD10: I10 (Essential hypertension)\nICD10: K21.9 (Reflux without esophagitis)") == ["ICD10:", " I10"]
    assert shown(answer(None)) == ["NONE:"]


def test_reasoning_asks_for_its_opening_and_every_code_it_names() -> None:
    loud = frozenset(tokenizer.spoken(tok(), CODES))
    text = f'<think>\n- Stated: "HTN"\n- Code: I10\n</think>\n{answer("I10")}'
    one = headstart.example(tok(), SYSTEM, "HTN again", text, loud)
    assert [tok().decode([one.answer[place]]).strip() for place in one.asked][1:] == [
        *("- Stated:", "I10", "</think>", "ICD10:", "I10")
    ]
    assert one.opening is not None and headstart.openings([*examples(), one]) == [one.opening]
    direct = headstart.example(tok(), SYSTEM, "HTN again", answer("I10"), loud)
    assert direct.opening is None and [tok().decode([direct.answer[place]]) for place in direct.asked] == ["ICD10:", " I10"]
    ids, places, seen, targets = headstart.collate(
        [(row, one) for row in headstart.encode(tok(), [one], random.Random(1), 0.0)]
    )
    rows = zip(places[0].tolist(), targets[0].tolist(), one.asked, strict=True)
    for place, target, asked in rows:
        assert target == one.answer[asked]
        assert ids[0, : place + 1].tolist() == [*prompt("HTN again"), *one.answer[:asked]]
    assert seen.sum(-1).tolist() == (places + 1).tolist()


def test_prompts_are_those_of_training() -> None:
    one = examples()[0]
    assert headstart.encode(tok(), [one], random.Random(1), 0.0) == [[*prompt(one.text), *one.answer[:-1]]]
    pieces = headstart.encode(tok(), [one] * 30, random.Random(1), 0.9)
    kept = len(tok().decode(prompt(one.text)))
    assert len({tuple(row) for row in pieces}) > 5
    assert all(kept <= len(tok().decode(row)) for row in pieces)


def test_it_learns_which_words_point_to_which_code() -> None:
    assert made()[1] > 0.9


@pytest.mark.parametrize("reasoning", ["", '<think>\n- Stated: "{}"\n</think>\n'], ids=["answer", "after a quotation"])
def test_the_installed_model_answers_as_the_layer_does(reasoning: str) -> None:
    layer, _, model = made()
    for one in examples():
        quoted = tok().encode(reasoning.format(one.text), add_special_tokens=False)
        ids = [*prompt(one.text), *quoted, *one.answer[:-1]]
        place = torch.tensor([[len(ids) - 1]])
        seen = torch.ones(1, 1, len(ids), dtype=torch.bool)
        with torch.no_grad():
            alone = layer(torch.tensor([ids]), place, seen, torch.tensor([[True]]), torch.arange(len(tok())))[0]
            whole = model(torch.tensor([ids])).logits[0, -1]
        loud = tokenizer.spoken(tok(), CODES)
        assert loud[int(alone[loud].argmax())] == loud[int(whole[loud].argmax())]


def test_the_last_head_of_the_first_layer_looks_at_the_token_before() -> None:
    model = made()[2]
    model.set_attn_implementation("eager")
    ids = prompt("high blood pressure and heartburn on the left side")
    with torch.no_grad():
        attention = model(torch.tensor([ids]), output_attentions=True).attentions[0][0, -1]
    assert float(attention.diagonal(-1).min()) > 0.9


def test_the_copying_head_looks_where_the_quoted_text_goes_on() -> None:
    model = made()[2]
    text = "tracheobronchitis with high blood pressure and heartburn on the left side"
    start = prompt(text)
    quote = tok().encode(f' "{text}', add_special_tokens=False)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        passed = model(torch.tensor([start + quote]), output_attentions=True)
    ways = list(pairwise(start))  # only where a pair stands once is there one way to go on
    once = [i for i in range(2, len(quote) - 1) if ways.count((quote[i - 1], quote[i])) == 1]
    assert sum(start.count(quote[i]) > 1 for i in once) > 3  # one token alone would not tell
    looks = [int(passed.attentions[2][0, -1, len(start) + i].argmax()) for i in once]
    right = sum(start[place : place + 1] == [quote[i + 1]] for place, i in zip(looks, once, strict=True))
    assert right >= 0.7 * len(once)  # at this width a predecessor is told by seven or eight signs: some agree by chance


def test_what_no_note_contains_has_no_name_to_copy() -> None:
    names = headstart.draw_names(tok(), 31, torch.Generator().manual_seed(1))
    for text in ("ICD10:", "<think>", "\n", '"', chat.STOP, " I10", " K21.9", "- Stated:"):
        assert not names[tok().encode(text, add_special_tokens=False)].any()
    assert names[tok().encode(" heart", add_special_tokens=False)].abs().min() == 1


def test_a_vector_is_divided_without_gap_or_overlap() -> None:
    parts = Parts(96, 32)
    assert (parts.content, parts.name, parts.before, parts.earlier) == (64, slice(65, 80), slice(81, 89), slice(89, 96))


def test_the_same_seed_gives_the_same_layer() -> None:
    short = replace(PARAMS, epochs=1.5)
    first, second = (headstart.teach(tok(), examples(), short, 7)[0] for _ in range(2))
    assert all(torch.equal(one, two) for one, two in zip(first.parameters(), second.parameters(), strict=True))
