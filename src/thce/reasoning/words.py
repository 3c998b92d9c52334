"""Words of narratives and titles, and what a sentence denies.

All functions are pure and take time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

_WORD = re.compile(r"[a-z0-9]+(?:\.\d+)?")
_SENTENCE = re.compile(r"(?:(?:(?<!\bvs)\.|[!;]|(?<=[^\s(:,])\?)(?=[\s\])\"]|$)|\n|(?<=\s)\d{1,2}\)(?=\s))+\s*")
_SUFFIXES = (
    "ations",
    "ation",
    "ating",
    "ated",
    "ings",
    "ing",
    "ies",
    "ity",
    "ied",
    "ed",
    "es",
    "al",
    "ic",
    "s",
    "y",
    "e",
)
_REACH = 200  # characters on either side of a quote that are searched for a denial

_STOP = (
    "a an and any are as at be by due each for from has have in into is it its less more nec no nor nos not of on or "
    "other per than that the their this through to under up use used using was with without elsewhere classified "
    "specified unspecified certain encounter type disease disorder condition level"
)
STOP = frozenset(_STOP.split())
"""Words that never tell one code from another: function words and the classification's own stock words."""

_FILLER = (
    "pt patient man woman male female year old yr yo who seen today here visit note dx diagnosis assessment plan exam "
    "history hx presents reports he she his her the and with for of a an to in on is was has"
)
FILLER = frozenset(_FILLER.split())
"""Words that are no evidence when nothing else is quoted."""

_KIN = (
    "mother|father|mom|mum|dad|sister|brother|aunt|uncle|grand(?:mother|father|parents?|ma|pa)|cousin|parents?|siblings?|"
    "half[- ](?:sister|brother)|niece|nephew|twin|son|daughter|relatives?"
)
_HOUSE = rf"{_KIN}|husband|wife|spouse"
_KIN_VERB = (
    "is|was|w/|with|has|had|have|got|reportedly|tx|treated|takes|known|dx|diagnosed|carrie[ds]|"
    "carries|suffer(?:s|ed)?|lives with|died|also|both|passed|deceased|developed|did have|struggle[sd]|battle[sd]"
)
_CLOSED = (
    r"(?=\W*$|\s*[,;:()]| (?:after|again|already|and|as|at|based|because|but|by|clinically|during|earlier|following|for|from|"
    r"given|in|later|now|on|or|pending|per|since|this|though|today|too|via|with)(?!\w))"
)
"""After a participle that ends its clause: "PE ruled out by CT" is about PE, "cough, ruled out PE" not about the cough."""

_NO_PSEUDO = (
    "change|significant change|interval change|increase|decrease|progression|growth|worsening|improvement|relief|response|"
    "doubt|question|mistake|difference|different"
)
_NOT_PSEUDO = (
    "only|just|simply|merely|necessarily|certain|sure|to mention|improv(?:ed|ing)|better|relieved|responding|controlled|"
    "well[- ]controlled|going away|gone|resolved|resolving"
)
_WITHOUT_PSEUDO = "difficulty|incident|change|improvement|relief|response|delay|further|issues?|problems?|complications?|doubt"
_WRONG_PLACE = r"(?:wrong|incorrect|another|different|other) (?:chart|patient|pt|person|record|encounter|account)(?:'s)?"
_OLD_NOTE = (
    r"(?:old|prior|previous|earlier|last|outdated) (?:visit |clinic |progress |problem )?"
    r"(?:note|list|chart|entry|encounter|template)s?"
)

