"""What titles join by "with" or "without", leave open, or call "other", and the words of a note that speak of it.

Titles are public tables; the wordings are ours.
"""

from __future__ import annotations

import re
from functools import lru_cache

from thce.reasoning import words

_PARENTHESIS = re.compile(r"\s*[(\[][^)\]]*[)\]]")
_JOINED = re.compile(r"\b(with|without) (?!stage|unspecified\b)((?:(?!with|or|and|due|for)[\w'-]+ ?){1,5})")
_LEAD = re.compile(r"^(?:other specified|specified|other|diabetic|certain|current) ")
_CONDITIONS = {
    "hyperglycemia": r"hyperglyc\w+|high (?:blood )?sugars?|sugars? (?:running )?high|uncontrolled|poorly controlled|"
    r"out of control|elevated glucose|glucose [3-5]\d\d|through the roof",
    "hypoglycemia": r"hypoglyc\w+|hypos?|low (?:blood )?sugars?|sugars? (?:too )?low",
    "polyneuropathy": r"polyneuropath\w+|neuropath\w+|PNP|sensorimotor|polyneuritis|multiple neuritis|DS?PN|PN|"
    r"numb\w*|stocking\S*|pins and needles",
    "neuropathy": r"neurop\w*|nerve(?! (?:conduction|stud|block))|(?:diabetic|sugar|my|the) nerves|nerves (?:ruined|shot)|"
    r"neural|numb\w*",
    "chronic kidney disease": r"CKD|DKD|ESRD|(?:reduced|low) GFR|e?GFR (?:below )?[1-5]?\d(?!\d)|ura?emia|nephropath\w+|"
    r"kidney\w*|renal",
    "cataract": r"cataract\w*|cloudy lens|(?<!contact )lens(?:es)?(?! (?:clear|normal|intact))|lenticular",
    "peripheral angiopathy": r"angiopath\w+|PAD|PVD|peripheral (?:arterial|vascular)|claudication|poor circulation",
    "foot ulcer": r"ulcer\w*|DFU|foot (?:sore|wound)|sore on the foot",
    "retinopathy": r"retinopath\w+|NPDR|DR",
    "heart failure": r"heart failure|cardiac failure|C?HF|CCF|HFrEF|HFpEF|LVF|ventricular failure|failing (?:heart|pump|"
    r"ventricle)",
    "hypoxia": r"hypoxi\w+|hypoxa?em\w+|hypox|low oxygen|home oxygen|high[- ]flow|HHFNC|Venturi|desat\w*|"
    r"(?:SpO2|PaO2|pO2|O2 sat\w*|sats?)(?: of| in the)? (?:[3-8]\d|seventies|eighties)",
    "exacerbation": r"exac(?:erb\w*)?|flare\S*|flaring|AE-?COPD|decompensat\w+|(?<!heart )attack|acting up|worsening|"
    r"acute(?: |-)(?:worsening|deterioration|bronch\w+|asthma\w*|wheez\w+|flare|on)",
    "lower respiratory infection": r"pneumonia|bronchitis|infection|CAP|PNA|LRTI|chest cold",
    "lower urinary tract symptoms": r"LUTS|nocturia|weak stream|hesitancy|frequency|dribbling|straining|urin\w+",
    "septic shock": r"shock|circulatory collapse|collapse of the circulation|vasopressin|NE gtt|pressors?|vasopressors?|"
    r"norepi\w*|levophed",
    "loss of consciousness": r"LOC|conscious\w*|knocked out|blacked? out|passed out|awake",
    "radiculopathy": r"radicul\w+|radic|sciatica?|(?:nerve|L[1-5]|S1) root|root (?:compression|symptoms)|"
    r"impingement|radiating|shooting",
    "myelopathy": r"myelopath\w+|cord",
    "esophagitis": r"esophagitis|oesophagitis|erosi\w+|mucosal breaks?|LA (?:grade |class )[A-D]|LA-[A-D]|inflamed",
    "bleeding": r"bleed\w*|hemorrhag\w+|blood",
    "dysplasia": r"dysplas\w+",
    "ascites": r"ascites|fluid",
    "angina pectoris": r"angina|chest pain",
    "foreign body": r"foreign bod\w+|FB|debris|glass",
    "hematuria": r"hematuria|blood\w*",
    "vomiting": r"vomit\w*|emesis|N[/&+]?V|CINV|throwing up|barfing|puking",
    "tubular necrosis": r"ATN|tubular(?! adenoma)",
    "abnormal findings": r"abnormal\w*|abnl|positive finding|new problem|problem (?:found|turned)",
    "routine healing": r"heal\w*|callus|union|knitting|mending|mended",
    "diabetes": r"diabet\w+|DM|T2DM",
    "contrast": r"contrast|dye",
    "complications": r"complicat\w+",
    "obstruction": r"obstruct\w+|block\w*|incarcerat\w*|strangulat\w*",
    "gangrene": r"gangren\w+",
    "compression": r"compress\w+|tight\w*",
    "cholecystitis": r"cholecystitis|inflam\w+",
    "intoxication": r"intox\w*|drunk\w*|ETOH level|BAC|inebriat\w+|tipsy|ebriety|EtOH on board|blood alcohol 0?\.\d+|"
    r"under the influence",
    "diagnosis of hypertension": r"hypertension|HTN",
}
"""Wordings in a note for what an official title joins by "with" or "without"; its own words always count too."""


