"""Published coded corpora, as they are downloaded, into our narrative rows: ACI-Bench (two label sets) and CodiEsp.

What a folder holds is told from the headers and names of its files; a layout that is not known is a `UserError`, never a
guess. Codes are spelled as the tables spell them and otherwise left as the corpus gives them: those of a retired release
or of ICD-10-PCS are counted, and it is for the evaluation to say what they cost.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thce.codes.book import CodeBook
from thce.codes.spelling import normalise
from thce.errors import UserError
from thce.files import read_text, write_jsonl
from thce.narratives.sources_files import code_cells, csv_lines, opened

CORPORA = ("aci-bench", "codiesp")
ICD10 = "ICD10"

_NOTES = {"encounter_id", "note"}  # of ACI-Bench itself: dataset,encounter_id,dialogue,note
_LABELS = {"Document ID", "ICD10", "Description"}  # labels by encounter (Yuan et al. 2025)
_TEXTS = {"Document ID", "medical_record_text"}  # MedCodER: text.csv, text_holdout.csv
_DIAGNOSES = {"Document ID", "ICD10", "Diagnosis", "Start", "End"}  # and diagnosis.csv, diagnosis_holdout.csv
_CODE_COLUMNS = ("codes", "icd10", "ICD10")  # notes with their codes in one table
_PIECE = re.compile(r"(\d+) (\d+)")
_DIAGNOSIS = "DIAGNOSTICO"


@dataclass(slots=True)
class Note:
    """One note of a corpus: its codes in the order of the files, none twice, and (code, start, end, words) of what is quoted
    for them; the words are empty where the corpus gives them only together with others.
    """

    id: str
    text: str
    place: str
    codes: dict[str, None] = field(default_factory=dict)
    spans: list[tuple[str, int, int, str]] = field(default_factory=list)


def convert(corpus: str, folder: Path | str, output: Path | str, book: CodeBook, language: str = "en") -> dict[str, Any]:
    """Write the rows of a corpus to `output` (JSONL) and return the counts.

    A note without a code is left out: it is not said to support none. Raises `UserError` for an unknown layout; nothing
    is written then.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(str(folder), "is no folder", "unpack the corpus and name its folder")
    left_out: Counter[str] = Counter()
    notes = aci_bench(folder, left_out) if corpus == "aci-bench" else codiesp(folder, language, left_out)
    rows = [row(note, corpus, left_out) for note in notes if note.codes]
    left_out["notes without a code"] += len(notes) - len(rows)
    codes = Counter(part["code"] for one in rows for part in one["codes"])
    scope = {entry.code for entry in book.scope if entry.code_type == ICD10}
    unknown = [code for code in codes if (entry := book.find(ICD10, code)) is None or not entry.billable]
    write_jsonl(output, rows)
    return {
        "rows": len(rows),
        "codes": codes.total(),
        "distinct_codes": len(codes),
        "in_scope": sum(codes[code] for code in scope),
        "not_billable_here": sum(codes[code] for code in unknown),
        "left_out": {name: count for name, count in sorted(left_out.items()) if count},
    }


def row(note: Note, corpus: str, left_out: Counter[str]) -> dict[str, Any]:
    """A note as a narrative row; quoted words that are not at their place are left out and counted."""
    spelled = {code: normalise(code, ICD10).code or code for code in note.codes}
    evidence = []
    for code, start, end, words in note.spans:
        text = note.text[start:end]
        if text.strip() and words in ("", text):
            place = {"code_type": ICD10, "code": spelled[code], "start": start, "end": end}
            evidence.append(place | {"text": text, "phrase": text, "kind": "given"})
        else:
            left_out["quoted words not in the text"] += 1
    return {
        "id": note.id,
        "narrative": note.text,
        "codes": [{"code_type": ICD10, "code": code} for code in dict.fromkeys(spelled.values())],
        "evidence": evidence,
        "template": note.id,
        "kind": "note",
        "source": corpus,
        "group": None,
        "none_reason": None,
        "label": "gold",
    }


def aci_bench(folder: Path, left_out: Counter[str]) -> list[Note]:
    """ACI-Bench visit notes: `encounter_id, note` beside label files `Document ID, ICD10, Description`; or MedCodER's
    `text.csv` with `diagnosis.csv`; or one table with the codes in a column of their own. Raises `UserError` where there are
    no notes, or no codes, or a label has none.
    """
    notes: dict[str, Note] = {}
    labels: list[tuple[str, str, str, int, int, str]] = []  # place, document, code, start, end, words
    for path in sorted(folder.rglob("*.csv")):
        header = _header(path)
        if header >= _NOTES or header >= _TEXTS:
            name, text = ("encounter_id", "note") if header >= _NOTES else ("Document ID", "medical_record_text")
            column = next((column for column in _CODE_COLUMNS if column in header), None)
            for place, line in _lines(path, left_out):
                note = _note(notes, line[name].strip(), line[text].rstrip(), place)
                note.codes.update((code, None) for _, code in (code_cells(line[column], ICD10) if column else ()))
        elif header >= _LABELS or header >= _DIAGNOSES:
            for place, line in _lines(path, left_out):
                start, end = (_number(line.get(column), place) for column in ("Start", "End"))
                words = line.get("Diagnosis", "")
                labels.append((place, line["Document ID"].strip(), line["ICD10"].strip(), start, end, words))
    if not notes:
        mend = "it needs a CSV with `encounter_id` and `note`, or MedCodER's text.csv"
        raise UserError(str(folder), "holds no notes of ACI-Bench", mend)
    if not labels and not any(note.codes for note in notes.values()):
        mend = "put a label file beside them: `Document ID`, `ICD10` and `Description`, or MedCodER's diagnosis.csv"
        raise UserError(str(folder), "holds notes of ACI-Bench but no codes", mend)
    for place, document, code, start, end, words in labels:
        if document not in notes:
            left_out["labels without their note"] += 1
            continue
        if not code:
            raise UserError(place, "has no code", "mend the label file")
        notes[document].codes.setdefault(code)
        if end > start:
            notes[document].spans.append((code, start, end, words))
    return list(notes.values())