_BEFORE = {
    "family": (
        rf"family|fam hx|fhx?|pedigree|runs on my|(?:has an?|two|three|several) (?:{_KIN})|"
        rf"(?:{_HOUSE})s?(?:'s side)?(?: (?:{_KIN_VERB})(?!\w)|:| -| \([^)]{{0,20}}\))|"
        rf"in (?:his |her |my |their )?(?:maternal |paternal )?(?:{_KIN}):?"
    ),
    "denied": (
        rf"no(?! (?:{_NO_PSEUDO})(?!\w))|not(?! (?:{_NOT_PSEUDO})(?!\w))|without(?! (?:{_WITHOUT_PSEUDO})(?!\w))|w/o|"
        r"den(?:y|ies|ied|ying)|(?<!gram )neg(?:ative)?(?! (?:pressure|predictive|balance))|-ve|absent|never|free of|"
        r"none|nor|"
        r"asked about|cannot exclude|nothing to suggest|nothing suggests|lacks|lack of (?:any|evidence)|absence of|nil|"
        r"fail(?:s|ed)? to (?:reveal|show|demonstrate)|(?:unable to|cannot) (?:find|detect|confirm|identify|demonstrate)|"
        r"unremarkable for|clear (?:of|for)|rather than|instead of|as opposed to|"
        r"(?:have|has|had)n['’]t (?:any|had|got|developed|noticed|seen)|"
        r"(?:do|does|did)n['’]t (?:have|show|reveal|suggest|demonstrate|see|find|think|support)|"
        r"(?:is|was|are|were)n['’]t (?:any|an?|the|from|due)"
    ),
    "ruled_out": (
        r"rul(?:es?|ed|ing)[ -](?:him |her |them |pt |(?:the )?patient )?out|(?:to|will|must|can|could) rule|r/o|"
        r"disprov(?:e[ds]?|en)|refute[ds]?|exclud(?:e|es|ed|ing)|(?<!no )(?<!without )doubt(?:s|ed|ful)?|"
        r"unlikely|unconfirmed|unproven|unverified|"
        r"possib(?:ly|le|ility of)|probabl[ey]|likely|presum(?:ed|es?|ably)|suspect(?:ed|s|ing)?|"
        r"suspicio(?:us for|n (?:of|for))|question(?:ed)? of|questionable|questions? (?:if|whether)|"
        r"(?<!coding )query(?! (?:answered|closed|opened|results?|response|reply)(?!\w))|queried|"
        r"wonder(?:s|ed|ing)? (?:if|whether|about)|previously questioned|concern(?:s|ed|ing)? (?:for|of|that)|"
        r"differential|ddx|vs(?! ?:)|versus|"
        r"compatible with|consistent with|suggestive of|appears to be|looks like|thinking (?:of|about)|"
        r"leading consideration|"
        r"worr(?:y|ied|ies) (?:about|for|that)|(?:may|might|could) (?:be|have|represent|reflect)|"
        r"(?:tentative|provisional|working|preliminary) (?:diagnosis|dx|impression)|"
        r"(?:evaluat(?:e|ed|ing|ion)|assess|work-?up|look(?:ing)?|watch|workup) (?:out )?for|"
        r"label of|mislabel(?:l?ed)?(?: as)?|misdiagnosed(?: as| with)?|mistaken for|so-called|supposed(?:ly)?|"
        r"alleged(?:ly)?|"
        r"(?:return|call|come back|go to the ed|wonders?|unsure|not sure|not certain) (?:if|whether)|in case of|"
        r"warned (?:about|of)|deleted after testing|entered in error"
    ),
    "not_done": (
        r"cancel(?:l?ed|l?ing|l?ation of)?|discontinu(?:e[ds]?|ing)|hold|void(?:ed)?|skip(?:ped)?|"
        r"advis(?:e|ed|ing) against|"
        r"decided against|order for|duplicate|removed from|did not get|not ordered|defer(?:red|ring)?|"
        r"postpon(?:e[ds]?|ing)|"
        r"declin(?:es|ed|ing)|refus(?:es|ed|ing)|(?:in|by) (?:error|mistake|accident)|mistaken(?:ly)?|erroneous(?:ly)?|"
        r"accidentally|line through|"
        r"mis-?(?:filed|keyed|entered|coded|charted|click(?:ed)?)|delet(?:e[ds]?|ing)|str(?:ike|iking|uck|icken)|"
        r"(?:cross|scratch)(?:ed)? out|retract(?:s|ed|ing)?|rescind(?:s|ed)?|revoke[ds]?|disregard|ignore|"
        rf"{_WRONG_PLACE}|(?:error|wrong|incorrect) entry|remove (?:the )?(?:diagnosis|dx|entry|order|line)"
    ),
    "carried": (
        r"copied|copy[- ](?:forward|paste)|cloned|old note|old entry|previous entry|last year's (?:note|list|chart)|"
        r"resolved|"
        rf"inactive|carr(?:ied|y|ying) (?:forward|over)|pulled (?:forward|in|over)|imported from|{_OLD_NOTE}|outdated|"
        rf"obsolete|"
        r"no longer (?:has|active|takes|needs|uses)"
    ),
}
_AFTER = {
    "denied": (
        r"absent (?:on|at|from|today)|is absent|none|(?:not|never) (?:actually |really |truly )?present|"
        r"(?:is|was|are|were|been|remains?|came back|returned|tested|screen(?:ed)?) (?:absent|negative|denied|nil)|"
        r"denied by|"
        r"den(?:y|ies|ied)(?=\W*$)|(?<=[:(])\s?(?:neg(?:ative)?|absent|nil|no|denied|denies)\)?(?=\W*$)|\(-\)|"
        r"not (?:seen|noted|detected|appreciated|evident|visuali[sz]ed|apparent|demonstrated|an issue|a problem|a concern)|"
        r"(?<!cause )not found(?=\W*$)|(?:is|was|are|were|been) not (?:found|observed|identified|reported|there|the case)"
    ),
    "family": (
        rf"runs (?:in|on)|in the family|"
        rf"(?:in|affected|affects) "
        rf"(?:(?:his|her|my|their|the|an?|both|two|several|maternal|paternal|older|younger) )*(?:{_KIN})s?|"
        rf"(?:\W{{1,2}})(?:{_KIN})\)?$|(?:by|per|as) family (?:history|hx)|family (?:history|hx) only|"
        r"(?:mother|father|maternal|paternal)(?:'s)? side"
    ),
    "ruled_out": (
        rf"(?:ruled|rules)[ -]out{_CLOSED}|excluded|not confirmed|not borne out|withdrawn|suspected{_CLOSED}|unproven|"
        r"not yet established|(?:not|never) (?:been |yet )?(?:confirmed|proven|proved|supported|substantiated|verified)|"
        r"not examined|will test|considered|"
        r"to be (?:checked|confirmed|determined|ruled)|awaiting (?:results|confirmation|biopsy)|visit booked|"
        r"work-up arranged|"
        r"follow-up as outpatient|(?:less |very |highly |felt |thought |deemed )?unlikely|doubtful|improbable|"
        r"disprov(?:ed|en)|refuted|dismissed|unconfirmed|unverified|questionable|queried|in question|"
        r"vs(?! ?:)|versus|"
        r"\(\?\)|(?:possible|probable|likely)(?=\W*$)|(?:is|remains?) (?:a |the )?(?:possib|consideration|concern)\w*|"
        r"(?:in|on) the differential|misdiagnos(?:is|ed)|wrong diagnosis|confirmation pending|did not pan out|"
        r"(?:may|might|could) be (?:present|brewing)|"
        r"pending (?:confirmation|work-?up|evaluation)|turned out not|cannot be (?:excluded|ruled out|confirmed)"
    ),
    "not_done": (
        r"written off|reversed|deferred|no longer needed|postponed|called off|cancell?ed|held off|void(?:ed)?|"
        r"left for a later|entered by mistake|removed|not (?:requested|done|needed|performed|indicated|required|"
        r"administered|dispensed|billed|carried out|completed|ordered|delivered|rendered|provided)|never (?:done|given|"
        r"performed|ordered|dispensed|delivered|happened|took place|carried out)|discontinued|declined|refused|aborted|"
        r"withheld|on hold|(?:in|by) (?:error|mistake|accident)|mistakenly|erroneously|accidentally|inadvertently|"
        r"mis-?(?:filed|keyed|entered|coded|charted)|"
        rf"{_WRONG_PLACE}|duplicate (?:entry|order|charge)|delet(?:ed|ion)|str(?:uck|icken)|(?:crossed|scratched) out|"
        rf"scratched from|"
        r"taken off (?:the|his|her|this)|scrapped|dropped|belongs to (?:another|someone|a different)|"
        r"retracted|rescinded|revoked|nullified|please (?:disregard|ignore|delete|remove)|"
        r"should (?:be |have been )?(?:removed|deleted|disregarded|ignored)|should not (?:be|have)|does not belong"
    ),
    "carried": (
        r"resolved|no longer (?:present|there|active|an issue|a problem|applies|relevant|current)|out of date|outdated|"
        r"obsolete|now "
        rf"gone|struck out|not (?:current|active)|(?:is|now|marked|status:) inactive|carried (?:forward|over|from)|"
        rf"(?:has|have) cleared|copied|"
        rf"pulled forward|from (?:an? |the )?{_OLD_NOTE}"
    ),
}
_TURN_CUES = (
    "but|however|although|nevertheless|except|apart from|aside from|now with|now has|presents? (?:today )?(?:with|for)|"
    "presenting (?:with|for)|here (?:today )?for|came in (?:for|with)|complain(?:s|ed|ing) of|c/o|(?<=, )positive for|"
    "found to have|does have|instead has"
)
_LINK = r"(?:\W+(?:was|were|is|are|has|have|had|been|it|this|that|then|later|now|since|soon|ultimately|subsequently)\b){0,3}"


