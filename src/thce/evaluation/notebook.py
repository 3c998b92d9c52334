"""What the notebooks show. Every function reads files the pipeline has written and returns a page that a notebook displays.

Narratives are shown only where they are synthetic: a notebook saves what it shows, and a user's own notes never reach a file.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median

from thce.answers import Code
from thce.codes.book import CodeBook
from thce.errors import UserError
from thce.evaluation import hierarchy, metrics, report, report_results, report_sections
from thce.evaluation.charts import bars, percent
from thce.evaluation.data import Item, Prediction, read_items, read_predictions
from thce.evaluation.report_style import STYLE
from thce.evaluation.report_words import figure, row, table, title_of
from thce.files import read_jsonl
from thce.narratives import phrasebook

Answered = tuple[Item, Prediction, bool]
"""A test row, what was answered, and whether that is exactly right."""

BINS = (5, 10, 15, 20, 30, 40, 60)
"""Upper edges of the word counts of `lengths`."""


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of the report's HTML; in a frame of its own, so that its style sheet stays inside."""

    html: str
    height: int = 320

    def _repr_html_(self) -> str:
        inner = escape(f"<style>{STYLE} body {{ padding: .5rem; }}</style>{self.html}", quote=True)
        return f'<iframe srcdoc="{inner}" style="width:100%;height:{self.height}px;border:0"></iframe>'


def at_root(start: Path | str = ".") -> Path:
    """Go to the repository's root, wherever the notebook was started. Raises `UserError` outside of a repository."""
    here = Path(start).resolve()
    for folder in (here, *here.parents):
        if (folder / "params.yaml").is_file():
            os.chdir(folder)
            return folder
    raise UserError(str(here), "no params.yaml here or above", "start the notebook inside the repository")


def need(*paths: str) -> None:
    """Raise `UserError` for files that are not there yet."""
    missing = [path for path in paths if not Path(path).exists()]
    if missing:
        raise UserError(", ".join(missing), "not there yet", "run `dvc repro`")


def files(folder: str = "data/narratives") -> Page:
    """The sets of narratives: rows, codes, and how many rows have none or several."""
    rows = []
    for path in sorted(Path(folder).glob("*.jsonl")):
        found = [one for one in read_jsonl(path) if "narrative" in one]
        if found:
            sizes = [len(one["codes"]) for one in found]
            distinct = {(part["code_type"], part["code"]) for one in found for part in one["codes"]}
            words = median(len(one["narrative"].split()) for one in found)
            cells = [f"{len(found):,}", f"{len(distinct)}", percent(metrics.mean([size == 0 for size in sizes]))]
            rows.append(row([escape(path.stem), *cells, percent(metrics.mean([size > 1 for size in sizes])), f"{words:g}"]))
    head = ["set", "rows", "distinct codes", "no code", "several codes", "median words"]
    return Page(table(head, rows), 70 + 34 * len(rows))


def lengths(path: str) -> Page:
    """Words per narrative."""
    counts: Counter[int] = Counter()
    for one in read_jsonl(path):
        size = len(one["narrative"].split())
        counts[next((number for number, edge in enumerate(BINS) if size <= edge), len(BINS))] += 1
    labels = [f"up to {edge} words" for edge in BINS] + [f"more than {BINS[-1]} words"]
    return _bars([(label, counts[number]) for number, label in enumerate(labels)], "words per narrative")


def groups(path: str, key: str) -> Page:
    """Rows by one field, e.g. `kind` or `none_reason`; rows without it are left out."""
    counts = Counter(str(one[key]) for one in read_jsonl(path) if one.get(key))
    return _bars([(title_of(name), n) for name, n in counts.most_common(20)], key)


def frequent(path: str, book: CodeBook, count: int = 15) -> Page:
    """The codes with the most rows."""
    counts = Counter((part["code_type"], part["code"]) for one in read_jsonl(path) for part in one["codes"])
    named = [(f"{pair[0]} {pair[1]} {_title(book, *pair)}"[:48], n) for pair, n in counts.most_common(count)]
    return _bars(named, "rows per code")


def samples(path: str, count: int = 6, seed: int = 17) -> Page:
    """Synthetic rows, drawn by seed, with their evidence marked."""
    found = [one for one in read_jsonl(path) if one.get("source") == "synthetic"]
    shown = []
    for one in random.Random(seed).sample(found, min(count, len(found))):
        text = escape(one["narrative"])
        for part in one["evidence"]:
            text = text.replace(escape(part["text"]), f"<mark>{escape(part['text'])}</mark>", 1)
        codes = "; ".join(f"{part['code_type']} {part['code']}" for part in one["codes"]) or "no code"
        shown.append(f"<blockquote>{text}<br><small>{escape(codes)}</small></blockquote>")
    return Page("".join(shown) or "<p>No synthetic rows.</p>", 40 + 95 * len(shown))


