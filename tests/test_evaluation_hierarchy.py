"""How near a wrong code is, and what an unconstrained code is, by the real tables."""

from __future__ import annotations

import pytest
from codes_tables import book
from evaluation_rows import code, codes, line, use

from thce.answers import parse
from thce.evaluation import hierarchy, validity
from thce.evaluation.metrics import Answer

pytestmark = pytest.mark.unit


def answer(text: str | None) -> Answer:
    return None if text is None else codes(text)


@pytest.mark.parametrize(
    ("text", "chapter", "category"),
    [
        ("ICD10 E11.9", "ICD10 4", "ICD10 E11"),
        ("ICD10 I10", "ICD10 9", "ICD10 I10"),
        ("ICD10 S52.501A", "ICD10 19", "ICD10 S52"),
        ("ICD10 J20.99", "ICD10 10", "ICD10 J20"),  # does not exist, but is near
        ("ICD10 E99.9", "", ""),  # no such category
        ("CPT 99213", "CPT 99202-99499", "CPT 99202-99499"),
        ("CPT 00000", "", ""),
        ("HCPCS E0130", "HCPCS E", "HCPCS E"),
        ("HCPCS E9999", "HCPCS E", "HCPCS E"),
    ],
)
def test_places(text: str, chapter: str, category: str) -> None:
    places = hierarchy.places(book())
    assert (places["chapter"](code(text)), places["category"](code(text))) == (chapter, category)
    assert places["code"](code(text)) == text


@pytest.mark.parametrize(
    ("gold", "given", "level", "near"),
    [
        ("ICD10 E11.9", "ICD10 E11.65", "category", True),
        ("ICD10 E11.9", "ICD10 E11.65", "code", False),
        ("ICD10 E11.9", "ICD10 E03.9", "chapter", True),
        ("ICD10 E11.9", "ICD10 I10", "chapter", False),
        ("ICD10 E11.9", "ICD10 E11.65, ICD10 I10", "category", False),
        ("ICD10 E11.9, ICD10 I10", "ICD10 I10, ICD10 E11.65", "category", True),
        ("ICD10 E11.9", None, "chapter", False),
        ("ICD10 E11.9", "", "chapter", False),
        ("", "", "chapter", True),
        ("CPT 00000", "CPT 00001", "chapter", False),  # two codes without a place do not meet
    ],
)
def test_near(gold: str, given: str | None, level: str, near: bool) -> None:
    assert hierarchy.near(codes(gold), answer(given), hierarchy.places(book())[level]) is near


@pytest.mark.parametrize(
    ("gold", "given", "overlap"),
    [
        ("ICD10 E11.9", "ICD10 E11.9", 1.0),
        ("ICD10 E11.9", "ICD10 E11.65", 3 / 5),
        ("ICD10 E11.9", "ICD10 I10", 0.0),
        ("ICD10 E11.9", "HCPCS E1130", 0.0),
        ("CPT 99213", "CPT 99204", 3 / 5),
    ],
)
def test_prefix_overlap(gold: str, given: str, overlap: float) -> None:
    assert hierarchy.prefix_overlap(code(gold), code(given)) == pytest.approx(overlap)
    assert hierarchy.prefix_overlap(code(given), code(gold)) == pytest.approx(overlap)


@pytest.mark.parametrize(
    ("gold", "given", "overlap"),
    [
        ("ICD10 E11.9, ICD10 I10", "ICD10 E11.65", (3 / 5 + 0) / 2),
        ("ICD10 E11.9", "ICD10 I10, ICD10 E11.9", 1.0),
        ("ICD10 E11.9", "", 0.0),
        ("ICD10 E11.9", None, 0.0),
        ("", "", 1.0),
        ("", "ICD10 I10", 0.0),
        ("", None, 0.0),
    ],
)
def test_mean_prefix_overlap(gold: str, given: str | None, overlap: float) -> None:
    assert hierarchy.mean_prefix_overlap(codes(gold), answer(given)) == pytest.approx(overlap)


@pytest.mark.parametrize(
    ("gold", "given", "expected"),
    [
        ("ICD10 E11.9", "ICD10 E11.65", (1, 0, 0)),
        ("ICD10 E11.9", "ICD10 E11.65, ICD10 E11.9", (1, 1, 0)),  # the count is kept: one too many below E11
        ("ICD10 E11.9, ICD10 E11.65", "ICD10 E11.9", (1, 0, 1)),
        ("ICD10 E11.9", "ICD10 I10", (0, 1, 1)),
        ("ICD10 E11.9", None, (0, 0, 1)),
        ("ICD10 E99.9", "ICD10 E99.8", (0, 1, 1)),
    ],
)
def test_count_preserving_scores(gold: str, given: str | None, expected: tuple[int, int, int]) -> None:
    place = hierarchy.places(book())["category"]
    assert hierarchy.count_preserving([codes(gold)], [answer(given)], place) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (line("ICD10 J20.9"), "valid"),
        ("ICD10: Q99.99 (Nothing)", "nonexistent"),
        ("ICD10: H40.11X0 (Primary open-angle glaucoma)", "retired"),
        ("ICD10: C78.31 (A code of a coming release)", "nonexistent"),
        ("ICD10: E11 (Type 2 diabetes mellitus)", "header"),
        (line("ICD10 A00.0"), "out_of_scope"),
        ("HCPCS: Z9999 (Nothing)", "nonexistent"),
        ("CPT: 00001 (Nothing)", "nonexistent"),
        ("NONE: (no code supported by the text)", "no_code"),
        ("", "malformed"),
        ("J20.9", "malformed"),
        (f"<think>\n- x\n{line('ICD10 J20.9')}", "malformed"),
        (f"{line('ICD10 J20.9')}\nICD10: Q99.99 (Nothing)", "nonexistent"),  # the worst of several
        (f"{line('ICD10 J20.9')}\n{line('ICD10 A00.0')}", "out_of_scope"),
    ],
)
def test_validity(text: str, kind: str) -> None:
    assert validity.classify_text(text, book(), use().scope) == kind


def test_shares_have_every_class() -> None:
    found = validity.shares(["valid", "valid", "malformed", "no_code"])
    assert set(found) == set(validity.CLASSES)
    assert (found["valid"], found["malformed"], found["header"]) == (0.5, 0.25, 0.0)
    assert set(validity.shares([]).values()) == {0.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ICD10: J20.9 (Acute bronchitis, unspecified)", (1, 1, 0, 0)),
        ("ICD10: J20.9 (Cough, unspecified)", (1, 0, 1, 0)),
        ("ICD10: R05.9 (Acute bronchitis, unspecified)", (1, 0, 0, 1)),
        ("ICD10: R05.9 (Cough, unspecified)", (1, 1, 0, 0)),
        ("ICD10: Q99.99 (Acute bronchitis, unspecified)", (1, 0, 0, 1)),
        ("not an answer", (0, 0, 0, 0)),
    ],
)
def test_code_and_description_at_one(text: str, expected: tuple[int, int, int, int]) -> None:
    assert validity.agreement(codes("ICD10 J20.9"), parse(text), book()) == expected
