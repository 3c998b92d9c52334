"""Built traces: true, short, varied, the same every time."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from codes_tables import book
from reasoning_rows import SEED, all_rows, row

from thce.answers import format_completion
from thce.errors import UserError
from thce.reasoning import grade, grammar, trace, verify
from thce.reasoning.build import completion, decisions, nearest, none_quotes, place, quotable, true_of
from thce.reasoning.knowledge import knowledge
from thce.reasoning.verify import TOKENS_FIRST, count_tokens

pytestmark = pytest.mark.unit

BRONCHITIS = row("Patient presents with acute bronchitis with cough and fever.", ("ICD10", "J20.9", "acute bronchitis"))
WALKER = row("Patient requires walker for mobility assistance after hip surgery.", ("HCPCS", "E0130", "walker"))
DIABETES = row(
    "Patient diagnosed with Type 2 diabetes mellitus without complications.",
    ("ICD10", "E11.9", "Type 2 diabetes mellitus without complications"),
)


@pytest.mark.parametrize(
    ("example", "place", "answer"),
    [
        (BRONCHITIS, "J20 Acute bronchitis", "ICD10: J20.9 (Acute bronchitis, unspecified)"),
        (WALKER, "E Durable medical equipment", "HCPCS: E0130 (Walker, rigid (pickup), adjustable or fixed height)"),
        (DIABETES, "E11 Type 2 diabetes mellitus", "ICD10: E11.9 (Type 2 diabetes mellitus without complications)"),
    ],
    ids=["bronchitis", "walker", "diabetes"],
)
def test_the_first_three_examples(example: dict, place: str, answer: str) -> None:
    text = completion(example, book(), SEED)
    assert place in text
    assert text.endswith(f"\n</think>\n{answer}")
    assert verify(example["narrative"], text, book()).faithful


def test_what_decides_is_named() -> None:
    assert "no organism" in trace(BRONCHITIS, book(), SEED)
    assert "not E0143" in trace(WALKER, book(), SEED)
    code, decision = trace(DIABETES, book(), SEED).split("\n")[2:4]
    assert "E11.9" in code and "without complications" in decision  # what decides follows the code it is about


@pytest.mark.parametrize(
    "text",
    [
        "<think>\n- Patient needs durable medical equipment\n- Walker is a standard item\n- E0130 is the code\n"
        "</think>\nHCPCS: E0130 (Walker, rigid (pickup), adjustable or fixed height)",
        "<think>\nDiabetes... could be Type 1 or Type 2? Not sure. Maybe E10? Or E11? Let me guess E11.\n</think>\n"
        "ICD10: E11.9 (Type 2 diabetes mellitus without complications)",
    ],
    ids=["common knowledge", "guessing"],
)
def test_free_prose_is_not_checkable_and_so_not_faithful(text: str) -> None:
    for example in (WALKER, DIABETES):
        assert not verify(example["narrative"], text, book()).faithful


def test_every_built_trace_is_faithful() -> None:
    for example in all_rows():
        text = completion(example, book(), SEED)
        verdict = verify(example["narrative"], text, book())
        assert verdict.faithful, f"{example['narrative']}\n{text}\n{verdict}"
        assert grade(verdict) == "high"


def test_traces_are_short() -> None:
    single = sorted(count_tokens(trace(example, book(), SEED)) for example in all_rows() if len(example["codes"]) == 1)
    words = sorted(len(trace(example, book(), SEED).split()) for example in all_rows() if len(example["codes"]) == 1)
    assert single[-1] <= TOKENS_FIRST
    assert 20 <= words[len(words) // 2] <= 55
    assert words[int(0.95 * len(words))] <= 55


def test_wordings_vary_and_all_are_used() -> None:
    lines = [line for example in all_rows() for line in trace(example, book(), SEED).split("\n")]
    openings = Counter(line.split(" ")[1] for line in lines)
    assert {
        "Documented:",
        "Stated:",
        "The",
        "Category:",
        "Belongs",
        "Falls",
        "Section:",
        "Block:",
        "Decides:",
        "Code:",
    } <= set(openings)
    used = {bullet.reason or bullet.kind for line in lines if (bullet := grammar.read(line))}
    assert used == set(grammar.FORMS) - {"value"}  # that is the coder's, which points at the words


def test_a_value_that_the_neighbours_share_does_not_decide() -> None:
    """All codes of E11 are type 2: what the ulcer's neighbours lack is the ulcer."""
    narrative = "Assessment: type 2 diabetes with a foot ulcer."
    lines = trace(row(narrative, ("ICD10", "E11.621", "type 2 diabetes with a foot ulcer")), book(), SEED).split("\n")
    assert "with foot ulcer" in lines[3] and not any("type 2" in line for line in lines[3:])
    facts = knowledge(book())
    assert facts.shared("ICD10", "E11.621", "type 2") > 0.5 > facts.shared("ICD10", "E11.621", "with foot ulcer")
    assert facts.shared("ICD10", "S93.401A", "right side") < 0.5


def test_what_the_neighbour_adds_goes_before_what_is_shared() -> None:
    quote = "mixed high cholesterol and triglycerides"
    made = decisions(f"Dx {quote}.", quote, ("ICD10", "E78.2"), knowledge(book()))
    kinds = [bullet.kind for line in made if (bullet := grammar.read(line))]
    assert {"lack", "contrast"} <= set(kinds) and kinds.index("lack") < kinds.index("contrast")


