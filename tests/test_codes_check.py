"""What `check` says of a code: the golden cases, dates of service, near misses, and that it never breaks."""

from __future__ import annotations

import unicodedata
from datetime import date

import pytest
from codes_tables import book
from hypothesis import given, settings
from hypothesis import strategies as st

from thce import codes
from thce.codes import Check
from thce.codes.checks import STATUSES
from thce.codes.spelling import CPT_SHAPE, HCPCS_SHAPE, ICD10_SHAPE
from thce.errors import UserError

pytestmark = pytest.mark.unit


def check(text: str, code_type: str | None = None, day: str | None = None) -> Check:
    return codes.check(book(), text, code_type, date.fromisoformat(day) if day else None)


def rules(result: Check) -> list[str]:
    return [message.rule_id for message in result.messages]


@pytest.mark.parametrize("code", ["E11.9", "I10", "S52.501A", "T88.7XXA", "U07.1", "U09.9", "QA0.0101", "C7A.00", "Z3A.20"])
def test_billable_codes(code: str) -> None:
    result = check(code)
    assert (result.status, result.normalised, result.normalised_from) == ("valid_billable", code, None)
    assert result.billable and result.valid and result.description and result.system == "ICD10"
    assert result.release == "FY2026"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("e119", "E11.9"),
        (" E11.9 ", "E11.9"),
        ("E1.19", "E11.9"),
        ("E11..9", "E11.9"),
        ("E11 .9", "E11.9"),
        ("E11 9", "E11.9"),
        ("ICD-10: J45.909.", "J45.909"),
        ("ICD-10-CM J45.909", "J45.909"),
        ("ICD10CM:j45909", "J45.909"),
        ("dx: J45.909;", "J45.909"),
        ("Code E11.9", "E11.9"),
        ("**E11.9**", "E11.9"),
        ("`E11.9`", "E11.9"),
        ("- E11.9", "E11.9"),
        ("(E11.9)", "E11.9"),
        ("“E11.9”", "E11.9"),
        ("Ｅ１１．９", "E11.9"),
        ("E11.9\u200b", "E11.9"),
        ("s52.501a", "S52.501A"),
    ],
)
def test_spelling_is_put_right_and_reported(text: str, code: str) -> None:
    result = check(text)
    assert (result.normalised, result.status) == (code, "valid_billable")
    assert result.normalised_from == text


@pytest.mark.parametrize(
    ("text", "system"),
    [("CPT: 99213", "CPT"), ("hcpcs e0130", "HCPCS"), ("HCPCS code: E0130", "HCPCS"), ("99213", "CPT")],
)
def test_other_systems_may_be_named(text: str, system: str) -> None:
    assert (check(text).system, check(text).status) == (system, "valid_billable")


@pytest.mark.parametrize("text", ["EII.9", "E1l.9", "Ell.9", "I1O", "J2O.9"])
def test_lookalikes_are_suggested_never_replaced(text: str) -> None:
    result = check(text)
    assert result.status == "unknown"
    assert result.suggestions[0].reason == "look-alike character"
    assert result.suggestions[0].code in ("E11.9", "I10", "J20.9")


@pytest.mark.parametrize("text", ["E11.9, E10.9", "E11.9 E10.9", "E11.9 (E10.9)", "I10 I11", "E11/9", "", " ", ".", "-", "4"])
def test_what_is_not_one_code_is_bad_format(text: str) -> None:
    assert check(text).status == "bad_format"


def test_a_described_code_is_read_and_its_description_compared() -> None:
    assert check("ICD10: J20.9 (Acute bronchitis, unspecified)").messages == ()
    assert rules(check("ICD10: J20.9 (Acute sinusitis)")) == ["description_differs"]


def test_a_header_offers_its_billable_codes() -> None:
    result = check("E11")
    assert (result.status, result.billable) == ("valid_header", False)
    assert "E11.9" in result.header_children and "E11.2" not in result.header_children
    assert rules(result) == ["not_billable"]
    assert "I.B.2" in result.messages[0].source


def test_a_header_without_its_seventh_character() -> None:
    result = check("S52.501")
    assert result.status == "valid_header"
    assert "seventh_character" in rules(result)
    assert result.header_children[0] == "S52.501A"


