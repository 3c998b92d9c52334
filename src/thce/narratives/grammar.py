"""The grammar of notes: sentences and their parts, read from `data/grammar/`, one file per note kind.

A block starts at the margin; the indented lines below give one piece each, after its number in the file:

    noun problem injury
      21  {Who} presents with {x}.

`any` and `noun` open a block of frames, the sentences that bear a code: `{x}` is the phrase, the other words name the
slots (`wording.SLOTS`) they are written for; `noun` frames take only phrases that read after "Patient has"
or "Please order". Every other block is a
role of its own (`negated`, `vitals`, `after` ...). A piece is a template family: all of its narratives are on one
side of the split; pieces numbered from `TRAINING_ONLY` on are for training, so that adding such leaves the tests as
they are. `out_of_scope.txt` and `administrative.txt` hold material for narratives without a code,
`multi.txt` for several, `distractors.txt` sentences of the tests alone, for notes of any kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from thce.errors import UserError
from thce.files import read_text
from thce.narratives.phrasebook import key
from thce.narratives.splits import SPLITS, PhraseIndex, split_families
from thce.narratives.wording import SLOTS, listed

KINDS = ("ed", "clinic", "discharge", "consult", "problem_list", "phone", "message", "order", "claim")
"""Note kinds; each is a file."""

DISTRACTORS = ("negated", "family", "ruled_out", "suspected", "carried", "not_done", "error")
"""Roles of sentences that mention a condition or service which must not be coded; `{d}` is its phrase."""

TEST_ONLY = "distractors"
"""The file whose pieces are all on the side of the tests."""

TRAINING_ONLY = 500
"""From this number on a piece is never held out."""

ROLES = ("before", "after", "vitals", "onset", "course", "lead", *DISTRACTORS)
_SPECIAL = {
    "multi": ("diagnoses", "services", "mixed"),
    "out_of_scope": ("conditions", "services"),
    "administrative": ("administrative",),
    TEST_ONLY: DISTRACTORS,
}
FILLERS = frozenset(listed("who Who bp hr rr temp spo2 time day n room minutes kin Kin"))
_FIELD = re.compile(r"\{(\w+)\}")
_LINE = re.compile(r"\s+(\d+)\s+(\S.*?)\s*")
_SHORT = (
    (r"\bFamily history\b", "FHx"),
    (r"\bfamily history\b", "FHx"),
    (r"\bhistory\b", "hx"),
    (r"\bHistory\b", "Hx"),
    (r"\b[Dd]iagnosis\b", "dx"),
    (r"\b[Dd]iagnoses\b", "dxs"),
    (r"\bpatient\b", "pt"),
    (r"\bPatient\b", "Pt"),
    (r"\bwithout\b", "w/o"),
    (r"\bwith\b", "w/"),
    (r"\b[Ff]ollow[ -]up\b", "f/u"),
    (r"\b[Ff]ollow up\b", "F/U"),
    (r"\btreatment\b", "tx"),
    (r"\b[Tt]reated for\b", "tx for"),
    (r"\bemergency room\b", "ER"),
    (r"\bAssessment\b", "A"),
    (r"\bImpression\b", "Imp"),
    (r"\bappointment\b", "appt"),
    (r"\bProblem list\b", "PL"),
    (r"\bweeks\b", "wks"),
    (r"\bdays\b", "d"),
    (r"\bTelephone\b", "Tel"),
    (r"\bReason\b", "Rsn"),
    (r"\b[Mm]edication\b", "med"),
    (r"\bprocedure\b", "proc"),
    (r"\bprovider\b", "prov"),
)
"""How the fixed words are abbreviated; the evidence never is."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence with places to fill: `parts` alternates fixed text and field names; `short` is its abbreviated
    form."""

    id: str
    kind: str
    role: str
    text: str
    parts: tuple[str, ...]
    short: tuple[str, ...]
    split: str

    @property
    def fixed(self) -> str:
        """The words that every narrative from this piece shares, fields cut out."""
        return " | ".join(part for part in self.parts[::2] if part.strip())


@dataclass(frozen=True, slots=True)
class Grammar:
    """`frames[split, slot, fit]` (fit: any, noun), `roles[split, kind, role]` and all `pieces`, in the order of the
    files."""

    pieces: tuple[Piece, ...]
    frames: Mapping[tuple[str, str, str], tuple[Piece, ...]]
    roles: Mapping[tuple[str, str, str], tuple[Piece, ...]]

    def fixed_texts(self) -> list[str]:
        """What stands in narratives whatever the code: the fixed words of all pieces, both forms."""
        texts: list[str] = []
        for piece in self.pieces:
            for parts in (piece.parts, piece.short):
                texts.extend(part for part in parts[::2] if part.strip())
        return texts


def read(folder: Path | str, seed: int) -> Grammar:
    """Read and check the grammar, and divide its pieces, block by block, into train, val and test (`TEST_ONLY`: all test).

    Raises `UserError` with `file:line` for a missing file, an unknown block, slot or field, a number used twice, a
    field that is missing, or a block too small to be divided.
    """
    folder = Path(folder)
    pieces: list[Piece] = []
    frames: dict[tuple[str, str, str], list[Piece]] = {}
    roles: dict[tuple[str, str, str], list[Piece]] = {}
    for kind in (*KINDS, *_SPECIAL):
        for head, lines in _blocks(folder / f"{kind}.txt", kind):
            place, words = head
            divided = [name for name, _ in lines if int(name.rpartition("-")[2]) < TRAINING_ONLY]
            if len(divided) in (1, 2) and kind != TEST_ONLY:
                raise UserError(
                    place,
                    f"block `{' '.join(words)}` has {len(divided)} pieces below {TRAINING_ONLY}",
                    "at least 3, one for each split",
                )
            sides = dict.fromkeys(divided, "test") if kind == TEST_ONLY else split_families(seed, divided)
            for name, text in lines:
                piece = _piece(name, kind, words[0], text, sides.get(name, "train"))
                pieces.append(piece)
                if words[0] in ("any", "noun"):
                    for slot in words[1:]:
                        frames.setdefault((piece.split, slot, words[0]), []).append(piece)
                else:
                    roles.setdefault((piece.split, kind, words[0]), []).append(piece)
    _check_twins(folder, pieces)
    for slot in SLOTS:
        for split in SPLITS:
            if not frames.get((split, slot, "any")):
                raise UserError(str(folder), f"no `any` frame for slot `{slot}` in split {split}", "add frames for it")
    return Grammar(tuple(pieces), {k: tuple(v) for k, v in frames.items()}, {k: tuple(v) for k, v in roles.items()})


def _blocks(path: Path, kind: str) -> Iterator[tuple[tuple[str, list[str]], list[tuple[str, str]]]]:
    head: tuple[str, list[str]] | None = None
    lines: list[tuple[str, str]] = []
    seen: set[str] = set()
    allowed = _SPECIAL.get(kind, ROLES)
    for number, line in enumerate(read_text(path).splitlines(), 1):
        place = f"{path.as_posix()}:{number}"
        if not line.strip() or line.startswith("#"):
            continue
        if not line[0].isspace():
            if head:
                yield head, lines
            head, lines = (place, line.split()), []
            _check_head(place, head[1], allowed)
            continue
        match = _LINE.fullmatch(line)
        if not match or head is None:
            raise UserError(place, "neither a block nor a piece", "write `  21  {Who} presents with {x}.` below a block")
        name = f"{kind}-{int(match[1]):03d}"
        if name in seen:
            raise UserError(place, f"number {match[1]} is used twice", "give every piece of a file its own number")
        seen.add(name)
        _check_fields(place, head[1][0], match[2])
        lines.append((name, match[2]))
    if head:
        yield head, lines


def _check_twins(folder: Path, pieces: Iterable[Piece]) -> None:
    """Two pieces with the same words could stand on two sides of the split."""
    first: dict[str, str] = {}
    for piece in pieces:
        words = key(piece.text.replace("{D}", "{d}").replace("{Who}", "{who}"))
        if first.setdefault(words, piece.id) != piece.id:
            raise UserError(str(folder), f"{piece.id} reads like {first[words]}", "reword one of them")


def _check_head(place: str, words: list[str], allowed: Iterable[str]) -> None:
    if words[0] in ("any", "noun"):
        wrong = [word for word in words[1:] if word not in SLOTS]
        if wrong or len(words) == 1:
            raise UserError(place, f"unknown slot `{' '.join(wrong)}`", f"use some of {', '.join(SLOTS)}")
    elif words[0] not in allowed or len(words) > 1:
        raise UserError(place, f"unknown block `{' '.join(words)}`", f"use any, noun or one of {', '.join(allowed)}")


def _check_fields(place: str, role: str, text: str) -> None:
    fields = _FIELD.findall(text)
    unknown = [name for name in fields if name not in FILLERS | {"x", "d", "D", "dx", "px", "numbered_dx"}]
    if unknown or "{" in _FIELD.sub("", text):
        raise UserError(place, f"unknown field in `{text}`", "see FILLERS in src/thce/narratives/grammar.py")
    needed = {"x": role in ("any", "noun"), "d": role in DISTRACTORS}
    count = {"x": fields.count("x"), "d": fields.count("d") + fields.count("D")}
    for name, wanted in needed.items():
        if count[name] != int(wanted):
            raise UserError(place, f"`{{{name}}}` stands {count[name]} times, {int(wanted)} expected in a `{role}` piece")

    if role == "mixed" and [name.removeprefix("numbered_") for name in fields if name in ("dx", "numbered_dx", "px")] != [
        "dx",
        "px",
    ]:
        raise UserError(place, f"`{text}`", "name the diagnoses once and after them the services once, as on a claim")


def _piece(name: str, kind: str, role: str, text: str, split: str) -> Piece:
    parts = tuple(_FIELD.split(text))
    short = list(parts)
    for position in range(0, len(short), 2):
        for pattern, replacement in _SHORT:
            short[position] = re.sub(pattern, replacement, short[position])
    return Piece(name, kind, role, text, parts, tuple(short), split)


def problems(grammar: Grammar, phrase_keys: Iterable[str]) -> list[str]:
    """Pieces that would plant evidence: a phrase or title of a code in scope inside fixed words; one line each.

    Abbreviations of two letters are passed over: ED and RA mean too many things to be evidence by themselves.
    """
    index = PhraseIndex(phrase_key for phrase_key in phrase_keys if len(phrase_key) > 2)
    found: list[str] = []
    for piece in grammar.pieces:
        for parts in (piece.parts, piece.short):
            for part in parts[::2]:
                found.extend(f"{piece.id}: `{phrase}` is the wording of a code" for phrase in index.found(key(part)))
    return sorted(set(found))
