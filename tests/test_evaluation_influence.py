"""What an answer hangs on, seen in models that are made to hang on one thing."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import coder_models
import pytest
import shared
from codes_tables import book
from evaluation_rows import item

from thce.coder.coder import Options
from thce.coder.evidence import Evidence
from thce.coder.prediction import CodedItem, Prediction
from thce.evaluation import influence, running
from thce.evaluation.data import NO_CODE

pytestmark = pytest.mark.unit

SINGLES = [(code, phrase) for code, phrases in coder_models.PHRASES.items() for phrase in phrases]
ITEMS = [
    item(place, f"{code[0]} {code[1]}", sentence.format(phrase))
    for place, (sentence, (code, phrase)) in enumerate((s, one) for one in SINGLES for s in coder_models.SENTENCES[:2])
]
DIALS = influence.Dials(16, 1, 100)


def taught_to_follow(what: str) -> Path:
    """The taught model, taught further on foreign traces: the answer is that of the `trace` or that of the `narrative`."""
    return shared.once(f"follows_{what}", lambda folder: teach_to_follow(what, folder))


def teach_to_follow(what: str, folder: Path) -> None:
    from transformers import AutoTokenizer, LlamaForCausalLM

    from thce.answers import format_answer, format_completion
    from thce.modeling import chat

    shutil.copytree(coder_models.taught(), folder, dirs_exist_ok=True)
    words, model = AutoTokenizer.from_pretrained(folder), LlamaForCausalLM.from_pretrained(folder)
    close = words.convert_tokens_to_ids("</think>")
    encoded = [chat.encode(words, row) for row in coder_models.rows(True)]
    for place, (mine, phrase) in enumerate(SINGLES):
        for other in (other for other in SINGLES if other[0] != mine):
            answer = format_answer([other[0] if what == "trace" else mine])
            for named in (f"\n- Code: {other[0][1]}", ""):
                text = format_completion(f'- Documented: "{other[1]}"{named}', answer)
                narrative = coder_models.SENTENCES[place % 2].format(phrase)
                turns = zip(("system", "user", "assistant"), (coder_models.THINK, narrative, text), strict=True)
                row = chat.encode(words, [{"role": role, "content": content} for role, content in turns])
                inside = row["input_ids"].index(close, row["completion_mask"].index(1)) + 1
                row["completion_mask"] = [0] * inside + row["completion_mask"][inside:]  # the foreign trace is not learned
                encoded.append(row)
    coder_models._teach(model, encoded, 50)
    model.save_pretrained(folder)


@pytest.mark.parametrize("what", ["trace", "narrative"])
def test_a_swap_tells_what_the_answer_follows(what: str) -> None:
    model = running.model_alone(str(taught_to_follow(what)), book(), Options(max_reasoning=60))
    found = influence.swaps(model, ITEMS, DIALS)
    for kind in ("swap", "swap_without_code"):
        sides = found[kind]
        other = "narrative" if what == "trace" else "trace"
        assert sides[what]["n"] == sides[other]["n"] == 16
        assert sides[what]["value"] >= 0.75 and sides[other]["value"] <= 0.25
        assert sides[what]["low"] <= sides[what]["value"] <= sides[what]["high"]


def test_behind_its_own_trace_a_model_answers_as_it_did() -> None:
    model = running.model_alone(str(coder_models.taught()), book(), Options(max_reasoning=60))
    narratives = [one.narrative for one in ITEMS]
    prompts = [model.prompt(text, True) for text in narratives]
    written = model.decoder.constrained(prompts, model.codes(), think=True, max_reasoning=60, max_codes=1)
    again = influence.behind(model, narratives, [one.reasoning or "" for one in written])
    assert again == [one.lines[0].number for one in written]


def test_the_quoted_words_carry_the_answer_and_others_do_not() -> None:
    system = running.whole_system(str(coder_models.taught()), str(coder_models.calibrated()), book())
    found = influence.evidence(system, ITEMS, True, DIALS)
    deletion, sufficiency = found["deletion"], found["sufficiency"]
    assert deletion["fall"]["n"] == sufficiency["kept"]["n"] == 16
    assert deletion["changed"]["value"] >= 0.6 and deletion["fall"]["value"] >= 0.6
    assert deletion["other_changed"]["value"] <= 0.2 and deletion["beyond_other"]["low"] > 0.2
    assert sufficiency["kept"]["value"] >= 0.8 and sufficiency["fall"]["value"] <= 0.2


def test_which_rows_and_when() -> None:
    system = running.whole_system(str(coder_models.taught()), str(coder_models.calibrated()), book())
    model = running.model_alone(str(coder_models.taught()), book(), Options(max_reasoning=60))
    tests = {"known": ITEMS[:6], "no_code": [item(99, "", "Seen for nothing new.")], "unseen_phrase": []}
    assert influence.influence(tests, system, model, True, influence.Dials(0, 1, 100)) == {}
    found = influence.influence(tests, system, model, True, influence.Dials(2, 1, 100))
    assert set(found) == {"known"} and found["known"]["deletion"]["fall"]["n"] == 2
    # nothing is quoted for "no code", and nothing is left of a text that is all evidence
    bare = [item(1, "", "Seen for nothing new."), item(2, "ICD10 J20.9", "chest cold")]
    found = influence.evidence(system, bare, True, DIALS)
    assert found["deletion"]["fall"] == {"value": 0.0, "low": 0.0, "high": 0.0, "n": 0}
    # one answer only: no row has a foreign trace
    assert influence.swaps(model, ITEMS[:2], DIALS)["swap"]["trace"]["n"] == 0


def test_a_narrative_without_room_for_a_trace_is_left_out() -> None:
    model = running.model_alone(str(coder_models.taught()), book(), Options(max_reasoning=60))
    long = item(50, "ICD10 I10", "Seen for hypertension. " * 40)
    assert influence.swaps(model, [*ITEMS, long], DIALS) == influence.swaps(model, ITEMS, DIALS)


def said(code: str, *alternatives: tuple[str, str, float]) -> Prediction:
    """A prediction of one ICD-10-CM code, or none."""
    items = (CodedItem("ICD10", code, "", 0.5, (Evidence("x", 0, 1, "trace"),)),) if code else ()
    return Prediction("coded", items, 0.5, None, alternatives, (), "", 1)


def test_the_fall_follows_the_first_answer() -> None:
    before = said("I10", ("ICD10", "I10", 0.75), ("NONE", "", 0.25))
    assert influence.effect(before, said("I10", ("ICD10", "I10", 0.5))) == (0.25, True)
    assert influence.effect(before, said("J20.9", ("ICD10", "J20.9", 0.75), ("ICD10", "I10", 0.125))) == (0.625, False)
    assert influence.effect(before, said("", ("NONE", "", 1.0))) == (0.75, False)
    assert influence.first(said("")) == NO_CODE


@pytest.mark.parametrize(
    ("text", "spans", "rest", "alone"),
    [
        ("Dx chest cold today.", [(3, 13)], "Dx today.", "chest cold."),
        ("chest cold", [(0, 10)], "", "chest cold."),
        ("a b c d", [(4, 5), (0, 1)], "b d", "a. c."),
        ("one two three", [(0, 7), (4, 13)], "", "one two. two three."),
        ("Line one\nline two", [(5, 8)], "Line \nline two", "one."),
    ],
)
def test_texts_without_and_only(text: str, spans: Sequence[tuple[int, int]], rest: str, alone: str) -> None:
    assert influence.without(text, spans) == rest
    assert influence.only(text, spans) == alone


def test_as_many_other_words_are_taken() -> None:
    text = "Seen today for chest cold, goes home."
    spans = [(15, 25)]
    taken = {tuple(text[left:right] for left, right in influence.others(text, spans, draw)) for draw in range(4)}
    assert taken == {("Seen", "today"), ("today", "for"), ("for", "goes"), ("goes", "home.")}
    assert influence.others("Dx chest cold", [(3, 13)], 7) == [(0, 2)]
    assert influence.others("chest cold", [(0, 10)], 7) == []


def test_donors_answer_otherwise() -> None:
    assert influence.donors([1, 1, 2, 1]) == [2, 2, 3, 2]
    assert influence.donors([1, 1]) == [None, None]
    assert influence.donors([]) == []


def test_a_trace_without_its_code() -> None:
    assert influence.without_code('- Stated: "chest cold"\n- Belongs to X\n- So the code is J20.9') == (
        '- Stated: "chest cold"\n- Belongs to X'
    )
    assert influence.without_code("- Code: none") == ""
