"""The values of the facets in which codes differ (side, encounter, course, stage ...), in official titles and in notes.

Titles are public tables; the wordings are ours. A cue is searched in quoted evidence and, to weigh codes, in whole notes:
so it must not be an ordinary word that states nothing of the kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from thce.reasoning.service_values import SERVICE_ROWS
from thce.reasoning.words import lower


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


def _rate(numbers: str) -> str:
    """Cue of a glomerular filtration rate that is stated, not compared ("> 60") or the beginning of a span ("30 to 40")."""
    words = "of|around|about|at|is|was|stable|persistently|persistent|stuck"
    return rf"e?gfr(?:,? (?:{words}))*:? (?:{numbers})(?! ?(?:to |-|/)|\.\d)"


def _kidney(number: str, roman: str, word: str, ordinal: str) -> str:
    """Cues of a stage of chronic kidney disease."""
    return (
        rf"ckd[- ,.]{{0,2}}(?:(?:stage|stg|st|grade|category)[- ]?)?g?(?:{number}|{roman}|{word})|"
        rf"stages?[- ](?:{number}|{roman}|{word})|category g{number}|grade {number} (?:chronic )?(?:renal|kidney)|"
        rf"{ordinal}[- ](?:stage|of five)"
    )


_END = (
    r"end[- ]stage|(?<!not on )(?<!yet on )dialysis|ha?emodialysis|renal replacement|"
    r"terminal (?:\w+ )?(?:renal|kidney|uremia|nephrosclerosis)"
)
_END_SHORT = "ESRD|ESKD|ESRF|ERF|HD|PD|CAPD|APD"
_FIVE = _kidney("5", "v", "five", "fifth") + "|" + _rate(r"\d|1[0-4]")

_ROWS = (
    (
        "side",
        "right side",
        r"\bright\b",
        r"right(?:-sided)?|rt|dexter|dextral?||R(?!/)|RLE|RUE|RLQ|RUQ|OD|AD|c?RBBB|RB block|RIF|RLL|RUL|RAOM|RTKA|RTHA",
    ),
    (
        "side",
        "left side",
        r"\bleft\b",
        r"left(?:-sided)?|lt|sinist(?:er|ral?)||(?<!/)L(?!/)|LLE|LUE|LLQ|LUQ|OS|AS|[ci]?LBBB|LB block|LIF|LLL|LUL|LAOM|"
        r"LTKA|LTHA",
    ),
    (
        "side",
        "both sides",
        r"\b(?:bilateral|both(?! cervix))\b",
        r"bilateral(?:ly)?|both|bilat|two-sided|b/l|right and left|left and right|"
        r"(?:each|either) (?:eye|ear|breast|knee|side|leg|hand|wrist)|two (?:eyes|ears|breasts|knees|legs|hands)|two-eyed||"
        r"BL|OU|AU|bil|BUE|BLE",
    ),
    (
        "encounter",
        "initial encounter",
        r"initial encounter",
        r"initial|init|first|1st|acute|new|newly|brand-new|fresh|yesterday(?:'s)?|today|tonight|just|same-day|"
        r"hours? ago|this (?:morning|afternoon|evening)|emergency|casualty||ED|ER",
    ),
    (
        "encounter",
        "subsequent encounter",
        r"subsequent encounter",
        r"subsequent|subseq|subs|follow-?up|f/u|recheck|check-?up|revisit|reassess\w*|re-?exam\w*|re-?eval\w*|healing|healed|"
        r"mending|mended|on the mend|improving|getting better|convalescen\w+|clearance|cleared for|uniting|has united|union|"
        r"callus|consolidat(?:ed|ing)|aftercare|physio|physiotherapy|later|again|return|second (?:visit|look|session)|"
        r"visit \d+|weeks? (?:on|later|out|after|ago|old)|cast check|wks|still||FU",
    ),
    (
        "course",
        "acute on chronic",
        r"acute (?:on|and) chronic",
        r"acute[- ](?:on|and|upon)[- ]chr(?:onic)?|a/c|acute/chr(?:onic)?|aoc|acute decompensation of chronic|"
        r"decomp(?:ensat\w*)?|exac(?:erb\w*)?|worsening chronic|acutely (?:worse|congested)|acute (?:worsening|flare)|"
        r"flare-up of longtime||ADHF|ADCHF|ACRF|AoC\w*",
    ),
    (
        "course",
        "acute",
        r"^(?!.*acute (?:on|and) chronic)(?!.*\(acute\)).*\bacute\b",
        r"acut(?:e|ely|a)|ac|sudden(?:ly)?|abrupt|came down with|new-onset||AKI|ATN|AHRF|ARF|[RL]?AOM|ABLA",
    ),
    (
        "course",
        "chronic",
        r"^(?!.*acute (?:on|and) chronic)(?!.*\(chronic\)).*\bchronic (?!kidney|obstructive|cholecystitis)",
        r"chronic(?:ally)?|chr|longstanding|long[- ]standing|longtime|long[- ]haul|lasting|persistent|permanent|long-term|"
        r"inveterate|(?:for|of|over) (?:the |many |several |some )?(?:months|years|decades|ages)|compensated||"
        r"cHF[rp]EF|CHF[rp]EF|CSHF|CDHF|CPS|ACD|CCM|cLBP",
    ),
    (
        "rhythm",
        "paroxysmal",
        r"\bparoxysmal atrial",
        r"parox(?:ysm\w*)?|intermittent|comes and goes|self-(?:converting|limiting|terminating)|off[- ]and[- ]on|"
        r"on[- ](?:again|and)[- ]off|episodic|(?:af|a-?fib|fibrillation) (?:episodes?|spells|bursts|attacks)|"
        r"(?:episodes?|spells|bursts|attacks) of (?:af|a-?fib|atrial)||PAF|pAF|PAfib",
    ),
    (
        "rhythm",
        "persistent",
        r"\bpersistent atrial",
        r"persist(?:ent)?|persis|pers|cardioversion|cardioverted|(?:continuous|constant|unremitting) (?:atrial|af|a-?fib)|"
        r"lasting over a week||PeAF|persAF|PsAF|DCCV",
    ),
    ("severity", "mild", r"\bmild\b(?!\))", r"mild(?:ly)?|slight(?:ly)?|gina (?:step )?1||MIA"),
    ("severity", "moderate", r"\bmoderate\b(?! complexity|\))", r"moderate(?:ly)?|mod|middling|medium"),
    ("severity", "severe", r"\bsevere\b(?!\))", r"severe(?:ly)?|sev|morbid(?:ly)?|grave(?:ly)?|massive|class (?:III|3)"),
    (
        "stage",
        "stage 2",
        r"^(?!.*through).*\bstage 2\b",
        _kidney("2", "ii", "two", "second") + "|" + _rate(r"[6-8]\d") + r"||G2A\d",
    ),
    ("stage", "stage 3", r"^(?!.*through).*\bstage 3 ", _kidney("3", "iii", "three", "third") + "|middle stage"),
    (
        "stage",
        "stage 3a",
        r"\bstage 3a\b",
        r"3a|[gd]3a|iiia|three-a|(?:stage|ckd|g)[- ]?(?:3 a|three a)|(?:first|better|upper) half of stage (?:3|three)|"
        + _rate(r"4[5-9]|5\d")
        + r"||G3aA\d|CKD3a",
    ),
    (
        "stage",
        "stage 3b",
        r"\bstage 3b\b",
        r"3b|[gd]3b|iiib|three-b|(?:stage|ckd|g)[- ]?(?:3 b|three b)|(?:second|worse|lower) half of stage (?:3|three)|"
        + _rate(r"3\d|4[0-4]")
        + r"||G3bA\d|CKD3b",
    ),
    (
        "stage",
        "stage 4",
        r"^(?!.*through).*\bstage 4\b",
        _kidney("4", "iv", "four", "fourth") + "|" + _rate(r"1[5-9]|2\d") + r"||G4A\d",
    ),
    ("stage", "stage 5", r"^(?!.*through).*\bstage 5\b(?! chronic kidney disease,? or end)", _FIVE),
    ("stage", "stage 5 or end stage", r"\bstage 5 chronic kidney disease,? or end", f"{_END}|{_FIVE}||{_END_SHORT}|G5D"),
    ("stage", "end stage", r"^End stage", f"{_END}||{_END_SHORT}"),
    (
        "degree",
        "first degree",
        r"\bfirst degree\b",
        r"first[- ]deg(?:ree)?|1st[- ]deg(?:ree)?|gr(?:ade|adus)? (?:1|i|one)|1°|lowest grade|non-?prolapsing||"
        r"Gol\. 1|Goligher 1",
    ),
    (
        "degree",
        "second degree",
        r"\bsecond degree\b",
        r"second[- ](?:deg(?:ree)?|grade)|2nd[- ]deg(?:ree)?|gr(?:ade|adus)? (?:2|ii|two)|2°|of the second grade|"
        r"(?:into|to|through) (?:the )?muscles?|muscles? (?:tear|torn)|perineal body||Gol\. 2|Goligher 2",
    ),
    (
        "diabetes",
        "type 1",
        r"\btype 1 diabetes",
        r"type[- ]?(?:1|i|one)|juvenile|autoimmune (?:diabetes|insulitis)|immune-mediated diabetes|insulin[- ]deficien\w+|"
        r"makes no insulin||T1DM?|DM-?1|IDDM|DM ?I|GAD65",
    ),
    (
        "diabetes",
        "type 2",
        r"\btype 2 diabetes",
        r"type[- ]?(?:2|ii|two)|adult[- ]onset|maturity[- ]onset|adult diabetes|tablet-treated||"
        r"T2DM?|DM2|DM-2|dm2|DM ?II|NIDDM|T2 ?DM",
    ),
    (
        "episode",
        "recurrent",
        r"^(?!.*not specified as recurrent).*\brecurrent\b",
        r"recur|recurr\w*|rec|repeat|repeated|relaps(?:e|es|ed|ing)|another|returning|returned|come back|coming back|again|"
        r"periodic|cyclical|several bouts|on-and-off|fourth|third|second||rMDD|MDD-R|RDD",
    ),
    (
        "episode",
        "single episode",
        r"\bsingle episode\b",
        r"single|first|initial|one-time|one (?:lifetime )?episode|sole|solitary|index episode|mdd x1||SE",
    ),
    (
        "failure",
        "systolic",
        r"\bsystolic\b",
        r"systolic|sys|(?:reduced|depressed)[- ](?:ef|ejection fraction)|"
        r"(?:low|weak)[- ](?:ef|pump\w*|squeeze|ejection fraction)|weak heart|contractile||[cC]?HFrEF|sHF|CSHF|AoCSHF|LVSD|"
        r"(?:LV)?EF (?:of )?(?:[12]\d|3\d)",
    ),
    (
        "failure",
        "diastolic",
        r"\bdiastolic\b",
        r"diastolic|diast?|preserved[- ](?:ef|ejection fraction)|stiff(?:-heart)?|relaxes poorly|fills badly|squeezes fine||"
        r"[cC]?HFpEF|[cC]?HFnEF|dHF|CDHF|AoCDHF|(?:LV)?EF (?:of )?[56]\d",
    ),
    (
        "pattern",
        "abuse",
        r"\babuse\b",
        r"abus(?:e|es|ed|ing)|misus(?:e|es|ing)|harmful|hazardous|binge\w*|nondependent|not (?:addicted|hooked)|"
        r"use disorder, mild|mild (?:\w+ )?use disorder|(?:\w+ )?[as]?ud,? mild",
    ),
    (
        "pattern",
        "dependence",
        r"\bdependence,",
        r"(?<!no )(?<!without )(?<!insulin )(?<!insulin-)depend(?:ence|ency|ent)|(?<!not )addict\w*|alcoholi(?:sm|c)|"
        r"(?<!not )hooked|habituat(?:ed|ion)|craving|can't (?:quit|stop)|pack-a-day|(?:current|chain|heavy|daily) smoker|"
        r"(?:moderate|severe) (?:\w+ )?use disorder",
    ),
    (
        "region",
        "cervical",
        r"\bcervical region\b|^Cervicalgia|neck level",
        r"cerv(?:ical)?|cervic(?:algia|odynia|obrachial)|paracervical|neck|nape|c-spine|nuchal(?:gia)?|"
        r"c-(?:radic\w*|spondylosis|stenosis)||C[2-8](?:[-/]C?\d)?|c[3-7]-c?[4-7]",
    ),
    (
        "region",
        "lumbar",
        r"\blumbar\b|\blow(?:er)? back\b",
        r"lumb(?:ar|ago|algia|odynia)|lumb(?:o|osacral|oradicular)|paralumbar|low(?:er)?[- ](?:back|spine)|l-spine|l/s|"
        r"l-(?:radic\w*|spondylosis)||L[1-5](?:[-/][LS]?\d)?|c?LBP|LSO|LSS|LS spine",
    ),
    (
        "region",
        "thoracic",
        r"\bthoracic\b",
        r"(?:mid)?thoracic|thor spine|mid(?:dle)?[- ]back|middle of the back|upper[- ](?:back|spine|backbone)|interscapular|"
        r"dorsal (?:spine|vertebrae)|between (?:the )?shoulder(?:s| blades)|t-spine||T\d{1,2}(?:[-/]T?\d+)?|TSp",
    ),
    (
        "level",
        "upper",
        r"\bupper quadrant\b",
        r"upper|hypochondri(?:um|al|ac)|subcostal|(?:under|below) the (?:right |left )?ribs|costal margin|"
        r"(?:gallbladder|liver|hepatic)[- ](?:area|region)||RUQ|LUQ",
    ),
    (
        "level",
        "lower",
        r"\blower (?:quadrant|abdominal)\b",
        r"lower|groin|inguinal|iliac (?:fossa|region)|appendi(?:x|ceal)[- ](?:area|spot)|mcburney\S*|down low|"
        r"low (?:abd\w*|belly\w*)|low (?:on|in) (?:the |my )?(?:right |left )?(?:abdomen|gut|belly|tummy|side)|"
        r"below the belly button|infraumbilical||RLQ|LLQ|RIF|LIF|LQ",
    ),
    (
        "delivery",
        "vaginal delivery",
        r"\bdelivered vaginally\b",
        r"vaginal(?:ly)?|per vaginam|vag del|natural (?:birth|childbirth|way)|normal birth|water birth|forceps|ventouse|"
        r"pushed out||N?SVD|VBAC|VAVD",
    ),
    (
        "delivery",
        "cesarean",
        r"\bby cesarean\b",
        r"c(?:a?esarean|-?section)|cesarean(?: delivery)?|(?:by|a|repeat|crash|emergency) section|sectio|"
        r"abdominal (?:birth|delivery)|delivered abdominally||C/S|CS|[pR]?LTCS|LSCS|EmCS|RCS",
    ),
    *SERVICE_ROWS,
)
VALUES: tuple[Value, ...] = tuple(_value(*row) for row in _ROWS)

# small letters are looked for in small letters, capitals as they stand: two searches without a flag cost a third of one that
# ignores case; a backslash keeps its letter (`\S`)
_LOOSE, _, _STRICT = zip(*(row[3].partition("||") for row in _ROWS), strict=True)
_BEGINS = tuple(
    re.compile(rf"(?<!\w)(?=(?:{'|'.join(filter(None, cues))})(?!\w))")
    for cues in ([re.sub(r"(?<!\\)[A-Z]", lambda found: found[0].lower(), cue) for cue in _LOOSE], _STRICT)
)


def beginnings(text: str) -> list[int]:
    """Where the cue of some value stands in a text. One search for all of them costs less than a fourth of one for each.
    Letters whose small form is another one's (a dotless i) are not taken for it, as a pattern that ignores case would.
    """
    loose, strict = _BEGINS
    return [match.start() for match in (*loose.finditer(lower(text)), *strict.finditer(text))]


BY_NAME = {value.name: value for value in VALUES}