def test_a_missing_placeholder_is_suggested() -> None:
    result = check("T88.7A")
    assert result.status == "unknown"
    assert result.suggestions[0].code == "T88.7XXA"
    assert "placeholder" in rules(result)


def test_headers_that_were_codes_once_name_their_successors() -> None:
    assert check("M54.5").status == "valid_header"
    assert check("M54.5").successors == ("M54.50", "M54.51", "M54.59")
    assert check("G35").header_children == (
        "G35.A",
        "G35.B0",
        "G35.B1",
        "G35.B2",
        "G35.C0",
        "G35.C1",
        "G35.C2",
        "G35.D",
    )


@pytest.mark.parametrize(
    ("code", "day", "status"),
    [
        ("M54.5", "2021-09-30", "valid_billable"),
        ("M54.5", "2021-10-01", "valid_header"),
        ("G35", "2025-09-30", "valid_billable"),
        ("G35", "2025-10-01", "valid_header"),
        ("U07.1", "2020-03-31", "not_yet_effective"),
        ("U07.1", "2020-04-01", "valid_billable"),
        ("U09.9", "2021-09-30", "not_yet_effective"),
        ("QA0.0101", "2025-09-30", "not_yet_effective"),
        ("QA0.01", "2025-09-30", "not_yet_effective"),
        ("QA0.0101", "2025-10-01", "valid_billable"),
        ("I42.0", "2026-09-30", "valid_billable"),
        ("I42.0", "2026-10-01", "valid_header"),
        ("M67.A01", "2026-09-30", "not_yet_effective"),
        ("M67.A01", "2026-10-01", "valid_billable"),
        ("M67.A", "2026-10-01", "valid_header"),
        ("T52.8X1A", "2026-10-01", "retired"),
        ("S63.131A", "2020-01-01", "retired"),
        ("E11.9", "2015-09-30", "not_yet_effective"),
        ("E11.9", "2015-10-01", "valid_billable"),
        ("E11.9", "2026-10-01", "valid_billable"),
    ],
)
def test_day_of_service(code: str, day: str, status: str) -> None:
    result = check(code, day=day)
    assert result.status == status
    assert result.valid == (status == "valid_billable") == book().valid_on("ICD10", code, date.fromisoformat(day))


def test_second_hand_changes_say_so() -> None:
    assert "will_end" in rules(check("I42.0"))
    later = check("I42.0", day="2026-10-01")
    assert "second_hand" in rules(later)
    assert later.header_children == later.successors == ("I42.00", "I42.01", "I42.09")
    assert "second_hand" in rules(check("M67.A01", day="2026-10-01"))
    assert rules(check("E11.9", day="2026-10-01")) == ["after_release"]


def test_terminated_hcpcs_codes() -> None:
    result = check("G0202", "HCPCS")
    assert (result.status, result.successors, result.effective_to) == ("retired", ("77067",), "2017-12-31")
    assert check("G0202", "HCPCS", "2017-12-31").status == "valid_billable"
    assert (check("G0431", "HCPCS").status, check("G0431", "HCPCS").effective_to) == ("retired", "2015-12-31")


@pytest.mark.parametrize("code_type", [None, "HCPCS"])
def test_dental_codes_are_excluded(code_type: str | None) -> None:
    assert check("D0120", code_type).status == "excluded_cdt"


def test_cpt_outside_the_demonstration_table_is_neither_valid_nor_wrong() -> None:
    result = check("0042T")
    assert (result.status, result.system, result.suggestions) == ("unlicensed_unknown", "CPT", ())
    assert "outside_ranges" in rules(check("99999"))


def test_a_letter_and_four_digits_are_ambiguous() -> None:
    result = check("E1122")
    assert (result.status, result.system) == ("bad_format", None)
    assert rules(result) == ["ambiguous_system"]
    assert [item.code for item in result.suggestions] == ["E11.22", "E1122"]
    assert check("E1122", "ICD10").normalised == "E11.22"
    assert check("E11.22").status == "valid_billable"
    assert check("E1122", "HCPCS").status == "unknown"