def _cues(alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{alternatives})(?![\w-])", re.I)


BEFORE = {kind: _cues(cues) for kind, cues in _BEFORE.items()}
"""Cues that deny what follows them."""

AFTER = {kind: _cues(cues) for kind, cues in _AFTER.items()}
"""Cues that deny what stands before them."""

_TURN = re.compile(rf"\b(?:{_TURN_CUES})(?!\w)(?!{_LINK}\W+(?:{'|'.join(_AFTER.values())})(?![\w-]))", re.I)
"""Where a sentence turns to something else; "considered but ruled out" does not."""

_CAUSE = re.compile(r"\b(?:secondary to|due to|because of|caused by)\b", re.I)
"""The cause of what is absent is there: "no fever secondary to pneumonia"."""

_QUERY = re.compile(r"(?:^|(?<=[\s(:,]))\?\s?(?=[\w]|$)")
"""A question mark before a word: "?PE", "? early PE"."""


def words(text: str) -> list[str]:
    """The words of a text in order, lower case, without punctuation; a decimal number is one word."""
    return _WORD.findall(text.lower())


@lru_cache(maxsize=65_536)
def root(word: str) -> str:
    """A word without its commonest ending, so that `wheeled` and `wheels` are the same; at least four letters stay."""
    if word[-1:].isdigit():
        return word
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4 and not word.endswith(("ss", "us", "is")):
            return word[: -len(suffix)]
    return word


