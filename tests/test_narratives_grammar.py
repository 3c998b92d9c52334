"""The grammar files: what a fault in them says, and what the committed ones hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from thce.errors import UserError
from thce.narratives import grammar

pytestmark = pytest.mark.unit

FOLDER = Path("data/grammar")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "grammar"))


def test_the_grammar_has_several_hundred_pieces_on_three_sides() -> None:
    notes = grammar.read(FOLDER, 17)
    sides = [piece.split for piece in notes.pieces]
    assert len(sides) > 600
    assert sides.count("train") > sides.count("test") > 100 and sides.count("val") > 100
    assert len({piece.id for piece in notes.pieces}) == len(sides)


def test_pieces_that_read_the_same_are_refused_for_they_could_fall_on_two_sides(copy: Path) -> None:
    path = copy / "phone.txt"
    path.write_text(path.read_text() + "\nbefore\n  901  Last seen {n} weeks ago!\n  902  Alpha.\n  903  Beta.\n")
    with pytest.raises(UserError, match="phone-901 reads like clinic-131"):
        grammar.read(copy, 17)


def test_a_piece_that_holds_a_phrase_of_a_code_is_named() -> None:
    notes = grammar.read(FOLDER, 17)
    found = grammar.problems(notes, ["retired teacher", "zz"])
    assert [line.split(":")[0] for line in found] == ["clinic-134"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("  901  {Who} has {y}.", "unknown field"),
        ("  901  {Who} is here.", "stands 0 times"),
        ("  901  {x} and {x}.", "stands 2 times"),
        ("  01  Again {x}.", "used twice"),
        ("  nine  {x}.", "neither a block nor a piece"),
    ],
)
def test_a_wrong_line_is_named_with_its_place(copy: Path, line: str, message: str) -> None:
    path = copy / "ed.txt"
    lines = path.read_text().split("\n")
    number = lines.index("noun problem")
    path.write_text("\n".join([*lines[: number + 1], line, *lines[number + 1 :]]))
    with pytest.raises(UserError) as caught:
        grammar.read(copy, 17)
    assert message in str(caught.value)
    assert caught.value.place.endswith(f"ed.txt:{number + 2}")


@pytest.mark.parametrize(
    ("head", "message"), [("any problems", "unknown slot"), ("negatives", "unknown block"), ("any", "unknown slot")]
)
def test_an_unknown_block_is_named(copy: Path, head: str, message: str) -> None:
    path = copy / "phone.txt"
    path.write_text(path.read_text() + f"\n{head}\n  901  {{x}}.\n")
    with pytest.raises(UserError, match=message):
        grammar.read(copy, 17)


def test_a_block_too_small_to_divide_is_refused(copy: Path) -> None:
    path = copy / "claim.txt"
    path.write_text(path.read_text() + "\ncourse\n  301  Stable.\n  302  Same.\n")
    with pytest.raises(UserError, match="has 2 pieces below 500"):
        grammar.read(copy, 17)


def test_pieces_for_training_alone_leave_the_other_sides_as_they_are(copy: Path) -> None:
    before = grammar.read(copy, 17)
    path = copy / "claim.txt"
    path.write_text(
        path.read_text() + "\ncourse\n  901  Stable.\n\nany injury\n  902  Seen for {x}.\n  903  Zoo visit, then {x}.\n"
    )
    after = grammar.read(copy, 17)
    new = {piece.id for piece in after.pieces} - {piece.id for piece in before.pieces}
    assert new == {"claim-901", "claim-902", "claim-903"}
    assert [piece for piece in after.pieces if piece.id not in new] == list(before.pieces)
    assert {piece.split for piece in after.pieces if piece.id in new} == {"train"}


def test_a_missing_file_says_so(copy: Path) -> None:
    (copy / "order.txt").unlink()
    with pytest.raises(UserError, match="no such file"):
        grammar.read(copy, 17)