def test_a_deciding_bullet_holds_where_the_verifier_bears_it_out_in_a_plain_trace() -> None:
    facts = knowledge(book())
    found: Counter[bool] = Counter()
    for one in [one for one in all_rows() if len(one["codes"]) == 1][:150]:
        item, narrative = one["evidence"][0], one["narrative"]
        pair, quote = (item["code_type"], item["code"]), quotable(narrative, item)
        others = [(entry.code_type, entry.code) for entry in nearest(pair, facts)[:2]]
        for code in (pair, *others):  # the claims of a code on its evidence, on that of another, and those of the others on it
            for line in dict.fromkeys(line for owner in (pair, *others) for line in decisions(narrative, quote, owner, facts)):
                told = facts.book.find(*code)
                bullets = [f'- Documented: "{quote}"', place(code, facts, 0), f"- Code: {code[1]}", line]
                text = format_completion("\n".join(bullets), f"{code[0]}: {code[1]} ({told.short_title})")
                holds = true_of(narrative, quote, code, line, facts)
                assert holds == verify(narrative, text, book()).decision, (narrative, code, line)
                found[holds] += 1
    assert min(found[True], found[False]) > 50
    assert not true_of("Cough.", "Cough", ("ICD10", "R05.9"), "- no claim of the grammar", facts)
    assert not true_of("Cough.", "Cough", ("ICD10", "R05.9"), '- Documented: "Cough"', facts)  # a claim, but none that decides


def test_the_same_seed_gives_the_same_trace_and_another_gives_other_words() -> None:
    examples = all_rows()[:60]
    first = [trace(example, book(), SEED) for example in examples]
    assert first == [trace(example, book(), SEED) for example in examples]
    assert first != [trace(example, book(), SEED + 1) for example in examples]


def test_codes_keep_the_order_of_the_row() -> None:
    several = row(
        "Dx: high blood pressure; gout. Done: CXR PA and lateral.",
        ("ICD10", "I10", "high blood pressure"),
        ("ICD10", "M10.9", "gout"),
        ("CPT", "71046", "CXR PA and lateral"),
    )
    lines = trace(several, book(), SEED).split("\n")
    assert len(lines) == 9
    answers = [bullet["code"] for line in lines if (bullet := grammar.read(line)) and bullet.kind == grammar.ANSWER]
    assert answers == ["I10", "M10.9", "71046"]


def test_nothing_is_left_open_that_the_text_says() -> None:
    narrative = "Assessment: acute bronchitis. Sputum grew Mycoplasma."
    text = trace(row(narrative, ("ICD10", "J20.9", "acute bronchitis")), book(), SEED)
    assert "no organism" not in text


@pytest.mark.parametrize(
    ("narrative", "reason", "quote"),
    [
        ("Seen today. Denies chest pain.", "negated", "Denies chest pain"),
        ("Phone note. Mother has asthma. Thanks.", "family_history", "Mother has asthma"),
        ("Pneumonia was ruled out. Home.", "ruled_out", "Pneumonia was ruled out"),
        ("Possible gout; tests ordered.", "ruled_out", "Possible gout"),
        ("Copay collected.", "administrative", "Copay collected"),
        ("No fever. Impression: celiac disease.", "out_of_scope", "celiac disease"),
    ],
)
def test_a_text_without_a_code_is_quoted_with_the_reason(narrative: str, reason: str, quote: str) -> None:
    assert next(none_quotes(narrative, reason)) == quote
    example = row(narrative, none=reason)
    text = completion(example, book(), SEED)
    assert f'"{quote}"' in text
    assert text.endswith("NONE: (no code supported by the text)")
    assert verify(narrative, text, book()).faithful


def test_the_examples_of_the_documentation_hold() -> None:
    blocks = re.findall(r"```text\n(.*?)\n```", Path("docs/reasoning.md").read_text(), re.S)
    assert len(blocks) >= 4
    for block in blocks:
        lines = block.replace("<think>\n", "").replace("</think>\n", "").split("\n")
        bullets = [line for line in lines if line.startswith("- ")]
        quoted = [
            bullet["quote"] for line in bullets if (bullet := grammar.read(line)) and bullet.kind in ("evidence", "reason")
        ]
        text = "<think>\n" + "\n".join(bullets) + "\n</think>\n" + "\n".join(lines[len(bullets) :])
        assert verify(". ".join(quoted) + ".", text, book()).faithful, block


def test_evidence_is_quoted_on_one_line_without_control_tokens() -> None:
    narrative = "A: chest\ncold in the bronchi </think> x"
    span = {"start": 3, "end": len(narrative), "text": narrative[3:], "code": "J20.9"}
    assert quotable(narrative, span) == "cold in the bronchi"


def test_false_spans_and_unknown_codes_are_refused() -> None:
    moved = row("Assessment: gout.", ("ICD10", "M10.9", "gout"))
    moved["evidence"][0]["start"] += 1
    with pytest.raises(UserError, match="evidence is not where"):
        trace(moved, book(), SEED)
    with pytest.raises(UserError, match="not in the tables"):
        trace(row("Assessment: gout.", ("ICD10", "M10.99", "gout")), book(), SEED)
    with pytest.raises(UserError, match="none_reason"):
        trace(row("Assessment: gout.", none="because"), book(), SEED)


def test_the_room_needs_no_heavy_library() -> None:
    code = (
        "import sys, thce.reasoning, thce.narratives.examples\n"
        "print([name for name in ('torch', 'sklearn', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": "src", "PATH": ""}
    )
    assert done.stdout.strip() == "[]"
