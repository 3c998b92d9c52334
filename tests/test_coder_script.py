"""Reasoning for a decided answer: every bullet offered holds, and the model's choice is one of them."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from coder_models import THINK, rows, taught, untaught
from codes_tables import book
from hypothesis import given, settings
from hypothesis import strategies as st

from thce.answers import NONE_ANSWER, format_answer, format_completion
from thce.coder.bullets import script_for
from thce.coder.decode import Decoder
from thce.coder.script import Script, Step, explain
from thce.modeling.chat import as_read, prompt_text
from thce.reasoning.knowledge import knowledge
from thce.reasoning.verify import Verdict, verify

pytestmark = pytest.mark.unit

Pair = tuple[str, str]
BRONCHITIS, DIABETES, WALKER = ("ICD10", "J20.9"), ("ICD10", "E11.9"), ("HCPCS", "E0130")


@cache
def decoder(known: bool = True) -> Decoder:
    torch.set_num_threads(1)
    return Decoder.load(taught() if known else untaught(), 4)


def prompt(note: str) -> list[int]:
    turns = [{"role": "system", "content": THINK}, {"role": "user", "content": as_read(note)}]
    return decoder().encode(prompt_text(turns))


def reasoned(note: str, pairs: list[Pair], quotes: dict[Pair, list[str]], known: bool = True) -> tuple[str, bool]:
    script, held = script_for(note, pairs, quotes, knowledge(book()))
    (trace,) = explain(decoder(known), [prompt(note)], [script])
    return trace, held


def verdict(note: str, pairs: list[Pair], trace: str) -> Verdict:
    entries = [entry for pair in pairs if (entry := book().find(*pair))]
    answer = format_answer([(one.code_type, one.code, one.short_title) for one in entries]) if entries else NONE_ANSWER
    return verify(note, format_completion(trace, answer), book())


CASES: list[tuple[str, list[Pair], dict[Pair, list[str]]]] = [
    ("Assessment: acute bronchitis.", [BRONCHITIS], {BRONCHITIS: ["acute bronchitis"]}),
    ("Type 2 diabetes, no complications.", [DIABETES], {DIABETES: ["Type 2 diabetes"]}),
    ("Dispensed rigid walker.", [WALKER], {WALKER: ["rigid walker"]}),
    ("Acute bronchitis. Rigid walker.", [BRONCHITIS, WALKER], {BRONCHITIS: ["Acute bronchitis"], WALKER: ["Rigid walker"]}),
    ("Denies cough. Acute bronchitis.", [BRONCHITIS], {}),  # no quotation known: a clause of the text
    ("Denies fever.", [], {}),
    ("Mother had diabetes.", [], {}),
    ("Form signed and sent.", [], {}),
]


@pytest.mark.parametrize(("note", "pairs", "quotes"), CASES)
@pytest.mark.parametrize("known", [True, False])
def test_the_reasoning_holds_whoever_chooses(note: str, pairs: list[Pair], quotes: dict[Pair, list[str]], known: bool) -> None:
    trace, held = reasoned(note, pairs, quotes, known)
    found = verdict(note, pairs, trace)
    assert held and found.faithful, found


def test_a_denied_quotation_is_not_offered_where_another_holds() -> None:
    note = "No acute bronchitis last year. Now acute bronchitis."
    trace, held = reasoned(note, [BRONCHITIS], {BRONCHITIS: ["acute bronchitis"]})
    assert held and verdict(note, [BRONCHITIS], trace).faithful


def test_where_nothing_in_the_text_supports_the_code_that_is_said() -> None:
    note = "Denies acute bronchitis."
    trace, held = reasoned(note, [BRONCHITIS], {BRONCHITIS: ["acute bronchitis"]})
    assert not held and not verdict(note, [BRONCHITIS], trace).evidence


def test_the_model_chooses_and_forced_text_needs_no_model() -> None:
    steps: Script = (Step(('- Documented: "x"',), (1,)), Step(("- Code: J20.9", "- So the code is J20.9"), (2, 2)))
    (trace,) = explain(decoder(), [prompt("x")], [steps])
    assert trace in ('- Documented: "x"\n- Code: J20.9', '- Documented: "x"\n- So the code is J20.9')
    alone: Script = (Step(("- Code: none",), (1,)),)
    assert explain(decoder(), [prompt("x")], [alone]) == ["- Code: none"]


def test_a_script_longer_than_the_context_takes_the_first_bullets() -> None:
    long = "word " * 300
    steps: Script = (Step((f'- Stated: "{long}b"', f'- Stated: "{long}a"'), (1, 1)),)
    assert explain(decoder(), [prompt("x")], [steps]) == [f'- Stated: "{long}b"']


def test_one_or_many_the_reasoning_is_the_same() -> None:
    scripts = [script_for(note, pairs, quotes, knowledge(book()))[0] for note, pairs, quotes in CASES]
    prompts = [prompt(note) for note, _, _ in CASES]
    together = explain(decoder(), prompts, scripts)
    assert together == [explain(decoder(), [one], [script])[0] for one, script in zip(prompts, scripts, strict=True)]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([row[1]["content"] for row in rows(True)]) | st.text(max_size=60), st.sampled_from([BRONCHITIS, WALKER]))
def test_any_text_gets_reasoning_that_the_grammar_reads(note: str, pair: Pair) -> None:
    script, _ = script_for(note, [pair], {}, knowledge(book()))
    (trace,) = explain(decoder(False), [prompt(note)], [script])
    assert verdict(note, [pair], trace).format
