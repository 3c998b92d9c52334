"""The answer format: what counts as an answer, and what never does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thce.answers import NONE_ANSWER, Code, format_answer, format_completion, parse

pytestmark = pytest.mark.unit

J = "ICD10: J20.9 (Acute bronchitis, unspecified)"
W = "HCPCS: E0130 (Walker, rigid (pickup), adjustable or fixed height)"


def test_what_is_written_is_read_back() -> None:
    text = format_completion(
        "- a\n- b",
        format_answer([("ICD10", "J20.9", "Acute bronchitis, unspecified"), ("CPT", "99213", "Office visit")]),
    )
    parsed = parse(text)
    assert parsed.codes == (Code("ICD10", "J20.9"), Code("CPT", "99213"))
    assert parsed.descriptions == ("Acute bronchitis, unspecified", "Office visit")
    assert parsed.reasoning == "- a\n- b" and parsed.well_formed and not parsed.none


def test_no_code_is_an_answer_of_its_own() -> None:
    parsed = parse(format_completion("- nothing documented", format_answer([])))
    assert parsed.none and parsed.well_formed and parsed.codes == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "J20.9",
        "ICD10 J20.9 (Acute bronchitis)",
        "ICD10: J20.9",
        "ICD10: J20.9 ()",
        "icd10: J20.9 (Acute bronchitis, unspecified)",
        f"The answer is {J}",
        f"{J} and more",
        f"{J}\n{J}",
        f"{J}\nI hope this helps.",
        f"{J}\n{NONE_ANSWER}",
        f"<think>\n{J}\n</think>",
        f"<think>\n{J}\n</think>\n",
        f"<think>\n{J}",
        f"<think>\n- so it is\n{J}",
        f"{J}\n<think>\n- later\n</think>",
        f"text before <think>\n- x\n</think>\n{J}",
        f"</think>\n{J}",
        "ICD10: " + "J" * 50 + " (x)",
        "SNOMED: 123456 (Bronchitis)",
        "ICD10: J20.9 (" + "x" * 100_000 + ")",
        "\n".join(f"ICD10: J{i}.9 (x)" for i in range(10, 99)) * 2,
        "ICD10: Ｊ20.9 (Acute bronchitis, unspecified)",
    ],
)
def test_garbage_names_no_code(text: str) -> None:
    parsed = parse(text)
    assert not parsed.well_formed and parsed.codes == () and not parsed.none


@pytest.mark.parametrize(
    "text", [J, W, f"<think>\n- x\n</think>\n{J}", f"{J}\n{W}", f"<think>\n</think>\n{NONE_ANSWER}", f"{J}\n"]
)
def test_answers_are_well_formed(text: str) -> None:
    assert parse(text).well_formed


def test_only_the_last_think_block_ends_the_reasoning() -> None:
    parsed = parse(f"<think>\n- a\n</think>\nHCPCS: E0130 (x)\n</think>\n{J}")
    assert parsed.codes == (Code("ICD10", "J20.9"),)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("<>/think ICD10:PTHSJ2.9()\n-aNOE"), max_size=120))
def test_any_text_is_read_without_an_error(text: str) -> None:
    parsed = parse(text)
    assert parsed.well_formed == bool(parsed.codes or parsed.none)
