"""What sets a code apart from its neighbours, as words of its title and as words of a note.

A facet is one way in which codes differ (side, encounter, course, stage ...). Each of its values knows the official
titles it belongs to and the wordings that state it in a note. Titles are public tables; the wordings are ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a facet: `name` as a trace writes it, `title` a pattern on official titles, `cue` one on notes."""

    facet: str
    name: str
    title: re.Pattern[str]
    cue: re.Pattern[str]


def _value(facet: str, name: str, title: str, cue: str) -> Value:
    # upper-case abbreviations stay case-sensitive (`AS`, `L`): only the group before `||` ignores case
    loose, _, strict = cue.partition("||")
    pattern = rf"(?<![\w])(?:(?i:{loose})" + (rf"|{strict}" if strict else "") + r")(?![\w])"
    return Value(facet, name, re.compile(title, re.I), re.compile(pattern))


_ROWS = (
    ("side", "right side", r"\bright\b", r"right(?:-sided)?|rt||R|RLE|RUE|RLQ|RUQ|OD|AD"),
    ("side", "left side", r"\bleft\b", r"left(?:-sided)?|lt||L|LLE|LUE|LLQ|LUQ|OS|AS"),
    ("side", "both sides", r"\b(?:bilateral|both)\b", r"bilateral(?:ly)?|both|bilat|two-sided||B/L|BL|OU|AU|bil"),
    (
        "encounter",
        "initial encounter",
        r"initial encounter",
        r"initial|init|first|acute|new|brand-new|fresh|today|tonight|just|this morning|emergency||ED|ER",
    ),
    (
        "encounter",
        "subsequent encounter",
        r"subsequent encounter",
        r"subsequent|subs|follow-?up|f/u|recheck|healing|healed|mending|mended|aftercare|later|again|"
        r"return|weeks? (?:on|later|out)|"
        r"weeks? after|cast check|wks|still||FU",
    ),
    (
        "course",
        "acute on chronic",
        r"acute (?:on|and) chronic",
        r"acute (?:on|and|upon) chronic|acute decompensation of chronic|a/c|acute/chr(?:onic)?|aoc|"
        r"decompensated|exacerbation|worsening chronic|"
        r"flare-up of longtime||ADHF|ACRF",
    ),
    (
        "course",
        "acute",
        r"^(?!.*acute (?:on|and) chronic)(?!.*\(acute\)).*\bacute\b",
        r"acute|ac|sudden|abrupt|new-onset",
    ),
    (
        "course",
        "chronic",
        r"^(?!.*acute (?:on|and) chronic)(?!.*\(chronic\)).*\bchronic (?!kidney|obstructive|"
        r"cholecystitis)",
        r"chronic|chr|longstanding|long-standing|longtime|lasting|persistent|permanent|long-term",
    ),
    (
        "rhythm",
        "paroxysmal",
        r"\bparoxysmal atrial",
        r"paroxysmal|intermittent|comes and goes|self-terminating||PAF|pAF",
    ),
    ("rhythm", "persistent", r"\bpersistent atrial", r"persistent|cardioversion|lasting over a week||PeAF|persAF"),
    ("severity", "mild", r"\bmild\b", r"mild(?:ly)?"),
    ("severity", "moderate", r"\bmoderate\b(?! complexity)", r"moderate(?:ly)?|mod|middling"),
    ("severity", "severe", r"\bsevere\b", r"severe(?:ly)?|sev|morbid(?:ly)?|class (?:III|3)"),
    ("stage", "stage 2", r"^(?!.*through).*\bstage 2\b", r"(?:stage |ckd |g)(?:2|ii|two)|stage-2||G2A\d"),
    ("stage", "stage 3", r"^(?!.*through).*\bstage 3 ", r"(?:stage |ckd |g)(?:3|iii|three)|stage-3"),
    ("stage", "stage 3a", r"\bstage 3a\b", r"(?:stage |ckd |g)(?:3a|iiia|three a|3 a)|3a||G3aA\d"),
    ("stage", "stage 3b", r"\bstage 3b\b", r"(?:stage |ckd |g)(?:3b|iiib|three b|3 b)|3b||G3bA\d"),
    ("stage", "stage 4", r"^(?!.*through).*\bstage 4\b", r"(?:stage |ckd |g)(?:4|iv|four)|stage-4||G4A\d"),
    (
        "stage",
        "stage 5",
        r"^(?!.*through).*\bstage 5\b",
        r"(?:stage |ckd |g)(?:5|v|five)|stage-5|end[- ]stage||ESRD|ESKD",
    ),
    ("stage", "end stage", r"^End stage", r"end[- ]stage|dialysis||ESRD|ESKD|HD|PD"),
    ("degree", "first degree", r"\bfirst degree\b", r"first[- ]degree|grade (?:1|i|one)|1st[- ]degree|1°"),
    ("degree", "second degree", r"\bsecond degree\b", r"second[- ]degree|grade (?:2|ii|two)|2nd[- ]degree|2°"),
    ("diabetes", "type 1", r"\btype 1 diabetes", r"type[- ]?(?:1|i|one)|juvenile||T1DM?|DM1|IDDM|DM ?I"),
    (
        "diabetes",
        "type 2",
        r"\btype 2 diabetes",
        r"type[- ]?(?:2|ii|two)|adult[- ]onset|maturity[- ]onset||T2DM?|DM2|DM-2|DM ?II|NIDDM|T2 ?DM",
    ),
    (
        "episode",
        "recurrent",
        r"^(?!.*not specified as recurrent).*\brecurrent\b",
        r"recurr(?:ent|ing)|rec|repeat|relaps(?:ed|ing)|another|returning|again|third|second||rMDD",
    ),
    ("episode", "single episode", r"\bsingle episode\b", r"single|first|one-time|sole||SE"),
    (
        "failure",
        "systolic",
        r"\bsystolic\b",
        r"systolic|sys|reduced ejection fraction|weak[- ]pump|low ejection fraction||HFrEF|EF (?:[12]\d|"
        r"3\d)",
    ),
    ("failure", "diastolic", r"\bdiastolic\b", r"diastolic|diast|preserved ejection fraction|stiff||HFpEF"),
    ("pattern", "abuse", r"\babuse\b", r"abuse|misuse|harmful|binge"),
    ("pattern", "dependence", r"\bdependence,", r"dependen(?:ce|t)|addict(?:ed|ion)|alcoholi(?:sm|c)|hooked"),
    ("patient", "new patient", r"\bnew patient\b", r"new|first-time|first visit||NP|new pt"),
    (
        "patient",
        "established patient",
        r"\bestablished\b",
        r"established|est|known|returning|return|follow-up|recheck||F/U|f/u",
    ),
    (
        "visit",
        "first visit",
        r"^First (?:hospital|nursing)|\binitial visit\b",
        r"initial|init|first|admission|admit(?:ted|ting)?|adm||H&P",
    ),
    (
        "visit",
        "later visit",
        r"^Later (?:hospital|nursing)|\bsubsequent visit\b",
        r"subsequent|subs?q?|daily|later|follow-up|progress|again|yearly|repeat||F/U|f/u",
    ),
    ("complexity", "straightforward", r"^(?!.*low).*\bstraightforward\b", r"straightforward|SF|minimal"),
    ("complexity", "low complexity", r"^(?!.*straightforward).*\blow complexity", r"low"),
    ("complexity", "moderate complexity", r"\bmoderate complexity", r"moderate|mod"),
    ("complexity", "high complexity", r"\bhigh complexity", r"high"),
    (
        "contrast",
        "no contrast",
        r"\bno contrast\b",
        r"(?:without|no|w/o|sans)(?: \w+)? (?:contrast|dye|iodine|gadolinium)|non-?contrast(?:ed)?|"
        r"unenhanced|plain|w/o||NC|NCCT",
    ),
    (
        "contrast",
        "before and after contrast",
        r"before and after contrast",
        r"(?:with and without|w/ ?wo|without and with|before and after|"
        r"pre- and post-?)(?: \w+)?(?: contrast|dye|gadolinium)?||w/wo",
    ),
    (
        "contrast",
        "with contrast",
        r"\bwith contrast\b",
        r"(?:with|w/|c)(?: \w+){0,3} (?:contrast|dye|iodine)|(?:contrast-)?enhanced|post-?contrast|w/",
    ),
    ("views", "one view", r"\bone view\b", r"(?:one|single|1)[- ]?(?:view|v)|portable||AP|1V"),
    (
        "views",
        "two views",
        r"(?<!or )\btwo views\b",
        r"(?:two|2)[- ](?:views?|projections?|pictures)|pa (?:and|&) lat(?:eral)?|frontal and lateral||"
        r"PA/lat|2V|2-view",
    ),
    ("views", "three views", r"(?<!or )\bthree views\b", r"(?:three|3)[- ](?:views?|v|films?|pictures)||3V"),
    ("length", "half an hour", r"\bhalf-hour\b", r"(?:half[- ](?:an[- ])?hour|30[- ]min\w*|thirty[- ]minutes?)"),
    (
        "length",
        "45 minutes",
        r"\bforty-five-minute\b",
        r"(?:45[- ]min\w*|forty-five[- ]minutes?|three[- ]quarters?(?: of an|-)[- ]?hour)",
    ),
    (
        "length",
        "one hour",
        r"\bhour-long\b",
        r"(?:60[- ]min\w*|sixty[- ]minutes?|hour-long|one[- ]hour|full hour|an hour)",
    ),
    (
        "urgency",
        "emergency",
        r"(?<!non-)\bemergency transport\b",
        r"emergen(?:cy|t)|911|lights|sirens|stat|urgent||emerg",
    ),
    (
        "urgency",
        "non-emergency",
        r"\bnon-emergency\b",
        r"non-?emerg\w*|routine|scheduled|planned|booked|prearranged|non-urgent|not an emergency",
    ),
    ("life support", "advanced life support", r"\badvanced life support\b", r"advanced|paramedics?||ALS\d?"),
    ("life support", "basic life support", r"\bbasic life support\b", r"basic|EMTs?||BLS"),
    (
        "session",
        "individual",
        r"\bindividual (?:psychotherapy|speech)|psychotherapy session$",
        r"individual|indiv|one[- ]on[- ]one|one[- ]to[- ]one|1:1",
    ),
    ("session", "in a group", r"\bin a group\b|^Group\b", r"group|grp"),
    (
        "unit",
        "the first unit",
        r"\bfirst (?:lesion|drug|component|hour|antibody)\b|\bone vaccine\b",
        r"first|initial|init|single|1st|one",
    ),
    (
        "unit",
        "a further unit",
        r"\b(?:each (?:additional|further|extra)|additional|further|added to)\b",
        r"additional|add(?:'|it)?l|extra|further|another|second|each add\w*|add-on|sequential",
    ),
    (
        "region",
        "cervical",
        r"\bcervical region\b|^Cervicalgia|neck level",
        r"cervical|neck|c-spine|nuchal||C[2-7](?:[-/]C?\d)?",
    ),
    (
        "region",
        "lumbar",
        r"\blumbar\b|\blow(?:er)? back\b",
        r"lumbar|low(?:er)?[- ]back|lumbosacral|l-spine||L[1-5](?:[-/][LS]?\d)?|LBP",
    ),
    (
        "region",
        "thoracic",
        r"\bthoracic\b",
        r"thoracic|mid(?:dle)?[- ]back|upper[- ]back|t-spine||T\d{1,2}(?:[-/]T?\d+)?",
    ),
    ("level", "upper", r"\bupper (?:quadrant|limb)\b", r"upper||RUQ|LUQ"),
    ("level", "lower", r"\blower (?:quadrant|abdominal)\b", r"lower||RLQ|LLQ"),
    ("delivery", "vaginal delivery", r"\bdelivered vaginally\b", r"vaginal(?:ly)?||SVD|NSVD|VBAC"),
    ("delivery", "cesarean", r"\bby cesarean\b", r"c(?:a?esarean|-?section)|cesarean(?: delivery)?||C/S|CS"),
)
VALUES: tuple[Value, ...] = tuple(_value(*row) for row in _ROWS)
BY_NAME = {value.name: value for value in VALUES}


