"""The harder test sets: every code in a held-out wording, and things beside the code that must not be coded."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from random import Random
from typing import Any

import pytest

from thce import codes, params
from thce.narratives import contamination, grammar, prepare, synthetic
from thce.narratives.conflicts import Conflicts
from thce.narratives.phrasebook import key
from thce.narratives.splits import PhraseIndex
from thce.narratives.synthetic import Material
from thce.narratives.tempting import Tempting, differential
from thce.narratives.wording import wording
from thce.settings.narratives import NarrativesParams

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parent.parent
PARAMS = dataclasses.replace(
    params.load(NarrativesParams, ROOT / "configs/smoke.yaml"),
    train=100,
    val=20,
    test_unseen_multi=60,
    test_distractors=160,
    test_visits=40,
    val_visits=30,
)
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def stuff(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("codes")
    codes.build(ROOT / "data/code_databases", folder)
    return synthetic.material(codes.open(folder), ROOT / "data/phrasebook", ROOT / "data/grammar", 17)


@pytest.fixture(scope="module")
def rows(stuff: Material) -> Rows:
    return synthetic.build(stuff, PARAMS, 17)


@pytest.fixture(scope="module")
def roles(stuff: Material) -> dict[str, str]:
    return {piece.id: piece.role for piece in stuff.grammar.pieces}


@pytest.fixture(scope="module")
def maker(stuff: Material) -> Tempting:
    return Tempting(synthetic.writers(stuff, PARAMS)["test"], stuff.phrases, stuff.near)


def test_the_new_sets_leave_the_others_as_they_are(stuff: Material, rows: Rows) -> None:
    new = ("test_unseen_multi", "test_distractors", "test_visits", "val_visits")
    fewer = synthetic.build(stuff, dataclasses.replace(PARAMS, **dict.fromkeys(new, 1)), 17)
    for name in synthetic.FILES:
        if name not in new:
            assert rows[name] == fewer[name], name


def test_unseen_multi_holds_held_out_wordings_alone_and_names_one_person_at_most(stuff: Material, rows: Rows) -> None:
    assert len(rows["test_unseen_multi"]) == 60
    for row in rows["test_unseen_multi"]:
        assert 2 <= len(row["codes"]) <= 5
        used = [stuff.phrases.test[item["code_type"], item["code"]] for item in row["evidence"]]
        assert [words.text for words in used] == [item["phrase"] for item in row["evidence"]]
        assert sum(words.person for words in used) <= 1


def test_a_visit_tells_every_code_in_a_sentence_of_its_own(stuff: Material, rows: Rows, roles: dict[str, str]) -> None:
    for name in ("test_visits", "val_visits"):
        for row in rows[name]:
            assert 2 <= len(row["codes"]) <= 5
            used = [roles[piece] for piece in row["template"].split("+")]
            bearing = [role for role in used if role in ("any", "noun")]
            assert len(bearing) == len(row["codes"]) == len(row["evidence"])
            assert len(used) <= 2 * len(bearing) + 1 and set(used) <= {"any", "noun", *grammar.ROLES}
            spare = [piece for piece in row["template"].split("+") if roles[piece] not in ("any", "noun")]
            assert len(spare) == len(set(spare))
            ends = [item["end"] for item in row["evidence"]]
            assert ends == sorted(ends)
    assert len(rows["val_visits"]) == 30


def test_half_of_the_test_visits_have_held_out_wordings_and_those_of_validation_none(stuff: Material, rows: Rows) -> None:
    held = {words.key for words in (*stuff.phrases.test.values(), *stuff.phrases.val.values())}
    shares = {name: [{key(item["phrase"]) in held for item in row["evidence"]} for row in rows[name]] for name in rows}
    assert shares["test_visits"].count({True}) == shares["test_visits"].count({False}) == 20
    assert shares["val_visits"] == [{False}] * 30


def test_a_distractor_is_a_known_wording_of_another_code(stuff: Material, rows: Rows, roles: dict[str, str]) -> None:
    owner: dict[str, set[tuple[str, str]]] = {}
    for pair, group in stuff.phrases.train.items():
        for words in group:
            owner.setdefault(words.key, set()).add(pair)
    index = PhraseIndex(owner)
    held = 0
    for row in rows["test_distractors"]:
        (item,) = row["evidence"]
        gold = (item["code_type"], item["code"])
        held += item["phrase"] == stuff.phrases.test[gold].text if gold in stuff.phrases.test else 0
        told = [roles[name] for name in row["template"].split("+") if roles[name] in grammar.DISTRACTORS]
        assert 1 <= len(told) <= 3
        beside = row["narrative"][: item["start"]] + " | " + row["narrative"][item["end"] :]
        found = index.found(key(beside))
        assert any(gold not in owner[words] for words in found), row["narrative"]
        # beside the evidence no wording of its code stands: nothing denied is also coded
        assert not any(gold in owner[words] for words in found if len(words) > 2), row["narrative"]
    assert held == 80


def test_only_a_sign_stands_beside_a_suspicion_and_not_in_a_discharge_note(rows: Rows, roles: dict[str, str]) -> None:
    suspected = [row for row in rows["test_distractors"] if "suspected" in {roles[name] for name in row["template"].split("+")}]
    assert len(suspected) >= 8
    for row in suspected:
        assert row["codes"][0]["code"].startswith("R")
        assert row["kind"] not in ("discharge", "claim")


def test_sentences_of_the_distractor_file_stand_in_no_other_set(rows: Rows) -> None:
    for name, group in rows.items():
        used = {piece for row in group for piece in row["template"].split("+") if piece.startswith(grammar.TEST_ONLY)}
        assert bool(used) == (name == "test_distractors"), name


def test_the_leak_checks_cover_the_new_sets(stuff: Material, rows: Rows) -> None:
    assert contamination.check(rows, stuff.phrases).total == 0
    held = {"test": {words.key for words in stuff.phrases.test.values()}, "val": set[str]()}
    for name in ("test_unseen_multi", "test_distractors", "test_visits"):
        assert name in synthetic.TESTS
        row = rows[name][0]
        planted = {**rows, "train": [*rows["train"], row]}
        found = contamination.check(planted, stuff.phrases)
        assert found.text == 1 and found.template >= 1
        said = list(prepare.contamination([row], [], rows[name], [], held))
        assert any("repeats" in line for line in said) and any("a sentence of the tests" in line for line in said)
    words = next(iter(stuff.phrases.test.values())).text
    planted = {**rows, "val_visits": [rows["val_visits"][0] | {"narrative": f"Seen for {words}."}]}
    assert contamination.check(planted, stuff.phrases).phrase >= 1


@pytest.mark.parametrize("code", ["G56.03", "E03.9", "R10.84", "D63.1"])
def test_what_could_mean_the_right_code_is_no_distractor(stuff: Material, maker: Tempting, code: str) -> None:
    for words in stuff.phrases.train["ICD10", code]:
        assert maker._neighbour(Random(1), "error", words) is None


def test_a_neighbour_is_the_other_side(stuff: Material, maker: Tempting) -> None:
    words = next(words for words in stuff.phrases.train["ICD10", "M25.561"] if "right" in words.key)
    found = maker._neighbour(Random(1), "error", words)
    assert found is not None and found.code == "M25.562" and "left" in found.key


def test_a_differential_belongs_to_signs() -> None:
    assert differential(wording("ICD10", "R10.31", "lay", "sore belly"))[:2] == ("K57", "K58")
    assert differential(wording("ICD10", "R10.13", "lay", "sore belly"))[0] == "K21"
    assert not differential(wording("ICD10", "M10.9", "lay", "gout"))
    assert not differential(wording("HCPCS", "R0070", "order", "portable x-ray"))


def test_the_differential_is_in_scope_and_meets_its_sign_in_no_note(stuff: Material) -> None:
    """Each of its diseases exists here, and the sign is a sign of it, so that both would not be coded together."""
    scope = {code for code_type, code in stuff.pairs if code_type == "ICD10"}
    conflicts: Conflicts = stuff.conflicts
    for pair in stuff.pairs:
        words = stuff.phrases.train[pair][0]
        for disease in differential(words):
            assert any(code.startswith(disease) for code in scope), (pair, disease)
    assert not conflicts.meet(wording("ICD10", "R05.9", "lay", "hacking"), wording("ICD10", "J18.9", "lay", "pneumonia"))


def test_a_small_block_is_allowed_where_nothing_is_divided(tmp_path: Path) -> None:
    for path in (ROOT / "data/grammar").glob("*.txt"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "distractors.txt").write_text("error\n  01  {D} entered for a stranger.\n", encoding="utf-8")
    pieces = grammar.read(tmp_path, 17).roles["test", grammar.TEST_ONLY, "error"]
    assert [piece.split for piece in pieces] == ["test"]
