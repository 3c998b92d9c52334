"""Several codes in one text: its pieces, what is left out, and what is added to a decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from thce.coder import further
from thce.coder.decide import Decision, extend
from thce.coder.further import NEVER, Case, fit, twins
from thce.coder.fusion import ALONE, UNNAMED
from thce.coder.lookup import DENIED, PHRASE, Find
from thce.coder.several import MEASURES, Piece, Several, akin, candidates, cuts, joins, listed, pieces
from thce.coder.trie import NO_CODE

pytestmark = pytest.mark.unit

LABELS = [("ICD10", "H10.9"), ("ICD10", "K42.9"), ("ICD10", "R05.9"), ("ICD10", "J20.9"), ("CPT", "93880"), NO_CODE]
WORDS = ["eye", "hernia", "cough", "bronchitis", "carotid"]
ALWAYS = Several(dict.fromkeys(MEASURES, 0.0) | {"piece": 1.0}, 0.0, 0.5, 40, 1.01)
FLAT = np.full(len(LABELS), -np.log(len(LABELS)))


def read(texts: list[str]) -> np.ndarray:
    """A reader that knows one word for each label, and hears "no code" in everything else."""
    rows = np.full((len(texts), len(LABELS)), 0.02)
    for row, text in enumerate(texts):
        heard = [i for i, word in enumerate(WORDS) if word in text.lower()] or [len(LABELS) - 1]
        rows[row, heard] = 1.0
    return np.log(rows / rows.sum(axis=1, keepdims=True))


def parts(text: str, reader: Callable[[list[str]], np.ndarray] = read) -> list[Piece]:
    joined = joins(text)
    spans = [span for own in joined for span in own.values()]
    scores = reader([text[start:end] for start, end in spans])
    return pieces(text, joined, dict(zip(spans, scores, strict=True)))


def told(text: str) -> list[str]:
    return [text[piece.start : piece.end].strip(" .;,") for piece in parts(text)]


def added(text: str, first: int, finds: Sequence[Find] = (), most: int = 5, several: Several = ALWAYS) -> Decision:
    decision = Decision([first], [0.9], 0.9, FLAT)
    return extend(decision, text, parts(text), finds, FLAT, LABELS, several, most)


def test_sentences_are_cut_at_marks_and_at_and() -> None:
    text = "Seen for: red eye, no pus and hernia. Done."
    assert [[text[start:end].strip() for start, end in own] for own in cuts(text)] == [
        ["Seen for:", "red eye,", "no pus", "and hernia"],
        ["Done"],
    ]


def test_cuts_that_are_read_better_together_stay_together() -> None:
    assert told("red eye, carotid duplex") == ["red eye", "carotid duplex"]

    def whole(texts: list[str]) -> np.ndarray:
        sure = np.array([0.99 if "," in text.rstrip(",") else 0.4 for text in texts])
        rows = np.repeat(((1 - sure) / (len(LABELS) - 1))[:, None], len(LABELS), axis=1)
        rows[:, 0] = sure
        return np.log(rows)

    assert [(piece.start, piece.end) for piece in parts("red eye, worse at night", whole)] == [(0, 23)]


@pytest.mark.parametrize(
    "text",
    [
        "Red eye. Denies hernia.",
        "Red eye. Mother has a hernia.",
        "Red eye. Suspected hernia.",
        "Red eye. Hernia was ruled out.",
        "Red eye. No cough or hernia.",
    ],
)
def test_what_is_denied_suspected_or_of_the_family_earns_no_code(text: str) -> None:
    assert added(text, 0).numbers == [0]


def test_a_piece_of_its_own_earns_a_code_in_the_order_of_the_text() -> None:
    text = "Carotid duplex done. Umbilical hernia; red eye."
    found = added(text, 0)
    assert found.numbers == [4, 1, 0]
    assert [text[slice(*found.pieces[number])].strip() for number in found.numbers] == [
        "Carotid duplex done",
        "Umbilical hernia",
        "red eye",
    ]
    assert found.ground == UNNAMED  # no known wording names what was added
    assert found.confidence == min(found.sure) and found.sure[2] == 0.9 and all(0.5 < sure < 0.95 for sure in found.sure)


def test_the_piece_of_an_answered_code_earns_no_second_one() -> None:
    assert added("Red eye with hernia.", 0).numbers == [0]
    start = (text := "Red eye. Umbilical hernia.").index("Umb")
    known = Find(*LABELS[0], start, len(text) - 1, PHRASE)
    assert added(text, 0, [known]).numbers == [0]  # the wording stands in the hernia's piece; the other says the same code
    assert added(text, 0, [Find(*LABELS[0], start, len(text) - 1, DENIED)]).numbers == [0, 1]


def test_padding_and_symptoms_of_an_answered_disease_earn_no_code() -> None:
    assert added("Red eye. Return in 8 weeks. Chart closed.", 0).numbers == [0]
    assert added("Acute bronchitis. Cough.", 3).numbers == [3]
    assert added("Red eye. Cough.", 0).numbers == [0, 2]


def test_no_more_codes_than_asked_for_and_none_below_the_least_probability() -> None:
    text = "Red eye; hernia; carotid duplex."
    assert len(added(text, 0).numbers) == 3
    assert len(added(text, 0, most=2).numbers) == 2
    assert added(text, 0, several=Several(ALWAYS.weights, 0.0, 1.01, 40, 1.01)).numbers == [0]


def test_a_longer_note_than_any_it_was_fitted_on_earns_none() -> None:
    text = "Red eye. Umbilical hernia."
    assert added(text, 0, several=replace(ALWAYS, longest=4)).numbers == [0, 1]
    assert added(text, 0, several=replace(ALWAYS, longest=3)).numbers == [0]


def test_no_code_stays_no_code() -> None:
    decision = Decision([], [], 0.8, FLAT)
    assert extend(decision, "Hernia.", parts("Hernia."), [], FLAT, LABELS, ALWAYS, 5) is decision


def test_a_text_without_words_has_no_pieces() -> None:
    assert parts("") == [] and parts(" .;!") == []


def test_siblings_are_akin_and_strangers_are_not() -> None:
    assert akin(("ICD10", "E11.9"), ("ICD10", "E11.65")) and akin(("CPT", "99213"), ("CPT", "99214"))
    assert not akin(("ICD10", "E11.9"), ("ICD10", "E78.5")) and not akin(("CPT", "93880"), ("HCPCS", "93880"))


@pytest.mark.parametrize(
    ("text", "piece", "item"),
    [
        ("A: 1) hernia 2) red eye.", "hernia", True),
        ("A: 1. hernia 2. red eye.", "red eye", True),
        ("Dx: hernia; red eye.", "hernia", True),
        ("Dx: hernia; red eye.", "red eye", True),
        ("Dx:\n1. hernia\n2. red eye", "red eye", True),
        ("(1) hernia (2) red eye", "red eye", True),
        ("1. hernia, red eye", "red eye", False),
        ("Dx: 1. hernia. Px: 1. red eye.", "red eye", True),
        ("BMI 45. Hernia", "Hernia", False),  # a sentence ends there
        ("Grade 1. Hernia, level 5. Red eye", "Red eye", False),
        ("Dx: hernia, red eye.", "red eye", False),
        ("Hernia and red eye since 3 days.", "red eye", False),
        ("red eye", "red eye", False),
    ],
)
def test_an_item_of_a_list_is_told_by_its_number_or_semicolon(text: str, piece: str, item: bool) -> None:
    start = text.index(piece)
    assert listed(text, start, start + len(piece)) is item
    assert listed(text, start - (start > 0), start + len(piece)) is item  # pieces may begin with their blank


def test_the_measures_are_finite_whatever_the_readers_say() -> None:
    sure = np.full(len(LABELS), -np.inf)
    sure[1] = 0.0
    (one,) = candidates("hernia", [Piece(0, 6, sure)], {}, np.full(len(LABELS), -np.inf), LABELS)
    assert np.isfinite(one.measures).all() and 0.0 < ALWAYS.chance(one.measures) <= 1.0


def _record(text: str, *evidence: tuple[str, str, str]) -> dict[str, object]:
    spans = [
        {
            "code_type": kind,
            "code": code,
            "text": part,
            "phrase": part,
            "start": text.index(part),
            "end": text.index(part) + len(part),
        }
        for kind, code, part in evidence
    ]
    codes = [{"code_type": kind, "code": code} for kind, code, _ in evidence]
    return {"messages": [{}, {"content": text}], "_metadata": {"codes": codes, "evidence": spans}}


def test_a_twin_has_unknown_wordings_of_the_same_kind_where_the_known_ones_stood() -> None:
    several = _record("Seen: red eye. Done: carotid duplex.", ("ICD10", "H10.9", "red eye"), ("CPT", "93880", "carotid duplex"))
    ones = [
        _record("belly button bulge", ("ICD10", "K42.9", "belly button bulge")),
        _record("neck echo", ("CPT", "93882", "neck echo")),
    ]
    known = {"red eye": ("ICD10", "H10.9"), "carotid duplex": ("CPT", "93880")}
    right = [("ICD10", "K42.9"), ("CPT", "93882")]
    assert twins([several, *ones], known, 1) == [("Seen: belly button bulge. Done: neck echo.", right)]
    assert twins([several, *ones], {**known, "neck echo": ("CPT", "93882")}, 1) == []


def _cases(copies: int, second_is_right: bool) -> list[Case]:
    found = []
    for text, gold in [("Red eye; carotid duplex of the neck.", [0, 4] if second_is_right else [0]), ("Red eye; hernia.", [0])]:
        decision = Decision([0], [0.9], 0.9, FLAT)
        found += [Case(text, decision, parts(text), [], FLAT, gold, 1.0)] * copies
    return found


def test_fitting_learns_which_pieces_earn_a_code() -> None:
    several, metrics = fit(_cases(40, True), LABELS, 5, ALONE, 0.95)
    assert several is not None and metrics["with"] == {"exact": 1.0, "f1": 1.0} and metrics["without"]["exact"] == 0.5
    assert added("Red eye; carotid duplex of the neck.", 0, several=several).numbers == [0, 4]
    assert added("Red eye; hernia.", 0, several=several).numbers == [0]


def test_nothing_is_fitted_where_no_further_piece_is_ever_right() -> None:
    assert fit(_cases(10, False), LABELS, 5, ALONE, 0.95)[0] is None
    assert fit([], LABELS, 5, ALONE, 0.95)[0] is None


def test_what_is_left_out_is_told_by_its_probability() -> None:
    text = "Red eye; hernia; carotid duplex."
    assert added(text, 0).missing == 0.0
    assert added(text, 0, most=2).missing > 0.5
    never = added(text, 0, several=replace(ALWAYS, least=1.01))
    assert never.numbers == [0] and never.missing > 0.5


def _left(name: str, gold: list[int], copies: int) -> list[Case]:
    """A red eye, and beside it what is never answered."""
    text = f"Red eye; {name}."
    return [Case(text, Decision([0], [0.9], 0.9, FLAT), parts(text), [], FLAT, gold, 1.0)] * copies


@pytest.mark.parametrize(("missed", "doubted"), [(0, False), (1, False), (30, True)])
def test_answers_that_are_incomplete_too_often_go_to_review(missed: int, doubted: bool) -> None:
    cases = [*_left("carotid duplex", [0, 4], missed), *_left("hernia", [0], 60), *_left("nothing else", [0], 60)]
    several = replace(ALWAYS, least=NEVER)
    doubt, metrics = further._doubt(cases, LABELS, several, 5, ALONE, 0.95)
    assert (doubt <= 1.0) is doubted
    assert (metrics["sent_to_review"] > 0) is doubted
    assert metrics["answered"] == 120 + missed


def test_answers_that_need_review_anyway_do_not_count() -> None:
    unsure = replace(ALONE, threshold=0.95)
    doubt, metrics = further._doubt(_left("hernia", [0, 1], 30), LABELS, replace(ALWAYS, least=NEVER), 5, unsure, 0.95)
    assert doubt == NEVER and metrics["answered"] == 0 and metrics["complete"] is None
