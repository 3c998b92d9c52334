"""Check a whole trace: its form, its claims, its answer. No other model judges, and the gold code is not known here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from thce import answers
from thce.answers import Parsed
from thce.codes.book import CodeBook
from thce.reasoning import grammar
from thce.reasoning.claims import NOT_CHECKABLE, SUPPORTED, UNSUPPORTED, Checker, Claim
from thce.reasoning.grammar import ANSWER, DECISIONS, EVIDENCE, EXCLUSION, PLACEMENT, REASON, Bullet
from thce.reasoning.knowledge import knowledge

__all__ = ["NOT_CHECKABLE", "PARTS", "SUPPORTED", "UNSUPPORTED", "Claim", "Verdict", "count_tokens", "verify"]

PARTS = ("format", "evidence", "placement", "decision", "answer", "length")
"""The parts of a verdict, in the order of `Verdict.parts`."""

TOKENS_FIRST = 90
TOKENS_MORE = 40
"""Words and punctuation marks a trace may have: for one code (or none), and for each further code."""

_MAX_BULLETS = 40
_MAX_TEXT = 100_000
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `faithful` needs every part; `score` is the mean of the parts, 0 without a readable answer.

    `format`: think tags, one claim per bullet, in order, none twice. `evidence`: quotes stand in the text and nothing
    there denies them. `placement`: the table's own path. `decision`: what is said to decide agrees with title and text.
    `answer`: the trace concludes the codes of the answer, in order; they are billable and carry their official
    descriptions. `length`: short enough.
    """

    claims: tuple[Claim, ...]
    format: bool
    evidence: bool
    placement: bool
    decision: bool
    answer: bool
    length: bool
    score: float
    faithful: bool

    @property
    def parts(self) -> tuple[bool, ...]:
        """The six parts in the order of `PARTS`."""
        return self.format, self.evidence, self.placement, self.decision, self.answer, self.length


def verify(narrative: str, text: str, book: CodeBook) -> Verdict:
    """Judge the completion `text` for `narrative`; never raises, linear in both texts, does not know the right
    answer. A note in capitals may be quoted as it is written or in small letters.
    """
    if len(text) > _MAX_TEXT or len(narrative) > _MAX_TEXT:
        return Verdict((), False, False, False, False, False, False, 0.0, False)
    parsed = answers.parse(text)
    if parsed.reasoning is None:
        right = parsed.well_formed and _answer_right(parsed, book)
        return Verdict((), False, False, False, False, right, True, round(right / len(PARTS), 6), False)
    lines = parsed.reasoning.split("\n")
    bullets = [grammar.read(line) for line in lines[:_MAX_BULLETS]]
    check = Checker(narrative, parsed, knowledge(book))
    claims = tuple(check.claims(lines, bullets))
    limit = TOKENS_FIRST + TOKENS_MORE * max(0, len(parsed.codes) - 1)
    short = len(lines) <= _MAX_BULLETS and _at_most(parsed.reasoning, limit)
    format_ok = parsed.well_formed and len(lines) <= _MAX_BULLETS and _in_order(bullets)
    evidence, placement, decision, concluded = (
        all(claim.status != UNSUPPORTED for claim in claims if claim.kind in kinds) and _complete(bullets, parsed, kinds)
        for kinds in ((EVIDENCE, REASON), (PLACEMENT,), (*DECISIONS, EXCLUSION), (ANSWER,))
    )
    answer = parsed.well_formed and concluded and _answer_right(parsed, book)
    parts = (format_ok, evidence, placement, decision, answer, short)
    score = round(sum(parts) / len(PARTS), 6) if parsed.well_formed else 0.0
    return Verdict(claims, *parts, score, all(parts))


def _at_most(text: str, limit: int) -> bool:
    return all(number <= limit for number, _ in enumerate(_TOKEN.finditer(text), 1))


def count_tokens(text: str) -> int:
    """Words and punctuation marks of a trace, as `Verdict.length` counts them."""
    return sum(1 for _ in _TOKEN.finditer(text))


def _answer_right(parsed: Parsed, book: CodeBook) -> bool:
    """Every answered code is billable and stands with its official description; an explicit NONE is right as it is."""
    if parsed.none:
        return True
    for code, description in zip(parsed.codes, parsed.descriptions, strict=True):
        entry = book.find(code.code_type, code.code)
        if entry is None or not entry.billable or entry.short_title != description:
            return False
    return bool(parsed.codes)


_RANK = {EVIDENCE: 0, REASON: 0, PLACEMENT: 1, ANSWER: 2, **dict.fromkeys(DECISIONS, 3), EXCLUSION: 3}
_MOST = (3, 1, 1, 3)
"""Bullets of each rank that one code may have at most."""


def _in_order(bullets: list[Bullet | None]) -> bool:
    """Evidence, placement, code, decisions: in this order in each group, nothing unreadable, nothing said twice."""
    for group in grammar.groups(bullets):
        own = [bullet for number in group if (bullet := bullets[number]) is not None]
        ranks = [_RANK[bullet.kind] for bullet in own]
        if len(own) < len(group) or ranks != sorted(ranks) or any(own.count(bullet) > 1 for bullet in own):
            return False
        if _RANK[ANSWER] not in ranks or any(ranks.count(rank) > most for rank, most in enumerate(_MOST)):
            return False
    return bool(bullets)


def _complete(bullets: list[Bullet | None], parsed: Parsed, kinds: tuple[str, ...]) -> bool:
    """Every code of the answer has its evidence, its place and its conclusion; a NONE answer has its reason."""
    if kinds[0] in DECISIONS:
        return True
    wanted = max(1, len(parsed.codes))
    none = parsed.none
    if kinds == (PLACEMENT,):
        return sum(1 for bullet in bullets if bullet and bullet.kind == PLACEMENT) == (0 if none else wanted)
    if kinds == (ANSWER,):
        return sum(1 for bullet in bullets if bullet and bullet.kind == ANSWER) == wanted
    reasons = sum(1 for bullet in bullets if bullet and bullet.kind == REASON)
    if none:
        return reasons > 0 and not any(bullet and bullet.kind == EVIDENCE for bullet in bullets)
    groups = ({bullet.kind for at in group if (bullet := bullets[at])} for group in grammar.groups(bullets))
    return sum(group >= {EVIDENCE, ANSWER} for group in groups) == wanted and not reasons
