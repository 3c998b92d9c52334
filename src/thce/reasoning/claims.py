"""Check the single claims of a trace against the narrative and the code tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from thce.answers import CODE_TYPES, Code, Parsed
from thce.capitals import small
from thce.reasoning import grammar, words
from thce.reasoning.facets import NEGATOR, ORGANISMS, is_other, is_unspecified, stated_thing, thing_cue
from thce.reasoning.grammar import ANSWER, DECISIONS, EVIDENCE, EXCLUSION, PLACEMENT, REASON, REASONS, Bullet
from thce.reasoning.knowledge import Knowledge
from thce.reasoning.values import BY_NAME, VALUES

SUPPORTED, UNSUPPORTED, NOT_CHECKABLE = "supported", "unsupported", "not checkable"


@dataclass(frozen=True, slots=True)
class Claim:
    """One bullet: its kind, its text, whether it is supported, and if not why."""

    kind: str
    text: str
    status: str
    reason: str = ""


@lru_cache(maxsize=8)
def _asserted(narrative: str) -> tuple[str, frozenset[str]]:
    text = words.asserted(narrative)
    return text, words.roots(text)


class Checker:
    """The claims of one completion against one narrative."""

    def __init__(self, narrative: str, parsed: Parsed, facts: Knowledge) -> None:
        self.narrative = small(narrative)
        self.shouted = self.narrative != narrative
        self.parsed = parsed
        self.facts = facts
        self.evidence: list[str] = []

    def claims(self, lines: list[str], bullets: list[Bullet | None]) -> Iterator[Claim]:
        """One claim per bullet; a group of bullets is judged by the code it names."""
        self.evidence = [bullet["quote"] for bullet in bullets if bullet and bullet.kind == EVIDENCE]
        for number, group in enumerate(grammar.groups(bullets)):
            named = (bullet["code"] for at in group if (bullet := bullets[at]) is not None and bullet.kind == ANSWER)
            yield from self._group([(lines[at], bullets[at]) for at in group], number, next(named, ""))

    def decides(self, code: Code, bullet: Bullet, quotes: list[str]) -> bool:
        """Whether a deciding bullet on a code holds, of which `quotes` are the quoted evidence."""
        return bullet.kind in (*DECISIONS, EXCLUSION) and not _RULES[bullet.kind](self, code, bullet, quotes)

    def _group(self, group: list[tuple[str, Bullet | None]], number: int, concluded: str) -> Iterator[Claim]:
        code = self._code(number, concluded)
        quotes = [bullet["quote"] for _, bullet in group if bullet and bullet.kind == EVIDENCE]
        for line, bullet in group:
            if bullet is None:
                yield Claim("other text", line, UNSUPPORTED, "not a claim of the grammar")
                continue
            if bullet.kind == ANSWER:
                problem: str | None = self._conclusion(number, concluded)
            elif bullet.kind == REASON:
                problem = self._reason(bullet)
            elif code is None:
                problem = "no code is named"
            else:
                problem = _RULES[bullet.kind](self, code, bullet, quotes)
            if problem is None:
                yield Claim(bullet.kind, line, NOT_CHECKABLE, "only a reader can tell")
            else:
                yield Claim(bullet.kind, line, UNSUPPORTED if problem else SUPPORTED, problem)

    def _code(self, number: int, concluded: str) -> Code | None:
        """The code a group is about: the answer's, or any table's that knows it."""
        if not concluded:
            return None
        for code in self.parsed.codes[number : number + 1] + self.parsed.codes:
            if code.code == concluded:
                return code
        for code_type in CODE_TYPES:
            if self.facts.book.find(code_type, concluded):
                return Code(code_type, concluded)
        return None

    def _conclusion(self, number: int, concluded: str) -> str:
        if self.parsed.none:
            return f"concludes {concluded}, the answer is none" if concluded else ""
        if number >= len(self.parsed.codes):
            return "the answer has no such code"
        expected = self.parsed.codes[number].code
        return "" if concluded == expected else f"concludes {concluded or 'none'}, the answer is {expected}"

    def _quoted(self, quote: str) -> Iterator[tuple[int, int]]:
        return words.places(self.narrative, quote.lower() if self.shouted else quote)

    def _spared(self, quote: str) -> str:
        """The narrative without the other items that the trace quotes as evidence."""
        others = [other for other in self.evidence if other != quote and quote not in other]
        return (
            words.spare(self.narrative, (spot for other in others for spot in self._quoted(other)))
            if others
            else self.narrative
        )

    def _evidence(self, code: Code, bullet: Bullet, quotes: list[str]) -> str:
        quote = bullet["quote"]
        places = list(self._quoted(quote))
        if not places:
            return "not in the text"
        if not words.is_evidence(quote):
            return "says nothing"
        entry = self.facts.book.find(code.code_type, code.code)
        title = entry.title.lower() if entry else ""
        text = self._spared(quote)
        denials = [words.denial(text, *place) for place in places]
        # a family-history code rests on what a relative had, a "not carried out" code on what was not done
        # a suspicion is no diagnosis (Guidelines IV.H), but it is what a test is ordered for
        opening = words.opens_with_denial(quote) if code.code_type == "ICD10" else ""
        if opening and not allows(title, opening):
            return f"the words themselves say otherwise ({opening.replace('_', ' ')})"
        if all(denial and not allows(title, denial) for denial in denials):
            return f"the text says otherwise ({denials[0].replace('_', ' ')})"
        return ""

    def _reason(self, bullet: Bullet) -> str | None:
        quote, wanted = bullet["quote"], REASONS[bullet.reason]
        places = list(self._quoted(quote))
        if not places:
            return "not in the text"
        if not words.is_evidence(quote):
            return "says nothing"
        if not wanted:
            return None
        for start, end in places:
            found = words.denial(self.narrative, start, end)
            inside = words.says(quote, wanted)
            if found == wanted or inside:
                return ""
        return f"nothing in the text says so ({wanted.replace('_', ' ')})"

    def _placement(self, code: Code, bullet: Bullet, quotes: list[str]) -> str:
        label = bullet["label"]
        known = self.facts.labels(code.code_type, code.code)
        if label not in known:
            return f"not a place of {code.code} in the table"
        level = bullet["level"]
        if level and level != _level(code.code_type, label, code.code):
            return f"is not a {level.lower()}"
        return ""

    def _value(self, code: Code, bullet: Bullet, quotes: list[str]) -> str:
        quote, name = bullet["quote"], bullet["value"]
        if not any(_holds(evidence, quote) for evidence in quotes):
            return "the words are not in the quoted evidence"
        preposition, _, thing = name.partition(" ")
        if (preposition, thing) in self.facts.joined(code.code_type, code.code):
            if not thing_cue(thing).search(quote):
                return f"the words do not mention {thing}"
            negated = bool(NEGATOR.search(quote))
            return "" if negated == (preposition == "without") else f"the words do not say {preposition} {thing}"
        return self._facet(code, name, quote)

    def _stated(self, code: Code, bullet: Bullet, quotes: list[str]) -> str:
        """As `_value`, of all the quoted evidence together: it states the value and, of a facet, no other."""
        name = bullet["value"]
        preposition, _, thing = name.partition(" ")
        if (preposition, thing) in self.facts.joined(code.code_type, code.code):
            said = any(stated_thing(evidence, preposition, thing) for evidence in quotes)
            return "" if said else f"the words do not say {preposition} {thing}"
        return self._facet(code, name, "; ".join(quotes))

    def _facet(self, code: Code, name: str, text: str) -> str:
        """Why a text does not state a facet's value that sets the code apart; empty where it does."""
        value = BY_NAME.get(name)
        if value is None:
            return "no such value"
        if value not in self.facts.values(code.code_type, code.code):
            return f"does not set {code.code} apart"
        own = [match.span() for match in value.cue.finditer(text)]
        if not own:
            return "the words do not say so"
        others = [other for other in VALUES if other.facet == value.facet and not _within(value.name, other.name)]
        # "right and left" means both sides, though each is named in it
        if any(not _inside(match.span(), own) for other in others for match in other.cue.finditer(text)):
            return "the words say something else too"
        return ""

    def _absent(self, code: Code, bullet: Bullet, quotes: list[str]) -> str:
        thing = bullet["thing"]
        entry = self.facts.book.find(code.code_type, code.code)
        if bullet["tail"] and not (entry and is_unspecified(entry.title)):
            return f"{code.code} is not an unspecified code"
        text, stated = _asserted(self.narrative)
        if ("without", thing) in self.facts.joined(code.code_type, code.code) and thing != "complications":
            return f"the text mentions {thing}" if _unless_negated(thing_cue(thing), text) else ""
        if thing not in self.facts.axes(code.code_type, code.code):
            return f"{code.code} does not leave {thing} open"
        found = sorted(stated & self.facts.specific(code.code_type, code.code))
        if found:
            return f"the text says `{found[0]}`"
        if thing == "organism" and ORGANISMS.search(text):
            return "the text names an organism"
        if thing == "side" and any(value.cue.search(text) for value in VALUES if value.facet == "side"):
            return "the text names a side"
        return ""

    def _other(self, code: Code, bullet: Bullet, quotes: list[str]) -> str:
        entry = self.facts.book.find(code.code_type, code.code)
        if entry is None or code.code_type != "ICD10" or not is_other(entry.title):
            return f"{code.code} is not a residual code"
        found = sorted(_asserted(self.narrative)[1] & self.facts.specific(code.code_type, code.code))
        return f"the text says `{found[0]}`" if found else ""

    def _contrast(self, code: Code, bullet: Bullet, quotes: list[str]) -> str:
        quote, other = bullet["quote"], bullet["other"]
        if not any(_holds(evidence, quote) for evidence in quotes):
            return "the words are not in the quoted evidence"
        if not self.facts.in_family(code.code_type, code.code, other):
            return f"{other} is no neighbour of {code.code}"
        here = self._title_roots(code.code_type, code.code)
        there = self._title_roots(code.code_type, other)
        told = words.roots(quote)
        if not told or not told <= here:
            return f"the words are not in the title of {code.code}"
        return f"the words are in the title of {other} too" if told & there else ""

    def _lack(self, code: Code, bullet: Bullet, quotes: list[str]) -> str:
        word, other = bullet["word"], bullet["other"]
        if not self.facts.in_family(code.code_type, code.code, other):
            return f"{other} is no neighbour of {code.code}"
        told = words.roots(word)
        there = self._title_roots(code.code_type, other)
        if not told or not told <= there:
            return f"the words are not in the title of {other}"
        if told & self.facts.own(code.code_type, code.code):
            return f"the words are in the title of {code.code} too"
        text, stated = _asserted(self.narrative)
        if told & stated or any(value.cue.search(text) for value in VALUES if value.title.search(word)):
            return "the text does state it"
        return ""

    def _range(self, code: Code, bullet: Bullet, quotes: list[str]) -> str:
        quote = bullet["quote"]
        known = self.facts.range(code.code_type, code.code)
        if not any(_holds(evidence, quote) for evidence in quotes):
            return "the words are not in the quoted evidence"
        if known is None or bullet["range"] != known[0]:
            return f"{code.code} has no such range"
        if not re.fullmatch(r"\d{1,3}(?:\.\d{1,3})?", quote):
            return "not a number"
        return "" if known[1] <= float(quote) <= known[2] else "outside the range"

    def _exclusion(self, code: Code, bullet: Bullet, quotes: list[str]) -> str:
        note = bullet["note"]
        if note not in self.facts.excludes1(code.code_type, code.code):
            return f"no such Excludes1 note at {code.code}"
        told = words.roots(re.sub(r"\([^)]*\)", "", note)) - self.facts.own(code.code_type, code.code)
        return "the text states what is excluded" if told and told <= _asserted(self.narrative)[1] else ""

    def _title_roots(self, code_type: str, code: str) -> frozenset[str]:
        return self.facts.title_roots(code_type, code)