def test_ambiguity_is_reported_also_when_only_one_reading_exists() -> None:
    result = check("J3301")
    assert (result.system, result.status, rules(result)) == ("HCPCS", "valid_billable", ["ambiguous_system"])
    assert rules(check("J3301", "HCPCS")) == []


def test_a_code_of_another_system_is_named_as_such() -> None:
    assert rules(check("99213", "ICD10")) == ["other_system"]
    assert rules(check("E11.22", "HCPCS")) == ["other_system"]
    assert rules(check("CPT: 99213", "HCPCS")) == ["other_system"]
    assert "not_national" in rules(check("X1234", "HCPCS"))


def test_wildcards_and_modifiers_are_set_aside_with_a_remark() -> None:
    assert (check("E11.-").normalised, check("E11.-").status, rules(check("E11.-"))[0]) == (
        "E11",
        "valid_header",
        "wildcard",
    )
    assert (check("99213-25").normalised, rules(check("99213-25"))) == ("99213", ["modifier_set_aside"])


def test_chapters_and_blocks_are_headers() -> None:
    assert check("E08-E13", "ICD10").header_children == ("E08", "E09", "E10", "E11", "E13")
    assert check("4", "ICD10").status == "valid_header"


def test_near_misses_are_billable_ranked_and_few() -> None:
    found = codes.near_misses(book(), "ICD10", "E11.99")
    assert found[0].code == "E11.9"
    assert len(found) <= 10
    assert all((entry := book().find("ICD10", item.code)) and entry.billable for item in found)
    transposed = codes.near_misses(book(), "ICD10", "J54.909")
    assert "J45.909" in [item.code for item in transposed]


def test_frequent_codes_come_first_among_equals() -> None:
    found = [item.code for item in codes.near_misses(book(), "ICD10", "J20.X")]
    assert found.index("J20.9") < found.index("J20.0")


def test_unknown_code_type_is_a_user_error() -> None:
    with pytest.raises(UserError, match="ICD10, CPT, HCPCS"):
        check("E11.9", "ICD9")


def test_result_as_plain_values() -> None:
    row = check("T88.7A").to_dict()
    assert row["suggestions"][0] == {
        "code": "T88.7XXA",
        "reason": "placeholder X before the 7th character",
        "distance": 2,
    }
    assert {"rule_id", "severity", "text", "source"} == set(row["messages"][0])


def test_every_code_in_scope_is_valid_today() -> None:
    for entry in book().scope:
        assert check(entry.code, entry.code_type).status == "valid_billable"


SHAPES = st.one_of(
    st.text(max_size=80),
    st.from_regex(ICD10_SHAPE, fullmatch=True),
    st.from_regex(CPT_SHAPE, fullmatch=True),
    st.from_regex(HCPCS_SHAPE, fullmatch=True),
    st.text(alphabet="EeIl10O9.-: ()CPTHDX*`\t\n", max_size=14),
)


@settings(max_examples=600, deadline=None)
@given(SHAPES, st.sampled_from([None, "ICD10", "CPT", "HCPCS"]), st.one_of(st.none(), st.dates()))
def test_any_string_gets_an_answer_and_none_is_made_valid(text: str, code_type: str | None, day: date | None) -> None:
    result = codes.check(book(), text, code_type, day)
    assert result.status in STATUSES
    if result.status.startswith("valid"):
        assert result.system is not None
        entry, known = book().find(result.system, result.normalised), book().validity(result.system, result.normalised)
        assert entry is not None or known is not None
        letters = [character for character in result.normalised if character.isalnum()]
        folded = iter(unicodedata.normalize("NFKC", text).upper())
        assert all(letter in folded for letter in letters)  # nothing was invented: every character stands in the input
    assert result.valid == result.billable
    result.to_dict()


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20), st.sampled_from(["ICD10", "CPT", "HCPCS"]))
def test_near_misses_of_any_string(text: str, code_type: str) -> None:
    for item in codes.near_misses(book(), code_type, text):
        assert book().find(code_type, item.code) is not None


@settings(max_examples=300, deadline=None)
@given(SHAPES)
def test_normalising_is_stable(text: str) -> None:
    once = codes.normalise(text)
    if len(once.systems) == 1:
        again = codes.normalise(once.code, once.systems[0])
        assert (again.code, again.systems) == (once.code, once.systems)
