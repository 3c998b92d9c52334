"""The phrasebook: what its reader refuses, what its checker finds, and that ours is clean."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from codes_tables import book

from thce.errors import UserError
from thce.narratives import phrasebook, synthetic
from thce.narratives.phrasebook import Phrase

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parent.parent
TITLES = {("ICD10", "J20.9"): "Acute bronchitis, unspecified", ("ICD10", "I10"): "Essential (primary) hypertension"}
OFFICIAL = {"acute bronchitis unspecified": [("ICD10", "J20.9")], "high blood pressure": [("ICD10", "I10")]}


def phrases(code: str, *texts: str, kinds: tuple[str, ...] = ("synonym", "lay", "finding")) -> list[Phrase]:
    return [Phrase("ICD10", code, kinds[n % len(kinds)], text, f"a.txt:{n + 1}") for n, text in enumerate(texts)]


ENOUGH = [
    *phrases("J20.9", *(f"chest cold number {n}" for n in range(phrasebook.LEAST))),
    *phrases("I10", *(f"pressure up number {n}" for n in range(phrasebook.LEAST))),
]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], None),
        (phrases("I10", "Chest cold, number 3"), "a.txt:1: `Chest cold, number 3` stands already at a.txt:4 for J20.9"),
        (phrases("I10", "pressure-up number 0", "PRESSURE UP number 1"), "stands already at a.txt:2 for I10"),
        (phrases("J20.9", "high blood pressure"), "`high blood pressure` is the official wording of I10"),
        (phrases("I10", "high blood pressure"), None),
        (phrases("J20.9", "Acute bronchitis unspecified"), "repeats the title"),
    ],
)
def test_what_is_wrong_with_a_phrase(more: list[Phrase], said: str | None) -> None:
    found = phrasebook.problems([*ENOUGH, *more], TITLES, OFFICIAL)
    assert found == [] if said is None else len(found) == 1 and found[0].endswith(said)


def test_every_code_needs_phrases_of_several_kinds() -> None:
    few = phrasebook.problems(ENOUGH[1:], TITLES, OFFICIAL)
    assert few == [f"ICD10 J20.9: {phrasebook.LEAST - 1} phrases, at least {phrasebook.LEAST} are needed"]
    dull = phrases("J20.9", *(f"chest cold number {n}" for n in range(phrasebook.LEAST)), kinds=("lay", "finding"))
    found = phrasebook.problems([*ENOUGH[phrasebook.LEAST :], *dull], TITLES, OFFICIAL)
    assert found == [f"ICD10 J20.9: 2 kinds of phrase, at least {phrasebook.VARIETY} are needed"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("  lay  chest cold\n", "a.txt:1: phrase before the first code"),
        ("ICD10 Q99.8  Other\n", "a.txt:1: ICD10 Q99.8 is not in scope"),
        ("ICD10 J20.9  Bronchitis\n", "a.txt:1: title of J20.9 is `Acute bronchitis, unspecified`"),
        ("ICD10 J20.9  Acute bronchitis, unspecified\n  slang  chest cold\n", "a.txt:2: unknown kind `slang`"),
        ("ICD10 J20.9  Acute bronchitis, unspecified\n  lay  --\n", "a.txt:2: phrase without a word"),
        ("chest cold\n", "a.txt:1: neither a code nor a phrase"),
    ],
)
def test_a_bad_line_is_named(lines: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(lines)
    with pytest.raises(UserError) as fault:
        phrasebook.read(tmp_path, TITLES)
    assert said in str(fault.value)


def test_ours_is_clean_and_rich() -> None:
    titles = {(entry.code_type, entry.code): entry.title for entry in book().scope}
    ours = phrasebook.read(ROOT / "data/phrasebook", titles)
    assert phrasebook.problems(ours, titles, phrasebook.official_terms(book())) == []
    counts = Counter((phrase.code_type, phrase.code) for phrase in ours)
    assert len(counts) == 800 and len(ours) >= 9600 and min(counts.values()) >= phrasebook.LEAST


def test_narratives_are_not_written_from_a_faulty_phrasebook(tmp_path: Path) -> None:
    for path in (ROOT / "data/phrasebook").glob("*.txt"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "icd10_10_respiratory.txt").open("a") as stream:
        stream.write("\nICD10 J20.9  Acute bronchitis, unspecified\n")
        stream.write("  lay           sugar diabetes\n")
    with pytest.raises(UserError, match=r"faults, first .*icd10_10_respiratory\.txt:\d+: `.*stands already"):
        synthetic.wordings(book(), tmp_path)