_RULES: dict[str, Callable[[Checker, Code, Bullet, list[str]], str]] = {
    EVIDENCE: Checker._evidence,
    PLACEMENT: Checker._placement,
    "value": Checker._value,
    "stated": Checker._stated,
    "absent": Checker._absent,
    "other": Checker._other,
    "contrast": Checker._contrast,
    "lack": Checker._lack,
    "range": Checker._range,
    EXCLUSION: Checker._exclusion,
}


def _holds(text: str, quote: str) -> bool:
    return next(words.places(text, quote), None) is not None


def _unless_negated(cue: re.Pattern[str], text: str) -> bool:
    """Whether the thing stands in the text without a negation just before it."""
    return any(not NEGATOR.search(text[max(0, match.start() - 12) : match.start()]) for match in cue.finditer(text))


def allows(title: str, denial: str) -> bool:
    """A code whose own title speaks of a family, a refusal or a suspicion is not contradicted by such a word."""
    allowed = {
        "family": ("family history",),
        "denied": (
            "without",
            "not carried out",
            "noncompliance",
            "ruled out",
            "negative",
            "refusal",
            "unvaccinated",
            "absence",
            "no ",
        ),
        "ruled_out": ("ruled out", "suspected", "exposure", "screening", "test"),
        "not_done": ("not carried out", "noncompliance", "absence"),
        "carried": ("history",),
    }
    return any(word in title for word in allowed[denial])


def _inside(span: tuple[int, int], spans: list[tuple[int, int]]) -> bool:
    """Whether a span is a part of one of `spans`, and not all of it."""
    return any(start <= span[0] and span[1] <= end and (start, end) != span for start, end in spans)


def _within(inner: str, outer: str) -> bool:
    """The wordings of one value may hold those of another: "acute on chronic" holds both, "3a" holds "3"."""
    return outer in inner or inner == outer


def _level(code_type: str, label: str, code: str) -> str:
    if code_type != "ICD10":
        return "Section"
    head = label.split(" ", 1)[0]
    if head == "chapter":
        return "Chapter"
    if "-" in head:
        return "Block"
    return "Category" if len(head) == 3 else "Subcategory"
