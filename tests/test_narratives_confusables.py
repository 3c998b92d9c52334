"""Neighbours of a code and the words that decide, on the real tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from thce import codes
from thce.narratives import confusables
from thce.narratives.confusables import Neighbour, deciding

pytestmark = pytest.mark.unit

Near = dict[tuple[str, str], tuple[Neighbour, ...]]


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Near:
    root = Path(__file__).resolve().parent.parent
    folder = tmp_path_factory.mktemp("codes")
    codes.build(root / "data/code_databases", folder)
    return confusables.neighbours(codes.open(folder))


@pytest.mark.parametrize(
    ("code_type", "one", "two", "relation", "here", "there"),
    [
        ("ICD10", "H61.21", "H61.22", "laterality", "right", "left"),
        ("ICD10", "S52.501A", "S52.501D", "encounter", "initial", "subsequent"),
        ("ICD10", "E11.9", "E10.9", "type", "type 2", "type 1"),
        ("ICD10", "N18.31", "N18.32", "stage", "stage 3a", "stage 3b"),
        ("ICD10", "I11.0", "I11.9", "with_without", "with", "without"),
        ("ICD10", "I50.22", "I50.23", "acuity", None, "acute"),
        ("CPT", "71045", "71046", "amount", "one", "two"),
        ("CPT", "99203", "99213", "status", "new", "established"),
    ],
)
def test_siblings_are_neighbours_and_the_deciding_words_are_named(
    near: Near, code_type: str, one: str, two: str, relation: str, here: str | None, there: str
) -> None:
    found = {item.code: item for item in near[code_type, one]}
    assert two in found, sorted(found)
    assert found[two].relation == relation
    assert there in found[two].there
    assert here is None or here in found[two].here


def test_the_nearest_come_first_and_are_few(near: Near) -> None:
    for group in near.values():
        scores = [item.score for item in group]
        assert len(group) <= 5 and scores == sorted(scores, reverse=True)


def test_neighbours_never_cross_code_types_nor_name_the_code_itself(near: Near) -> None:
    for (code_type, code), group in near.items():
        assert all(item.code_type == code_type and item.code != code for item in group)


def test_most_codes_have_a_neighbour(near: Near) -> None:
    assert sum(bool(group) for group in near.values()) > 0.75 * len(near)


def test_deciding_words_leave_out_what_both_titles_share() -> None:
    here, there = deciding("Pain in right knee", "Pain in left knee")
    assert (here, there) == (("right",), ("left",))
    assert deciding("Gout", "Gout") == ((), ())


def test_groups_are_distinct_and_start_with_their_first_code(near: Near) -> None:
    groups = confusables.groups(near)
    assert len({frozenset(group) for group in groups}) == len(groups) > 100
    assert all(2 <= len(group) <= 4 for group in groups)