@lru_cache(maxsize=4096)
def joined(title: str) -> tuple[tuple[str, str], ...]:
    """What a title joins: `Gastro-esophageal reflux disease without esophagitis` gives (("without",
    "esophagitis"),).
    """
    found: list[tuple[str, str]] = []
    for match in _JOINED.finditer(_PARENTHESIS.sub("", title.lower())):
        thing = _LEAD.sub("", match[2].strip())
        if thing and len(thing) > 2:
            found.append((match[1], thing))
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=4096)
def thing_cue(thing: str) -> re.Pattern[str]:
    """Pattern of the wordings that say a thing of a title is there."""
    own = re.escape(thing)
    listed = _CONDITIONS.get(thing)
    return re.compile(rf"(?<!\w)(?:{own}{'|' + listed if listed else ''})(?!\w)", re.I)


NEGATOR = re.compile(
    r"(?<![\w-])(?:no|not|without|w/o|non|non-?\w*|free of|negative|neg|denies|sans|nor|absent|never|"
    r"-free)(?![\w])",
    re.I,
)
"""Words that deny what stands beside them in the same clause."""

_CLAUSE = re.compile(r"[,;:\n]|\.(?!\d)|\bbut\b")


def stated_thing(quote: str, preposition: str, thing: str) -> str:
    """The words of the evidence that say a thing is there, or with `without` the words from the negation on; empty where
    none does.

    Each clause is looked at by itself: with a denial in it a thing is not there, and without a negation it is not absent.
    """
    for clause in _CLAUSE.split(quote.replace('"', "")):
        match = thing_cue(thing).search(clause)
        if not match:
            continue
        if preposition == "with" and not NEGATOR.search(clause) and not words.denied_inside(clause):
            return match[0]
        before = [negator.start() for negator in NEGATOR.finditer(clause[: match.start()])]
        if preposition == "without" and before and not re.search(r"\bwith\b", clause[before[-1] : match.start()]):
            return clause[before[-1] : match.end()]
    return ""


_UNSPECIFIED = re.compile(r"\b(?:unspecified|not specified|nos|homelessness unspecified)\b", re.I)
_OTHER = re.compile(r"\bother (?!than\b)\w+|, other\b", re.I)
_NAMED_AXES = (
    ("organism", r"unspecified organism"),
    ("site", r"unspecified site|site not specified|unspecified part|unspecified lower extremity"),
    ("cause", r"unspecified cause"),
    ("severity", r"unspecified severity"),
    ("trimester", r"unspecified trimester"),
    ("reason", r"unspecified reason"),
    ("ligament", r"unspecified ligament"),
    ("acuity", r"not specified as acute or chronic"),
)
NAMED_AXES = tuple((noun, re.compile(pattern, re.I)) for noun, pattern in _NAMED_AXES)
_FAMILY_AXES = (
    ("organism", r"virus|coccus|coccal|bacteri|mycoplasma|haemophilus|klebsiella|candida|chlamydi"),
    ("cause", r"due to|secondary to|induced"),
    ("site", r"trunk|limb|scalp|eyelid|forearm|thigh|multiple sites"),
    ("side", r"right|left|bilateral"),
    ("complication", r"with (?!unspecified)\w+|complicat"),
    ("severity", r"mild|moderate|severe"),
    ("stage", r"stage \d"),
    ("acuity", r"acute|chronic"),
)
FAMILY_AXES = tuple((noun, re.compile(rf"\b(?:{pattern})", re.I)) for noun, pattern in _FAMILY_AXES)
ORGANISMS = re.compile(
    r"(?<!\w)(?i:(?:strep|staph|pneumo|entero)\w*|\w*coccus|mycoplasma|h(?:a?emophilus|\. ?flu)|"
    r"klebsiella|pseudomonas|e\.? ?coli|"
    r"\w*virus|viral|bacterial|fungal|candida\w*|legionella|chlamydia\w*|influenza|covid\S*|mrsa|"
    r"mssa|gram[- ](?:neg|pos)\w*)(?!\w)"
)
"""Organisms in a note, for codes whose title says that none is named."""


def is_unspecified(title: str) -> bool:
    """The official title itself says that something is not specified."""
    return bool(_UNSPECIFIED.search(title))


def is_other(title: str) -> bool:
    """A residual code: something is named that has no code of its own (Guidelines I.A.9.a)."""
    return bool(_OTHER.search(title))
