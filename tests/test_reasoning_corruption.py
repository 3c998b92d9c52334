"""Make one claim of a built trace false, in every way for every kind of claim: the verifier must notice each time."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from codes_tables import book
from reasoning_rows import SEED, all_rows

from thce.reasoning import grammar, verify
from thce.reasoning.build import completion, decisions, quotable
from thce.reasoning.grammar import Bullet
from thce.reasoning.knowledge import Knowledge, knowledge
from thce.reasoning.values import BY_NAME, VALUES
from thce.reasoning.words import root

pytestmark = pytest.mark.unit

Pair = tuple[str, str]
STRANGER = "zzyzx"


def pointed(row: dict[str, Any], text: str) -> str:
    """The completion with the words that state a value quoted beside it, as the coder writes it."""
    lines = text.split("\n")
    for at, line in enumerate(lines):
        bullet = grammar.read(line)
        if bullet is not None and bullet.kind == "stated":
            item, quote = row["codes"][0], quotable(row["narrative"], row["evidence"][0])
            made = decisions(row["narrative"], quote, (item["code_type"], item["code"]), knowledge(book()))
            read = [(other, found) for other in made if (found := grammar.read(other)) and found.kind == "value"]
            lines[at] = next(other for other, found in read if found["value"] == bullet["value"])
    return "\n".join(lines)


def corruptions(row: dict[str, Any], text: str) -> Iterator[tuple[str, str, str]]:
    """(what was made false, narrative, completion), one change each."""
    lines = text.split("\n")
    number = 0
    facts = knowledge(book())
    for at, line in enumerate(lines):
        bullet = grammar.read(line)
        if bullet is None:
            continue
        pair = ("", "")
        if row["codes"]:
            item = row["codes"][number]
            pair = (item["code_type"], item["code"])
        for name, changed in _changed(line, bullet, pair, facts, row):
            yield f"{bullet.kind}: {name}", row["narrative"], "\n".join([*lines[:at], changed, *lines[at + 1 :]])
        if len(row["codes"]) == 1:
            for name, more in _contradicted(bullet, pair, facts):
                yield f"{bullet.kind}: {name}", f"{row['narrative']}\n{more}.", text
        number += bullet.kind == grammar.ANSWER and number + 1 < len(row["codes"])


def _changed(line: str, bullet: Bullet, pair: Pair, facts: Knowledge, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The bullet with one field made false."""

    def swap(field: str, value: str) -> str:
        old = bullet[field]
        return value.join(line.rsplit(old, 1)) if field != "quote" else line.replace(f'"{old}"', f'"{value}"')

    kind = bullet.kind
    if "quote" in bullet.fields:
        yield "words that are not in the text", swap("quote", f"{bullet['quote']} {STRANGER}")
        yield "look-alike letter", swap("quote", bullet["quote"][:-1] + "\u0430")
    if kind == grammar.PLACEMENT:
        yield "title altered", line + " and others"
        yield (
            "place of another code",
            swap("label", "R00 Abnormalities of heart beat (R00-R09)" if pair[1][:3] != "R00" else "Surgery"),
        )
    if kind in ("value", "stated"):
        value = BY_NAME.get(bullet["value"])
        others = [other.name for other in VALUES if value and other.facet == value.facet and other is not value]
        for other in others:
            yield "another value", swap("value", other)
        if value is None:
            first, _, thing = bullet["value"].partition(" ")
            yield "the opposite", swap("value", f"{'with' if first == 'without' else 'without'} {thing}")
        yield "value of another code", swap("value", "in a group" if bullet["value"] != "in a group" else "left side")
    if kind == "absent":
        wrong = next(noun for noun in ("ligament", "trimester", "stage") if noun not in facts.axes(*pair))
        yield "another thing left open", swap("thing", wrong)
    if kind in ("contrast", "lack"):
        yield "not against a neighbour", swap("other", "T88.9XXA" if pair[0] == "ICD10" else "99999")
        yield "against itself", swap("other", pair[1])
    if kind == "lack":
        own = re.search(r"[^\W\d_]{4,}", book().find(*pair).title)  # type: ignore[union-attr]
        assert own is not None
        yield "a word of its own title", swap("word", own[0])
    if kind == "range":
        yield "another range", swap("range", "1.0-1.9")
    if kind == grammar.EXCLUSION:
        yield "note altered", line + " too"
    if kind == grammar.ANSWER:
        yield "another code", re.sub(r"\S+$", "Z99.89" if bullet["code"] else "I10", line)
        if bullet["code"]:
            yield "no code", re.sub(r"\S+$", "none", line)
    if kind == grammar.REASON and grammar.REASONS[bullet.reason]:
        yield "quote of something else", grammar.write(bullet.reason, 0, quote=STRANGER)
    if kind == "other":
        yield "unspecified instead", "- Decides: no trimester named, so unspecified"