def roots(text: str) -> frozenset[str]:
    """The roots of the words that can tell codes apart."""
    told = ((word, root(word)) for word in words(text) if len(word) > 1 or word.isdigit())
    return frozenset(short for word, short in told if word not in STOP and short not in STOP)


def is_evidence(quote: str) -> bool:
    """A quote says something: a word that is neither a function word nor part of every note."""
    return sum(len(word) for word in words(quote) if word not in FILLER) >= 2


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of the sentences of a note; a line break ends one too, the point in `3.5` does not."""
    start = 0
    for match in _SENTENCE.finditer(text):
        if match.start() > start:
            yield start, match.start()
        start = match.end()
    if start < len(text):
        yield start, len(text)


def places(text: str, quote: str, limit: int = 20) -> Iterator[tuple[int, int]]:
    """Where a quote stands in the text as whole words; at most `limit` occurrences are looked at."""
    at = -1
    for _ in range(limit):
        at = text.find(quote, at + 1)
        if at < 0 or not quote:
            return
        end = at + len(quote)
        left = at == 0 or not (text[at - 1].isalnum() and quote[0].isalnum())
        right = end == len(text) or not (text[end].isalnum() and quote[-1].isalnum())
        if left and right:
            yield at, end


def around(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands in the same sentence before and after a span, at most `_REACH` characters on each side."""
    left, right = max(0, start - _REACH), min(len(text), end + _REACH)
    ends = [match.end() for match in _SENTENCE.finditer(text, left, start)]
    first = _SENTENCE.search(text, end, right)
    before = text[ends[-1] if ends else left : start]
    after = text[end : first.start() if first else right]
    turns = list(_TURN.finditer(before))
    turn = _TURN.search(after)
    return (before[turns[-1].end() :] if turns else before), (after[: turn.start()] if turn else after)