def _note(notes: dict[str, Note], name: str, text: str, place: str) -> Note:
    """A note by its id; the same one may stand in several files (other transcripts of its dialogue), a different one not."""
    if not name or not text:
        raise UserError(place, "has no id or no text", "mend the file")
    known = notes.setdefault(name, Note(f"aci-bench-{name}", text, place))
    if known.text != text:
        raise UserError(place, f"`{name}` is another note than at {known.place}", "keep one release in the folder")
    return known


def codiesp(folder: Path, language: str, left_out: Counter[str]) -> list[Note]:
    """CodiEsp clinical cases: a split with `text_files_en` (or `text_files`) and its `*D.tsv` or `*X.tsv`, or the folder
    above with several splits. The places in `*X.tsv` are those of the Spanish text, so English rows have no evidence. Raises
    `UserError` where the layout is another, or a case of the tables has no text.
    """
    texts = "text_files_en" if language == "en" else "text_files"
    splits = [one for one in (folder, *sorted(folder.iterdir())) if (one / texts).is_dir() and any(one.glob("*[DX].tsv"))]
    if not splits:
        mend = f"name the folder of a split: it has `{texts}` and `devD.tsv` or `devX.tsv` (or the folder above)"
        raise UserError(str(folder), "is no CodiEsp layout", mend)
    notes: list[Note] = []
    for split in splits:
        found: dict[str, Note] = {}
        for path in sorted(split.glob("*[DX].tsv")):
            for place, article, code, spans in _annotations(path, left_out):
                if article not in found:
                    text = split / texts / f"{article}.txt"
                    if not text.is_file():
                        raise UserError(place, f"names `{article}`, but {text} is missing", "unpack the corpus again")
                    found[article] = Note(f"codiesp-{split.name}-{article}", read_text(text).rstrip(), place)
                found[article].codes.setdefault(code)
                found[article].spans += [(code, *span) for span in spans] if language == "es" else []
        left_out["notes without a code"] += len({path.stem for path in (split / texts).glob("*.txt")} - found.keys())
        notes += found.values()
    return notes


def _annotations(path: Path, left_out: Counter[str]) -> Iterator[tuple[str, str, str, list[tuple[int, int, str]]]]:
    """(place, article, code, quoted pieces) of the diagnoses in a D file (article, code) or an X file (article, label,
    code, words, positions such as `540 583;955 964`).
    """
    width = 5 if path.stem.endswith("X") else 2
    for number, line in enumerate(read_text(path).splitlines(), 1):
        place, cells = f"{path}:{number}", line.split("\t")
        if not line.strip() or cells[0].strip().lower() == "articleid":
            continue
        if len(cells) != width:
            raise UserError(place, f"has {len(cells)} columns, not {width}", "CodiEsp v4 has two in D and five in X files")
        article, code = cells[0].strip(), cells[-1].strip()
        spans: list[tuple[int, int, str]] = []
        if width == 5:
            if cells[1].strip() != _DIAGNOSIS:
                left_out["procedures (ICD-10-PCS)"] += 1
                continue
            code = cells[2].strip()
            pieces = [_PIECE.fullmatch(piece.strip()) for piece in cells[4].split(";")]
            if not all(pieces):
                raise UserError(place, f"has positions `{cells[4]}`", "they are written `540 583;955 964`")
            words = cells[3].strip() if len(pieces) == 1 else ""
            spans = [(int(piece[1]), int(piece[2]), words) for piece in pieces if piece]
        yield place, article, code, spans


def _header(path: Path) -> set[str]:
    with opened(str(path), "utf-8-sig") as stream:
        return set(next(csv.reader(stream), []))


def _lines(path: Path, left_out: Counter[str]) -> Iterator[tuple[str, dict[str, str]]]:
    def reject(place: str, what: str, reason: str) -> None:
        left_out[f"lines of a table that {reason.replace('has not', 'have not')}"] += 1

    return csv_lines(str(path), "utf-8", ",", reject)


def _number(text: str | None, place: str) -> int:
    """An offset; 0 where there is none."""
    if not text:
        return 0
    try:
        return int(float(text))
    except ValueError:
        raise UserError(place, f"`{text}` is no offset", "Start and End count characters") from None