def chapters(book: CodeBook) -> Page:
    """The codes in scope by chapter, section or letter."""
    place = hierarchy.places(book)["chapter"]
    counts = Counter(place(Code(entry.code_type, entry.code)) or "-" for entry in book.scope)
    return _bars(sorted(counts.items(), key=lambda part: -part[1]), "codes in scope")


def crowded(book: CodeBook, count: int = 12) -> Page:
    """The ICD-10-CM categories with the most codes in scope: where a neighbour is near."""
    counts = Counter(entry.code[:3] for entry in book.scope if entry.code_type == "ICD10")
    named = [(f"{code} {_title(book, 'ICD10', code)}"[:48], n) for code, n in counts.most_common(count)]
    return _bars(named, "codes in scope per category")


def wordings(book: CodeBook, folder: str = "data/phrasebook") -> Page:
    """How many wordings of its own each code has, by kind."""
    titles = {(entry.code_type, entry.code): entry.title for entry in book.scope}
    phrases = phrasebook.read(folder, titles)
    per_code = Counter((one.code_type, one.code) for one in phrases)
    sizes = [per_code[pair] for pair in titles]
    kinds = Counter(one.kind for one in phrases)
    words = f"<p>{len(phrases):,} wordings; per code {min(sizes)} to {max(sizes)}, median {median(sizes):g}.</p>"
    page = _bars(kinds.most_common(), "wordings by kind")
    return Page(words + page.html, page.height + 40)


def chain(book: CodeBook, code_type: str, code: str) -> Page:
    """Where the tables put a code, from chapter to code. Raises `UserError` for a code that is in none."""
    found = book.path(code_type, code)
    if not found:
        raise UserError(f"{code_type} {code}", "is not in the table", "try `thce codes search`")
    rows = [row([escape(entry.level), f'<td class="text">{escape(entry.code)} {escape(entry.title)}</td>']) for entry in found]
    return Page(table(["level", "item"], rows, (1,)), 70 + 34 * len(rows))


def results() -> Page:
    """The first table of the report, and what each stage adds."""
    sources = report.load()
    return Page(report_results.results(sources) + report_results.worth(sources), 1500)


def influence() -> Page:
    """What an answer hangs on, if it was asked."""
    sources = report.load()
    if not sources.evaluate.get("influence"):
        return Page("<p>Not asked: <code>evaluate.influence_rows</code> is 0.</p>", 60)
    return Page(report_sections.influence(sources), 620)


def answers(system: str = "system", mode: str = "fused", prepared: str = "data/prepared") -> list[Answered]:
    """Every prepared test row that a system was asked in a mode. Raises `UserError` if there are none."""
    path = f"data/predictions/{system}.jsonl"
    found = read_predictions(path).get((system, mode))
    if found is None:
        raise UserError(path, f"holds nothing of {system} in mode {mode}", "docs/EVALUATION.md lists systems and modes")
    items = [item for path in sorted(Path(prepared).glob("test_*.jsonl")) for item in read_items(path)]
    return [(item, found[item.id], metrics.exact(item.gold, found[item.id].answer)) for item in items if item.id in found]


def sure(rows: Sequence[Answered]) -> Page:
    """Right and wrong answers by confidence, in tenths."""
    counts: dict[int, list[bool]] = {}
    for _, one, right in rows:
        if one.confidence is not None:
            counts.setdefault(min(9, int(one.confidence * 10)), []).append(right)
    chart = [
        (f"{number * 10} to {number * 10 + 10} %", float(len(hits)), f"{len(hits)}, {percent(metrics.mean(hits))}")
        for number, hits in sorted(counts.items())
    ]
    title = "Answers by confidence, and how many are right"
    return Page(figure(bars(chart, 170, title), title), 60 + 24 * len(chart))


def shown(rows: Sequence[Answered], right: bool, count: int = 6, seed: int = 17) -> Page:
    """Synthetic rows that were answered rightly or wrongly, drawn by seed: text, gold, answer, reasoning."""
    chosen = [part for part in rows if part[2] == right and part[0].source == "synthetic"]
    parts = []
    for item, one, _ in random.Random(seed).sample(chosen, min(count, len(chosen))):
        gold = "; ".join(f"{code.code_type} {code.code}" for code in item.gold) or "no code"
        confidence = "-" if one.confidence is None else f"{one.confidence:.2f}"
        about = f"<small>right: {escape(gold)}; confidence {confidence}</small><pre>{escape(one.text or '')}</pre>"
        parts.append(f"<blockquote>{escape(item.narrative)}<br>{about}</blockquote>")
    return Page("".join(parts) or "<p>None.</p>", 60 + 210 * len(parts))


def _bars(counts: Sequence[tuple[str, int]], title: str) -> Page:
    total = sum(n for _, n in counts) or 1
    chart = bars([(name, float(n), f"{n:,}  ({percent(n / total)})") for name, n in counts], 330, title)
    return Page(figure(chart, title), 60 + 24 * len(counts))


def _title(book: CodeBook, code_type: str, code: str) -> str:
    entry = book.find(code_type, code)
    return entry.title if entry else ""