def denial(text: str, start: int, end: int) -> str:
    """Why the words of a span do not count: denied, family, ruled_out, not_done, carried; empty when nothing says so.

    A lexical test of the words before and after the span in its sentence, in the manner of NegEx.
    """
    return next(iter(denials(text, start, end)), "")


def denials(text: str, start: int, end: int) -> list[str]:
    """Every reason why the words of a span do not count, what stands before them first."""
    before, after = around(text, start, end)
    found = ["ruled_out"] if before.rstrip().endswith("?") or _QUERY.search(before) else []
    found += [kind for kind, cue in BEFORE.items() if cue.search(before)]
    if (
        "denied" in found
        and (causes := list(_CAUSE.finditer(before)))
        and not BEFORE["denied"].search(before[causes[-1].end() :])
    ):
        found.remove("denied")
    return found + [kind for kind, cue in AFTER.items() if cue.search(after)]


_OPENING = {
    "denied": r"den(?:y|ies|ied|ying)|neg(?:ative)? for|-ve for|no (?:evidence|signs?|history|hx|complaints?|indication) of|"
    r"absence of|free of|never had|lack of evidence|nothing to suggest|fail(?:s|ed)? to (?:reveal|show)",
    "family": r"family (?:history|hx)|fhx?|(?:mother|father|sister|brother|aunt|uncle|grandmother|grandfather|"
    r"cousin) (?:with|has|had|died)|(?:maternal|paternal) (?:history|hx|side)",
    "ruled_out": r"rul(?:es?|ed|ing)[ -]out|r/o|possible|possibly|probable|probably|suspected|suspect|questionable|query|"
    r"\?|concern(?:s|ed|ing)? for|worried about|presumed|suspicio(?:us for|n (?:of|for))|doubtful|unlikely|unconfirmed|"
    r"likely|ddx",
    "not_done": r"cancell?ed|discontinue|void(?:ed)?|deleted|struck|entered (?:in error|by mistake)|wrong (?:chart|patient)",
    "carried": r"copied from|old note|previous entry|carried (?:forward|over)|copy[- ]forward",
}
OPENING = {kind: re.compile(rf"(?:{cue})(?![\w-])", re.I) for kind, cue in _OPENING.items()}


def opens_with_denial(quote: str) -> str:
    """The kind of denial a quote itself begins with ("denies chest pain"); empty for none.

    Narrower than `denial`: "no bowel movement for five days" is a finding.
    """
    return next((kind for kind, cue in OPENING.items() if cue.match(quote)), "")


def spare(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with spans blanked, offsets kept: a cue inside one item of a list says nothing about the next item."""
    for start, end in spans:
        text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    return text


def asserted(text: str) -> str:
    """The text without what its sentences deny: from "denies" on, or all of a sentence such as "X was ruled out"."""
    return "\n".join(text[start:end] for start, end in asserted_spans(text))


@lru_cache(maxsize=256)  # one note is asked for several times in a row
def asserted_spans(text: str) -> tuple[tuple[int, int], ...]:
    """(start, end) of what each sentence asserts, possibly nothing."""
    found = []
    for start, end in sentences(text):
        for first, last in _clauses(text, start, end):
            clause = text[first:last]
            if any(cue.search(clause) for cue in AFTER.values()):
                continue
            cuts = [match.start() for cue in (*BEFORE.values(), _QUERY) if (match := cue.search(clause))]
            found.append((first, first + min(cuts, default=last - first)))
    return tuple(found)


def _clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence cut where it turns to something else."""
    for turn in _TURN.finditer(text, start, end):
        yield start, turn.start()
        start = turn.start()
    yield start, end


def says(sentence: str, kind: str) -> bool:
    """Whether a sentence carries a cue of one kind of denial; `ruled_out` stands for anything left open or not done."""
    if BEFORE[kind].search(sentence) or AFTER[kind].search(sentence):
        return True
    return kind == "ruled_out" and (
        "?" in sentence or any(says(sentence, other) for other in ("denied", "not_done", "carried"))
    )


def denied_inside(sentence: str) -> bool:
    """Whether a sentence carries a cue of any kind."""
    return any(says(sentence, kind) for kind in BEFORE)
