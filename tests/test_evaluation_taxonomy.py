"""Kinds of error, by the real tables."""

from __future__ import annotations

import pytest
from codes_tables import book
from evaluation_rows import code, codes, given, item

from thce.evaluation.taxonomy import KINDS, Taxonomy, label, report

pytestmark = pytest.mark.unit

TAXONOMY = Taxonomy(book(), {code("ICD10 I10"): ["high blood pressure"]})


@pytest.mark.parametrize(
    ("gold", "answered", "kind"),
    [
        ("ICD10 M25.561", "ICD10 M25.562", "laterality"),
        ("ICD10 S52.501A", "ICD10 S52.501D", "encounter"),
        ("ICD10 M25.561", "ICD10 M25.569", "unspecified_for_specific"),
        ("ICD10 M25.569", "ICD10 M25.561", "specific_for_unspecified"),
        ("ICD10 E11.649", "ICD10 E11.641", "sibling"),
        ("ICD10 E11.9", "ICD10 E11.65", "same_category"),
        ("ICD10 J20.9", "ICD10 J18.9", "same_chapter"),
        ("ICD10 J20.9", "ICD10 R05.9", "symptom_for_cause"),
        ("ICD10 R05.9", "ICD10 J20.9", "cause_for_symptom"),
        ("ICD10 J20.9", "ICD10 I10", "other_chapter"),
        ("ICD10 J20.9", "ICD10 E11", "header"),
        ("ICD10 J20.9", "ICD10 Q99.99", "nonexistent"),
        ("ICD10 J20.9", "CPT 99213", "wrong_type"),
        ("CPT 99213", "CPT 99203", "same_chapter"),
        ("CPT 99213", "CPT 71046", "other_chapter"),
        ("HCPCS E0130", "HCPCS E0570", "same_chapter"),
    ],
)
def test_how_two_codes_stand_to_each_other(gold: str, answered: str, kind: str) -> None:
    assert TAXONOMY.relation(code(gold), code(answered)) == kind
    assert TAXONOMY.kind(item(1, gold), given(1, answered)) == kind


@pytest.mark.parametrize(
    ("gold", "answered", "about", "kind"),
    [
        ("ICD10 J20.9", "ICD10 J20.9", {}, None),
        ("", "", {}, None),
        ("ICD10 J20.9", None, {}, "unreadable"),
        ("", None, {}, "unreadable"),
        ("ICD10 J20.9", "", {}, "missed"),
        ("", "ICD10 J20.9", {"none_reason": "negated"}, "negated_coded"),
        ("", "ICD10 J20.9", {"none_reason": "family_history"}, "negated_coded"),
        ("", "ICD10 J20.9", {"none_reason": "administrative"}, "no_code_missed"),
        ("", "ICD10 J20.9", {}, "no_code_missed"),
        ("ICD10 J20.9", "ICD10 J20.9, ICD10 J18.9", {}, "over_coding"),
        ("ICD10 J20.9, ICD10 I10", "ICD10 I10", {}, "under_coding"),
        # of several wrong codes the nearest pair decides
        ("ICD10 M25.561, ICD10 J20.9", "CPT 99213, ICD10 M25.562", {}, "laterality"),
    ],
)
def test_the_kind_of_a_row(gold: str, answered: str | None, about: dict[str, str], kind: str | None) -> None:
    assert TAXONOMY.kind(item(1, gold, **about), given(1, answered)) == kind


def test_a_code_that_stands_in_the_text_beside_the_evidence_is_a_denied_one() -> None:
    text = "Denies high blood pressure. Dx chest cold."
    assert TAXONOMY.kind(item(1, "ICD10 J20.9", text, spans=("chest cold",)), given(1, "ICD10 I10")) == "negated_coded"
    assert TAXONOMY.kind(item(1, "ICD10 J20.9", "Dx chest cold."), given(1, "ICD10 I10")) == "other_chapter"
    # inside the evidence it is no other mention
    whole = item(1, "ICD10 I11.9", "Dx high blood pressure heart.", spans=("high blood pressure heart",))
    assert TAXONOMY.kind(whole, given(1, "ICD10 I10")) == "same_chapter"


def test_the_report_counts_every_wrong_row_once() -> None:
    items = [item(1, "ICD10 J20.9"), item(2, "ICD10 J20.9", test_set="multi"), item(3, ""), item(4, "ICD10 J20.9")]
    answers = [given(1, "ICD10 J18.9"), given(2, "ICD10 J18.9"), given(3, ""), given(4, None)]
    found = report(items, answers, TAXONOMY, examples=1)
    assert (found["rows"], found["wrong"]) == (4, 3)
    assert set(found["kinds"]) == set(KINDS) and sum(found["kinds"].values()) == 3
    assert found["test_sets"] == {"known": {"same_chapter": 1, "unreadable": 1}, "multi": {"same_chapter": 1}}
    assert found["pairs"] == [
        {
            "gold": "ICD10 J20.9 (Acute bronchitis, unspecified)",
            "answered": "ICD10 J18.9 (Pneumonia, unspecified organism)",
            "n": 2,
        }
    ]
    assert [row["id"] for row in found["examples"]["same_chapter"]] == ["1"]
    assert found["examples"]["unreadable"][0]["answered"] == ["nothing readable"]


def test_narratives_that_are_not_synthetic_are_never_shown() -> None:
    found = report([item(1, "ICD10 J20.9", "Secret.", source="mimic")], [given(1, "")], TAXONOMY, examples=3)
    assert found["wrong"] == 1 and found["examples"] == {} and "Secret" not in str(found)


def test_labels_are_for_people() -> None:
    assert label(code("ICD10 Q99.99"), book()) == "ICD10 Q99.99"
    assert label(codes("ICD10 I10")[0], book()) == "ICD10 I10 (Essential (primary) hypertension)"