def _contradicted(bullet: Bullet, pair: Pair, facts: Knowledge) -> Iterator[tuple[str, str]]:
    """Words that make the unchanged bullet false when the narrative says them too."""
    if bullet.kind == "lack":
        yield "the text states the word", f"Also {bullet['word']}"
    if bullet.kind == "other" or (bullet.kind == "absent" and bullet["thing"] in facts.axes(*pair)):
        words = sorted(word for word in facts.specific(*pair) if word.isalpha() and root(word) == word)
        if words:
            yield "the text states a more specific kind", f"Also {words[0]}"
    if bullet.kind == "absent" and ("without", bullet["thing"]) in facts.joined(*pair):
        yield "the text states it", f"Also {bullet['thing']}"


def test_every_single_false_claim_is_caught() -> None:
    tried: Counter[str] = Counter()
    for row in all_rows():
        plain = completion(row, book(), SEED)
        for text in dict.fromkeys((plain, pointed(row, plain))):
            assert verify(row["narrative"], text, book()).faithful, text
            for name, narrative, changed in corruptions(row, text):
                tried[name] += 1
                assert changed != text or narrative != row["narrative"], name
                assert not verify(narrative, changed, book()).faithful, f"{name}\n{narrative}\n{changed}"
    kinds = {name.split(":")[0] for name in tried}
    assert kinds >= {
        *grammar.DECISIONS,
        grammar.EVIDENCE,
        grammar.PLACEMENT,
        grammar.EXCLUSION,
        grammar.ANSWER,
        grammar.REASON,
    }
    assert sum(tried.values()) > 10_000


def test_every_change_to_the_frame_of_a_trace_is_caught() -> None:
    for row in all_rows()[::5]:
        text = completion(row, book(), SEED)
        trace, _, answer = text.partition("\n</think>\n")
        bullets = trace.removeprefix("<think>\n").split("\n")
        mandatory = [
            at for at, line in enumerate(bullets)
            if (bullet := grammar.read(line)) and bullet.kind not in (*grammar.DECISIONS, grammar.EXCLUSION)
        ]  # fmt: skip
        reasons = sum(1 for line in bullets if (bullet := grammar.read(line)) and bullet.kind == grammar.REASON)
        changed = [[*bullets[:at], *bullets[at + 1 :]] for at in mandatory if reasons < 2]
        changed += [
            [*bullets, bullets[0]],
            bullets[::-1],
            [*bullets[:1], *bullets],
            [*bullets[:-1], "- I am sure", bullets[-1]],
        ]
        texts = ["<think>\n" + "\n".join(lines) + f"\n</think>\n{answer}" for lines in changed]
        texts += [f"{trace}\n</think>", f"{trace}\n{answer}", answer, f"{text}\n{bullets[0]}", f"{text}\n{answer}"]
        for wrong in texts:
            assert not verify(row["narrative"], wrong, book()).faithful, f"{row['narrative']}\n{wrong}"


def test_a_trace_of_another_narrative_is_caught() -> None:
    rows = [row for row in all_rows() if row["codes"]][::3]
    for row, other in itertools.pairwise(rows):
        if all(item["text"] not in other["narrative"] for item in row["evidence"]):
            assert not verify(other["narrative"], completion(row, book(), SEED), book()).faithful