_PARENTHESIS = re.compile(r"\s*[(\[][^)\]]*[)\]]")
_JOINED = re.compile(r"\b(with|without) (?!stage|unspecified\b)((?:(?!with|or|and|due|for)[\w'-]+ ?){1,5})")
_LEAD = re.compile(r"^(?:other specified|specified|other|diabetic|certain|current) ")
_CONDITIONS = {
    "hyperglycemia": r"hyperglyc\w+|high (?:blood )?sugars?|sugars? (?:running )?high|uncontrolled|poorly controlled|"
    r"out of control|elevated glucose",
    "hypoglycemia": r"hypoglyc\w+|hypos?|low (?:blood )?sugars?|sugars? (?:too )?low",
    "polyneuropathy": r"polyneuropath\w+|neuropath\w+|DS?PN|PN|numb\w*|stocking\S*|pins and needles",
    "neuropathy": r"neuropath\w+|nerve (?:damage|pain)|numb\w*",
    "chronic kidney disease": r"CKD|nephropath\w+|kidney\w*|renal",
    "cataract": r"cataracts?|cloudy lens",
    "peripheral angiopathy": r"angiopath\w+|PAD|PVD|peripheral (?:arterial|vascular)|claudication|poor circulation",
    "foot ulcer": r"ulcer\w*|DFU|foot (?:sore|wound)|sore on the foot",
    "retinopathy": r"retinopath\w+|NPDR|DR",
    "heart failure": r"heart failure|cardiac failure|CHF|HF|HFrEF|HFpEF|failing heart",
    "hypoxia": r"hypoxi\w+|hypoxem\w+|low oxygen|desat\w*|SpO2|PaO2|pO2|O2 sat\w*|sats?",
    "exacerbation": r"exac\w*|flare\S*|flaring|AECOPD|attack|worsening|acute",
    "lower respiratory infection": r"pneumonia|bronchitis|infection|CAP|PNA|LRTI|chest cold",
    "lower urinary tract symptoms": r"LUTS|nocturia|weak stream|hesitancy|frequency|dribbling|straining|urin\w+",
    "septic shock": r"shock|pressors?|vasopressors?|norepi\w*|levophed",
    "loss of consciousness": r"LOC|conscious\w*|knocked out|blacked? out|passed out|awake",
    "radiculopathy": r"radicul\w+|sciatica|radiating|shooting|nerve root",
    "myelopathy": r"myelopath\w+|cord",
    "esophagitis": r"esophagitis|oesophagitis|erosi\w+|mucosal breaks?|LA grade \w|inflamed",
    "bleeding": r"bleed\w*|hemorrhag\w+|blood",
    "dysplasia": r"dysplas\w+",
    "ascites": r"ascites|fluid",
    "angina pectoris": r"angina|chest pain",
    "foreign body": r"foreign bod\w+|FB|debris|glass",
    "hematuria": r"hematuria|blood\w*",
    "vomiting": r"vomit\w*|emesis|N/V|throwing up",
    "tubular necrosis": r"ATN|tubular",
    "abnormal findings": r"abnormal\w*|abnl|positive finding|new problem|problem (?:found|turned)",
    "routine healing": r"heal\w*|callus|union|knitting|mending|mended",
    "diabetes": r"diabet\w+|DM|T2DM",
    "contrast": r"contrast|dye",
    "complications": r"complicat\w+",
    "obstruction": r"obstruct\w+|block\w*|incarcerat\w*|strangulat\w*",
    "gangrene": r"gangren\w+",
    "compression": r"compress\w+|tight\w*",
    "cholecystitis": r"cholecystitis|inflam\w+",
    "intoxication": r"intox\w*|drunk\w*|ETOH level|BAC|inebriat\w+",
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
