"""What the tables say about one code and those around it, worked out once per code and kept."""

from __future__ import annotations

from functools import cached_property, lru_cache
from re import compile as pattern

from thce.codes.book import CodeBook, Entry
from thce.reasoning.facets import FAMILY_AXES, NAMED_AXES, is_unspecified, joined
from thce.reasoning.values import BY_NAME, VALUES, Value
from thce.reasoning.words import roots

Pair = tuple[str, str]
_BLOCK_SUFFIX = pattern(r" \([A-Z0-9]+-[A-Z0-9]+\)$")
_RANGE = pattern(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")


class Knowledge:
    """Derived facts over a `CodeBook`; every answer is computed once."""

    def __init__(self, book: CodeBook) -> None:
        self.book = book
        self._categories: dict[Pair, Entry | None] = {}
        self._family: dict[Pair, tuple[Entry, ...]] = {}
        self._family_codes: dict[Pair, frozenset[str]] = {}
        self._specific: dict[Pair, frozenset[str]] = {}
        self._own: dict[Pair, frozenset[str]] = {}
        self._values: dict[Pair, tuple[Value, ...]] = {}
        self._shared: dict[tuple[str, str, str], float] = {}
        self._axes: dict[Pair, tuple[str, ...]] = {}
        self._labels: dict[Pair, tuple[str, ...]] = {}
        self._excludes: dict[Pair, frozenset[str]] = {}
        self._titles: dict[Pair, frozenset[str]] = {}

    @cached_property
    def scope_codes(self) -> frozenset[Pair]:
        """(code type, code) of everything in scope."""
        return frozenset((entry.code_type, entry.code) for entry in self.book.scope)

    def category(self, code_type: str, code: str) -> Entry | None:
        """The three-character category of an ICD-10-CM code, the section of a CPT or HCPCS code."""
        pair = (code_type, code)
        if pair not in self._categories:
            wanted = "category" if code_type == "ICD10" else "section"
            self._categories[pair] = next((entry for entry in self.book.path(*pair) if entry.level == wanted), None)
        return self._categories[pair]

    def family(self, code_type: str, code: str) -> tuple[Entry, ...]:
        """The billable codes a code must be told from, in tabular order, without itself.

        ICD-10-CM: its category, and the codes in scope of its block; CPT and HCPCS: codes of its section that share a
        telling word of the title.
        """
        pair = (code_type, code)
        if pair not in self._family:
            self._family[pair] = self._find_family(code_type, code)
            self._family_codes[pair] = frozenset(entry.code for entry in self._family[pair])
        return self._family[pair]

    def _find_family(self, code_type: str, code: str) -> tuple[Entry, ...]:
        category = self.category(code_type, code)
        if category is None:
            return ()
        if code_type != "ICD10":
            own = self.own(code_type, code)
            return tuple(
                entry
                for entry in self.book.children(code_type, category.code)
                if entry.code != code and own & roots(entry.title)
            )
        below = self.book.billable_codes_below(code_type, category.code)
        found = [entry for other in below if other != code and (entry := self.book.find(code_type, other))]
        seen = {entry.code for entry in found}
        for entry in self.book.scope:
            if entry.code_type == code_type and entry.code != code and entry.code not in seen:
                other = self.category(code_type, entry.code)
                if other is not None and other.parent == category.parent:
                    found.append(entry)
        return tuple(found)

    def in_family(self, code_type: str, code: str, other: str) -> bool:
        """Whether `other` is a code that `code` must be told from."""
        self.family(code_type, code)
        return other in self._family_codes[code_type, code]

    def own(self, code_type: str, code: str) -> frozenset[str]:
        """Roots of the words of the code's own title and inclusion terms, and of the titles above it."""
        pair = (code_type, code)
        if pair not in self._own:
            texts = [entry.title for entry in self.book.path(code_type, code)[-4:] if entry.level != "section"]
            self._own[pair] = roots(" ".join([*texts, *self.book.terms(code_type, code)]))
        return self._own[pair]

    def title_roots(self, code_type: str, code: str) -> frozenset[str]:
        """Roots of the telling words of a code's title alone."""
        pair = (code_type, code)
        if pair not in self._titles:
            entry = self.book.find(code_type, code)
            self._titles[pair] = roots(entry.title) if entry else frozenset()
        return self._titles[pair]

    def specific(self, code_type: str, code: str) -> frozenset[str]:
        """Roots of words that speak for a more specific code of the category instead of this one."""
        pair = (code_type, code)
        if pair not in self._specific:
            category = self.category(code_type, code)
            same = category.code if category else ""
            texts: list[str] = []
            for entry in self.family(code_type, code):
                if code_type != "ICD10" or entry.code.startswith(same):
                    texts.append(entry.title)
                    texts.extend(self.book.terms(code_type, entry.code))
            self._specific[pair] = roots(" ".join(texts)) - self.own(code_type, code)
        return self._specific[pair]

    def values(self, code_type: str, code: str) -> tuple[Value, ...]:
        """The facet values of a code's title that some code of its family does not share."""
        pair = (code_type, code)
        if pair not in self._values:
            entry = self.book.find(code_type, code)
            title = entry.title if entry else ""
            own = [value for value in VALUES if value.title.search(title)]
            facets = [value.facet for value in own]
            self._values[pair] = tuple(
                value
                for value in own
                if facets.count(value.facet) == 1
                and any(not value.title.search(other.title) for other in self.family(code_type, code))
            )
        return self._values[pair]

    def shared(self, code_type: str, code: str, name: str) -> float:
        """The share of a code's family whose titles have the value `name`, a facet's or "with ..." or "without ...", too."""
        key = (code_type, code, name)
        if key not in self._shared:
            family = self.family(code_type, code)
            value = BY_NAME.get(name)
            preposition, _, thing = name.partition(" ")
            have = sum(
                1
                for other in family
                if (value.title.search(other.title) if value else (preposition, thing) in joined(other.title))
            )
            self._shared[key] = have / max(1, len(family))
        return self._shared[key]

    def joined(self, code_type: str, code: str) -> tuple[tuple[str, str], ...]:
        """("with" or "without", thing) pairs of an ICD-10-CM title."""
        entry = self.book.find(code_type, code) if code_type == "ICD10" else None
        return joined(entry.title) if entry else ()

    def axes(self, code_type: str, code: str) -> tuple[str, ...]:
        """What an "unspecified" or "uncomplicated" code leaves open, most telling first; empty for any other code."""
        pair = (code_type, code)
        if pair not in self._axes:
            self._axes[pair] = self._find_axes(code_type, code)
        return self._axes[pair]

    def _find_axes(self, code_type: str, code: str) -> tuple[str, ...]:
        entry = self.book.find(code_type, code)
        if entry is None:
            return ()
        title = entry.title
        found: list[str] = []
        if is_unspecified(title):
            found = [noun for noun, named in NAMED_AXES if named.search(title)]
            if not found:
                category = self.category(code_type, code)
                siblings = [
                    other.title for other in self.family(code_type, code) if category and other.code.startswith(category.code)
                ]
                found = [
                    noun
                    for noun, cue in FAMILY_AXES
                    if not cue.search(title) and sum(1 for other in siblings if cue.search(other)) * 3 >= len(siblings) > 0
                ]
            found.append("type")
        if title.endswith("uncomplicated") or "without complications" in title:
            found.insert(0, "complication")
        return tuple(dict.fromkeys(found))

    def labels(self, code_type: str, code: str) -> tuple[str, ...]:
        """Every true placement of a code, as a trace may write it; the first is the most informative short one."""
        pair = (code_type, code)
        if pair not in self._labels:
            self._labels[pair] = self._find_labels(code_type, code)
        return self._labels[pair]

    def _find_labels(self, code_type: str, code: str) -> tuple[str, ...]:
        path = self.book.path(code_type, code)
        if not path:
            return ()
        if code_type == "CPT":
            return tuple(entry.short_title for entry in path if entry.level == "section")
        if code_type == "HCPCS":
            return tuple(f"{entry.code} {entry.short_title}" for entry in path if entry.level == "section")
        blocks = [entry for entry in path if entry.level == "block" and entry.code.split("-")[0] != entry.code.split("-")[-1]]
        inner = [entry for entry in path[:-1] if entry.level in ("category", "subcategory")]
        found: list[str] = []
        for entry in inner:
            name = f"{entry.code} {entry.short_title}"
            found += [f"{name} ({block.code})" for block in reversed(blocks)] + [
                name,
                f"{name} (chapter {path[0].code})",
            ]
        for block in reversed(blocks):
            name = f"{block.code} {_BLOCK_SUFFIX.sub('', block.title)}"
            found += [name, f"{name} (chapter {path[0].code})"]
        # a billable category of a chapter without blocks of its own kind (Z23, R21) still has its chapter
        found.append(f"chapter {path[0].code} {_BLOCK_SUFFIX.sub('', path[0].title)}")
        return tuple(found)

    def excludes1(self, code_type: str, code: str) -> frozenset[str]:
        """The texts of the Excludes1 notes at the code and above it (Guidelines I.A.12.a)."""
        pair = (code_type, code)
        if pair not in self._excludes:
            notes = self.book.notes(code_type, code).excludes1 if code_type == "ICD10" else ()
            self._excludes[pair] = frozenset(note.text for note in notes)
        return self._excludes[pair]

    def range(self, code_type: str, code: str) -> tuple[str, float, float] | None:
        """The numeric range a title names, as written and as numbers: body mass index codes."""
        entry = self.book.find(code_type, code)
        match = _RANGE.search(entry.title) if entry and code_type == "ICD10" else None
        return (match[0], float(match[1]), float(match[2])) if match else None


@lru_cache(maxsize=4)
def knowledge(book: CodeBook) -> Knowledge:
    """The facts of one book, kept as long as the book is in use."""
    return Knowledge(book)
