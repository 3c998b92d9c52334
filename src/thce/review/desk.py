"""What the review page does, without the page: the notes, their answers, and the decisions kept as narrative rows.

A decision is written at once, into two files that are each replaced as a whole: rows with codes (or with a reason why there
are none) in the narrative row shape, which `thce data collect` reads as a source of kind `rows`; remarks without a decision
beside it in `*.notes.jsonl`, which nothing trains on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from thce import answers, codes
from thce.answers import CODE_TYPES
from thce.coder.records import Job
from thce.codes.book import CodeBook
from thce.errors import UserError
from thce.files import read_jsonl, write_jsonl
from thce.narratives.sources import resolve
from thce.reasoning.grammar import REASONS
from thce.reasoning.verify import verify

Row = dict[str, Any]
ACCEPTED, CORRECTED, NOTED = "accepted", "corrected", "noted"
VERDICTS = (ACCEPTED, CORRECTED, NOTED)
SOURCE = "review"
LONGEST = 20_000
"""Characters of a note typed into the page."""


class Desk:
    """The notes under review. Safe to call from several threads; one note is coded at a time.

    `coder` turns a job into an output row of `thce code`; None where no model is trained, then only `known` answers (by id)
    are shown. Decisions in `output` from an earlier day are read again.
    """

    def __init__(
        self,
        notes: Iterable[Job],
        book: CodeBook,
        output: Path | str,
        coder: Callable[[Job], Row] | None = None,
        known: Mapping[str, Row] | None = None,
    ) -> None:
        self.book = book
        self.output = Path(output)
        self.remarks = self.output.with_name(self.output.name.removesuffix(".jsonl") + ".notes.jsonl")
        self.notes: list[Job] = []
        for note in notes:
            if note.fault:
                raise UserError(note.place, note.fault)
            if any(note.id == other.id for other in self.notes):
                raise UserError(note.place, f"id `{note.id}` stands twice", "give every row its own id")
            self.notes.append(note)
        self._coder = coder
        self._answers = dict(known or {})
        self._decided: dict[str, Row] = {}
        for path in (self.output, self.remarks):
            for row in read_jsonl(path) if path.is_file() else ():
                if row.get("verdict") not in VERDICTS:
                    raise UserError(str(path), "holds other rows than decisions", "choose another --output")
                self._decided[str(row["id"])] = row
        self._index: codes.SearchIndex | None = None
        self._coding, self._saving = Lock(), Lock()

    def overview(self) -> Row:
        """All notes in short, and what a decision may name."""
        notes = [
            {"id": note.id, "begin": note.narrative[:90], "verdict": self._decided.get(note.id, {}).get("verdict")}
            for note in self.notes
        ]
        return {"notes": notes, "output": str(self.output), "coder": self._coder is not None, "reasons": list(REASONS)}

    def note(self, number: int) -> Row:
        """One note: its text, its answer (coded now if it was not yet), and the decision there is.

        Raises `UserError` for a number that is not there.
        """
        if not 0 <= number < len(self.notes):
            raise UserError(f"note {number}", "there is no such note")
        note = self.notes[number]
        return {
            "id": note.id,
            "narrative": note.narrative,
            "answer": self._answer(note),
            "decision": self._decided.get(note.id),
        }

    def add(self, narrative: str) -> int:
        """Put a typed note on the desk; returns its number. The same text again is the same note.

        Raises `UserError` for one that is empty, too long, or without a model to read it.
        """
        if not isinstance(narrative, str) or not narrative.strip():
            raise UserError("note", "is empty")
        if len(narrative) > LONGEST:
            raise UserError("note", f"has more than {LONGEST:,} characters", "use --input")
        if self._coder is None:
            raise UserError("models/stage3", "nothing is trained here yet", "run `dvc repro`")
        name = "typed-" + hashlib.sha256(narrative.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        with self._saving:
            ids = [note.id for note in self.notes]
            if name not in ids:
                self.notes.append(Job(name, "typed", narrative))
                ids.append(name)
        return ids.index(name)

    def search(self, words: str, code_type: str | None = None) -> list[Row]:
        """Billable codes for words, or for the beginning of a code."""
        with self._saving:
            self._index = self._index or codes.SearchIndex(self.book, [])
        hits = self._index.search(words, code_type if code_type in CODE_TYPES else None, True, None, 8)
        found = [hit.entry for hit in hits]
        for kind in CODE_TYPES:
            pair, _ = resolve(self.book, kind, words.strip().upper())
            entry = self.book.find(*pair) if pair else None
            if entry and entry not in found and code_type in (None, kind):
                found.insert(0, entry)
        return [{"code_type": entry.code_type, "code": entry.code, "description": entry.short_title} for entry in found]

    def save(self, number: int, given: Mapping[str, Any]) -> Row:
        """Keep a decision; returns the row as written. Raises `UserError` for what no row may hold.

        `given`: `verdict` (one of `VERDICTS`), `codes` (objects with `code_type` and `code`, most important first),
        `evidence` (objects with `code_type`, `code`, `start`, `end` in characters), `none_reason` where there is no code,
        `remark`.
        """
        if not 0 <= number < len(self.notes):
            raise UserError(f"note {number}", "there is no such note")
        note = self.notes[number]
        verdict = given.get("verdict")
        if verdict not in VERDICTS:
            raise UserError("verdict", f"`{verdict}` is none of {', '.join(VERDICTS)}")
        remark = str(given.get("remark") or "").strip()
        if verdict == NOTED:
            if not remark:
                raise UserError("remark", "is empty", "write what the next reader should know")
            row: Row = {"id": note.id, "verdict": verdict, "remark": remark}
        else:
            row = self._row(note, verdict, remark, given)
        with self._saving:
            self._decided[note.id] = row
            rows = list(self._decided.values())
            write_jsonl(self.output, [one for one in rows if one["verdict"] != NOTED])
            if any(one["verdict"] == NOTED for one in rows) or self.remarks.is_file():
                write_jsonl(self.remarks, [one for one in rows if one["verdict"] == NOTED])
        return row

    def _row(self, note: Job, verdict: str, remark: str, given: Mapping[str, Any]) -> Row:
        chosen: list[tuple[str, str]] = []
        for item in _objects(given, "codes"):
            pair, problem = resolve(self.book, str(item.get("code_type")), str(item.get("code")), note.day)
            if pair is None:
                raise UserError(f"code {item.get('code')}", problem)
            if pair not in chosen:
                chosen.append(pair)
        reason = given.get("none_reason") if not chosen else None
        if not chosen and reason not in REASONS:
            raise UserError("none_reason", "a note without a code needs a reason", f"one of {', '.join(REASONS)}")
        evidence = []
        for item in _objects(given, "evidence"):
            code_type, code, start, end = (item.get(name) for name in ("code_type", "code", "start", "end"))
            if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end <= len(note.narrative):
                raise UserError("evidence", f"{start}-{end} is no place in the note")
            if (code_type, code) not in chosen:
                raise UserError("evidence", f"is for {code}, which is not among the codes")
            text = note.narrative[start:end]
            place = {"code_type": code_type, "code": code, "start": start, "end": end}
            evidence.append(place | {"text": text, "phrase": text, "kind": SOURCE})
        return {
            "id": note.id,
            "narrative": note.narrative,
            "codes": [{"code_type": code_type, "code": code} for code_type, code in chosen],
            "evidence": sorted(evidence, key=lambda item: (item["start"], item["end"])),
            "template": f"{SOURCE}/{note.id}",
            "kind": "note",
            "source": SOURCE,
            "group": None,
            "none_reason": reason,
            "label": "gold",
            "verdict": verdict,
            "remark": remark,
        }

    def _answer(self, note: Job) -> Row | None:
        with self._coding:
            if note.id not in self._answers and self._coder is not None:
                self._answers[note.id] = self._coder(note)
        row = self._answers.get(note.id)
        if row is None or row.get("status") == "error":
            return row
        named = [self._named(one) for one in row.get("alternatives", ())]
        return row | {"claims": self._claims(note.narrative, row), "alternatives": named}

    def _claims(self, narrative: str, row: Row) -> list[Row]:
        if not row.get("reasoning"):
            return []
        answer = answers.format_answer([(item["code_type"], item["code"], item["description"]) for item in row["codes"]])
        verdict = verify(narrative, answers.format_completion(row["reasoning"], answer), self.book)
        return [{"text": claim.text, "status": claim.status, "reason": claim.reason} for claim in verdict.claims]

    def _named(self, one: Row) -> Row:
        entry = self.book.find(one["code_type"], one["code"]) if one["code_type"] in CODE_TYPES else None
        return one | {"description": entry.short_title if entry else "no code"}


def _objects(given: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = given.get(name) or []
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        raise UserError(name, "is not a list of objects")
    return found
