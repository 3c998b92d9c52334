"""The values of the facets in which codes differ (side, encounter, course, stage ...), in official titles and in notes.

Titles are public tables; the wordings are ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


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


def _kidney(number: str, roman: str, word: str, ordinal: str, filtration: str) -> str:
    """Cues of a stage of chronic kidney disease; filtration rates as KDIGO draws the line."""
    return (
        rf"(?:stages?|stg?|ckd|grade|category|cri|g)[- .]{{0,2}}g?(?:{number}|{roman}|{word})|{ordinal}[- ](?:stage|of five)|"
        rf"e?gfr[^\d,;.]{{0,25}} {filtration}||G{number}A\d"
    )


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
        r"bilateral(?:ly)?|both|bilat|two-sided|b/l|right and left|left and right|(?:each|either) (?:eye|ear|breast|knee|"
        r"side|leg|"
        r"hand|wrist)|(?:my |the )?two (?:eyes|ears|breasts|knees|legs|hands)|two-eyed|dual||BL|OU|AU|bil|BUE|BLE",
    ),
    (
        "encounter",
        "initial encounter",
        r"initial encounter",
        r"initial|init|first|1st|acute|new|newly|brand-new|fresh|recent(?:ly)?|yesterday(?:'s)?|today|tonight|just|same-day|"
        r"hours? (?:ago|after)|this (?:morning|afternoon|evening|week)|emergency|casualty|triage||ED|ER|UC|EMS|BIBEMS",
    ),
    (
        "encounter",
        "subsequent encounter",
        r"subsequent encounter",
        r"subsequent|subseq|subs|follow-?up|f/u|recheck|check-?up|revisit|reassess\w*|re-?exam\w*|re-?eval\w*|healing|healed|"
        r"mending|mended|on the mend|improving|getting better|convalescen\w+|clear(?:ed|ance)|unit(?:ed|ing)|union|callus|"
        r"consolidat(?:ed|ing)|aftercare|physio\w*|later|again|return|second (?:visit|look|session)|visit \d+|"
        r"weeks? (?:on|later|out|after|ago|old)|cast check|wks|still||FU",
    ),
    (
        "course",
        "acute on chronic",
        r"acute (?:on|and) chronic",
        r"acute[- ](?:on|and|upon)[- ]chr(?:onic)?|a/c|acute/chr(?:onic)?|aoc\w*|decomp\w*|acute decompensation of chronic|"
        r"exac\w*|worsening chronic|acutely (?:worse|congested)|acute (?:worsening|flare)|flared|flare-up of longtime|"
        r"backed up|"
        r"tipped over|now wet||ADHF|ADCHF|ACRF",
    ),
    (
        "course",
        "acute",
        r"^(?!.*acute (?:on|and) chronic)(?!.*\(acute\)).*\bacute\b",
        r"acut(?:e|ely|a)|ac|sudden(?:ly)?|abrupt|overnight|temporary|came down with|new-onset||AKI|ATN|AHRF|ARF|[RL]?AOM|"
        r"AIN|ABLA",
    ),
    (
        "course",
        "chronic",
        r"^(?!.*acute (?:on|and) chronic)(?!.*\(chronic\)).*\bchronic (?!kidney|obstructive|"
        r"cholecystitis)",
        r"chronic(?:ally)?|chr?|longstanding|long[- ]standing|longtime|long[- ]haul|lasting|persistent|permanent|"
        r"long-term|inveterate|"
        r"(?:for|of|over) (?:the |many |several |some )?(?:months|years|decades|ages)|compensated||"
        r"cHF[rp]EF|CHF[rp]EF|CSHF|CDHF|CPS|ACD|CCM|cLBP",
    ),
    (
        "rhythm",
        "paroxysmal",
        r"\bparoxysmal atrial",
        r"parox(?:ysm\w*)?|intermittent|comes and goes|self-(?:converting|limiting|terminating)|off[- ]and[- ]on|"
        r"on[- ](?:again|and)[- ]off|episod(?:e|es|ic)|spells?|bursts?|attacks|transient|now and again||PAF|pAF|PAfib",
    ),
    (
        "rhythm",
        "persistent",
        r"\bpersistent atrial",
        r"persist(?:ent)?|persis|pers|cardioversion|cardioverted|continuous|constant|enduring|unremitting|uninterrupted|"
        r"lasting over a week||PeAF|persAF|PsAF|DCCV",
    ),
    ("severity", "mild", r"\bmild\b(?!\))", r"mild(?:ly)?|slight(?:ly)?|gina (?:step )?1|step 1||MIA"),
    (
        "severity",
        "moderate",
        r"\bmoderate\b(?! complexity|\))",
        r"moderate(?:ly)?|mod|middling|medium",
    ),
    (
        "severity",
        "severe",
        r"\bsevere\b(?!\))",
        r"severe(?:ly)?|sev|morbid(?:ly)?|grave(?:ly)?|massive|extreme|class (?:III|3)",
    ),
    ("stage", "stage 2", r"^(?!.*through).*\bstage 2\b", _kidney("2", "ii", "two", "second", r"(?:[67]\d|8[0-8])")),
    (
        "stage",
        "stage 3",
        r"^(?!.*through).*\bstage 3 ",
        r"(?:stages?|stg?|ckd|grade|category|g)[- .]{0,2}(?:3|iii|three)|third[- ](?:stage|of five)|middle stage",
    ),
    (
        "stage",
        "stage 3a",
        r"\bstage 3a\b",
        r"3a|iiia|three[- ]a|3 a|(?:first|better|upper) half of stage (?:3|three)|(?:stage|ckd|g)[- ]?3a|"
        r"e?gfr[^\d,;.]{0,25} (?:4[5-9]|5\d)||G3aA\d",
    ),
    (
        "stage",
        "stage 3b",
        r"\bstage 3b\b",
        r"3b|iiib|three[- ]b|3 b|(?:second|worse|lower) half of stage (?:3|three)|(?:stage|ckd|g)[- ]?3b|"
        r"e?gfr[^\d,;.]{0,25} (?:3\d|4[0-4])||G3bA\d",
    ),
    ("stage", "stage 4", r"^(?!.*through).*\bstage 4\b", _kidney("4", "iv", "four", "fourth", r"(?:1[5-9]|2\d)")),
    (
        "stage",
        "stage 5",
        r"^(?!.*through).*\bstage 5\b",
        r"end[- ]stage|dialysis|ha?emodialysis|terminal|last stage|renal replacement|"
        + _kidney("5", "v", "five", "fifth", r"(?:\d|1[0-4])")
        + "|ESRD|ESKD|HD|PD|CAPD|G5D",
    ),
    (
        "stage",
        "end stage",
        r"^End stage",
        r"end[- ]stage|dialysis|ha?emodialysis|terminal|last stage|renal replacement||ESRD|ESKD|ESRF|ERF|HD|PD|CAPD|APD",
    ),
    (
        "degree",
        "first degree",
        r"\bfirst degree\b",
        r"first[- ]deg(?:ree)?|1st[- ]deg(?:ree)?|gr(?:ade|adus)? (?:1|i|one)|stage i|1°|superficial|slight|lowest grade|"
        r"non-?prolapsing||G1|Gol\. 1|Goligher 1",
    ),
    (
        "degree",
        "second degree",
        r"\bsecond degree\b",
        r"second[- ](?:deg(?:ree)?|grade)|2nd[- ]deg(?:ree)?|gr(?:ade|adus)? (?:2|ii|two)|stage ii|2°|of the second grade|"
        r"level two|"
        r"muscles?|muscular|perineal body|spontaneous(?:ly)?||G2|Gol\. 2|Goligher 2",
    ),
    (
        "diabetes",
        "type 1",
        r"\btype 1 diabetes",
        r"type[- ]?(?:1|i|one)|juvenile|autoimmune|immune-mediated|from childhood|islet|insulin[- ]deficien\w+|"
        r"makes no insulin||"
        r"T1DM?|DM-?1|IDDM|DM ?I|GAD65",
    ),
    (
        "diabetes",
        "type 2",
        r"\btype 2 diabetes",
        r"type[- ]?(?:2|ii|two)|adult[- ]onset|maturity[- ]onset|adult diabetes|tablet-treated||T2DM?|DM2|DM-2|dm2|DM ?II|"
        r"NIDDM|T2 ?DM",
    ),
    (
        "episode",
        "recurrent",
        r"^(?!.*not specified as recurrent).*\brecurrent\b",
        r"recur|recurr\w*|rec|repeat|repeated|relaps(?:e|es|ed|ing)|another|returning|returned|come back|coming back|"
        r"keeps|again|"
        r"periodic|cyclical|several bouts|on-and-off|fourth|third|second||rMDD|MDD-R|RDD",
    ),
    (
        "episode",
        "single episode",
        r"\bsingle episode\b",
        r"single|first|initial|one-time|one (?:lifetime )?episode|sole|solitary|index|x1||SE",
    ),
    (
        "failure",
        "systolic",
        r"\bsystolic\b",
        r"systolic|sys|(?:reduced|depressed)[- ](?:ef|ejection fraction)|(?:low|weak)[- ](?:ef|pump\w*|squeeze|"
        r"ejection fraction)|"
        r"weak heart|contractile||[cC]?HFrEF|sHF|CSHF|AoCSHF|LVSD|(?:LV)?EF (?:of )?(?:[12]\d|3\d)",
    ),
    (
        "failure",
        "diastolic",
        r"\bdiastolic\b",
        r"diastolic|diast?|preserved[- ](?:ef|ejection fraction)|stiff(?:-heart)?|relax\w*|fills badly|squeezes fine||"
        r"[cC]?HFpEF|[cC]?HFnEF|dHF|CDHF|AoCDHF|(?:LV)?EF (?:of )?(?:[56]\d)",
    ),
    (
        "pattern",
        "abuse",
        r"\babuse\b",
        r"abus(?:e|es|ed|ing)|misus(?:e|es|ing)|harmful|hazardous|binge\w*|bouts?|nondependent|not (?:addicted|hooked)|overuse|"
        r"over-?indulgence|use disorder, mild|mild (?:\w+ )?use disorder|(?:\w+ )?[as]?ud,? mild",
    ),
    (
        "pattern",
        "dependence",
        r"\bdependence,",
        r"(?<!no )(?<!without )depend(?:ence|ency|ent)|dep|addict\w*|alcoholi(?:sm|c)|hook(?:ed)?|habit(?:ual|uated|"
        r"uation)?|smok(?:er|ers|es|ing)|"
        r"craving|can't (?:quit|stop)|pack-a-day|(?:moderate|severe) (?:\w+ )?use disorder|methadone||PPD|ADS",
    ),
    (
        "patient",
        "new patient",
        r"\bnew patient\b",
        r"new|newcomer|first-time|first-timer|first (?:visit|time|encounter|appointment|clinic visit)|maiden|establish care|"
        r"never (?:been |seen)|get-acquainted|moved here|changed doctors||NP|NPV|new pt",
    ),
    (
        "patient",
        "established patient",
        r"\bestablished\b",
        r"established|est|known|existing|regular|usual|my own|returning|return|ret pt|follow-up|recheck(?:ed)?|recurring||"
        r"EP|RPV|F/U|f/u",
    ),
    (
        "visit",
        "first visit",
        r"^First (?:hospital|nursing)|\binitial visit\b",
        r"initial|init|first|1st|admission|admit(?:ted|ting)?|adm|intake|entry|day one|maiden|baseline|inaugural|debut|opening|"
        r"check(?:ing|ed)?[- ]in|observation start|history and physical||H&P|HOD1|AWV-I",
    ),
    (
        "visit",
        "later visit",
        r"^Later (?:hospital|nursing)|\bsubsequent visit\b",
        r"subsequent|subs?q?|daily|later|follow-up|progress|again|yearly|repeat|revisit|recheck(?:ed)?|continuing|renewal|"
        r"returning|"
        r"rounds?|rounding|(?:second|third|fourth|fifth) (?:hospital )?(?:day|morning)||F/U|f/u|HO?D ?[2-9]",
    ),
    (
        "complexity",
        "straightforward",
        r"^(?!.*low).*\bstraightforward\b",
        r"straightforward|minimal|minor|trivial|trifling|self-limit(?:ed|ing)||SF",
    ),
    ("complexity", "low complexity", r"^(?!.*straightforward).*\blow complexity", r"low|limited|simple|uncomplicated|easy"),
    ("complexity", "moderate complexity", r"\bmoderate complexity", r"moderate(?:ly)?|mod|medium|middle|middling"),
    (
        "complexity",
        "high complexity",
        r"\bhigh complexity",
        r"high(?:est)?|grave|gravest|life-threatening|threatening life|top",
    ),
    (
        "contrast",
        "no contrast",
        r"\bno contrast\b",
        r"(?:without|no|w/o|sans|lacking)(?: \w+)? (?:contrast|dye|iodine|gadolinium|injection)|non-?con(?:trast(?:ed)?)?|"
        r"non-?infused|unenhanced|plain|native|dry|dye-free|nothing (?:injected|in the vein)|no needle|w/o||NC|NCCT",
    ),
    (
        "contrast",
        "before and after contrast",
        r"before and after contrast",
        r"(?:with and without|w/ ?wo|without and with|before and (?:after|following)|"
        r"pre[- ]and[- ]post-?)(?: ?\w+)?(?: contrast|dye|gadolinium)?|w/? ?(?:and|&|\+) ?w/?o|(?:native|plain|unenhanced|"
        r"first without)"
        r"(?: and| then)(?: \w+)?[- ](?:enhanced|contrast)|\+/-(?: gad)?||w/wo",
    ),
    (
        "contrast",
        "with contrast",
        r"\bwith contrast\b",
        r"(?:with|w/|c)(?: \w+){0,3} (?:contrast|dye|iodine)|(?:contrast-)?enhanced|post-?contrast|(?<!non-)infused|"
        r"post-?infusion|"
        r"(?:iv|intravenous) (?:contrast|dye|iodine)|iodinated|iohexol|iopamidol|omnipaque|isovue|portal (?:venous )?phase|"
        r"contrast (?:ct|phase)|w/c?||\+C|IV\+|CECT",
    ),
    (
        "views",
        "one view",
        r"\bone view\b",
        r"(?:one|single|1|lone)[- ]?(?:\w+ )?(?:view|v|picture|projection|shot|snap(?:shot)?|exposure|film)|portable|bedside|"
        r"frontal-only||AP(?! ?[/,+&]| and)|1V|pCXR",
    ),
    (
        "views",
        "two views",
        r"(?<!or )\btwo views\b",
        r"(?:two|2)[- ](?:\w+ )?(?:views?|projections?|pictures|shots|films)|(?:pa|posteroanterior|ap|front|frontal)(?: \w+)?"
        r"(?:/| and | & | then | plus |\+)(?:the |left )?(?:lat(?:eral)?|side\w*)|biplane|pair||PA/lat|2V|2-view|PA\+LL",
    ),
    (
        "views",
        "three views",
        r"(?<!or )\bthree views\b",
        r"(?:three|3)[- ](?:\w+[- ])?(?:views?|v|films?|pictures|shots|snaps|exposures|projections?|ways|planes|sides)|"
        r"trio|triple|x3|"
        r"oblique|sunrise|skyline|merchant||3V|AP/obl/lat",
    ),
    (
        "length",
        "half an hour",
        r"\bhalf-hour\b",
        r"(?:half[- ](?:an[- ])?(?:hour|session)|30[- ]min\w*|thirty[- ]minutes?|(?:1[6-9]|2\d|3[0-7])[- ](?:\w+ )?min\w*|"
        r"(?:psy)?tx 30)",
    ),
    (
        "length",
        "45 minutes",
        r"\bforty-five-minute\b",
        r"(?:(?:3[89]|4\d|5[0-2])[- ]min\w*|forty-five(?:[- ]minutes?)?|three[- ]quarters?(?: of an)?(?:[- ]?hour|"
        r" session)|(?:psy)?tx 45)",
    ),
    (
        "length",
        "one hour",
        r"\bhour-long\b",
        r"(?:(?:5[3-9]|6\d)[- ]min\w*|sixty[- ]minutes?|hour-long|one[- ]hour|(?:full|whole|solid)[- ](?:hour|session)|"
        r"an hour|(?:psy)?tx 60)",
    ),
    (
        "urgency",
        "emergency",
        r"(?<!non-)\bemergency transport\b",
        r"emergen(?:cy|t)|911|lights|sirens|stat|urgent|immediate(?:ly)?|rushing||emerg?|BLS-E|ALS1?-E",
    ),
    (
        "urgency",
        "non-emergency",
        r"\bnon-emergency\b",
        r"non-?emerg\w*|non-e|routine|scheduled|sched|prescheduled|planned|booked|prebooked|prearranged|non-urgent|"
        r"not an emergency|no emergency|no sirens||NEMT",
    ),
    ("life support", "advanced life support", r"\badvanced life support\b", r"advanced|paramedics?|medics?||ALS\d?"),
    ("life support", "basic life support", r"\bbasic life support\b", r"basic|EMTs?||BLS"),
    (
        "session",
        "individual",
        r"\bindividual (?:psychotherapy|speech)|psychotherapy session$",
        r"individual|indiv|ind|one[- ]on[- ]one|one[- ]to[- ]one|1:1|alone|solo|solitary|private|"
        r"(?:one|single|lone) (?:client|patient|child)|by myself|just me",
    ),
    (
        "session",
        "in a group",
        r"\bin a group\b|^Group\b",
        r"group|grp|circle|collective|multi-patient|several(?:-patient)?|"
        r"(?:two|three|four|five|six|seven|eight|nine) (?:\w+ )?(?:clients|patients|members|pupils|children|kids)||GPT|GT",
    ),
    (
        "unit",
        "the first unit",
        r"\bfirst (?:lesion|drug|component|hour|antibody)\b|\bone vaccine\b",
        r"first|initial|init|single|1st|one|only|sole|lone|solitary|opening|primary|base|x1|#1",
    ),
    (
        "unit",
        "a further unit",
        r"\b(?:each (?:additional|further|extra)|additional|further|added to)\b",
        r"additional|add(?:'|it)?l|extra|further|another|second|third|subsequent|succeeding|each add\w*|add-on|added|"
        r"adjunct|separate|"
        r"suppl\w*|surplus|beyond(?: the)?(?: first| initial)?|after the (?:first|initial)|sequential|#[2-9]",
    ),
    (
        "region",
        "cervical",
        r"\bcervical region\b|^Cervicalgia|neck level",
        r"cerv(?:ical)?|cervic\w+|paracervical|neck|nape|c-spine|nuchal(?:gia)?|c-(?:radic\w*|spondylosis|stenosis)||"
        r"C[2-8](?:[-/]C?\d)?|c[3-7]-c?[4-7]",
    ),
    (
        "region",
        "lumbar",
        r"\blumbar\b|\blow(?:er)? back\b",
        r"lumb\w*|low(?:er)?[- ](?:back|spine)|l-spine|l/s|l-(?:radic\w*|spondylosis)||L[1-5](?:[-/][LS]?\d)?|c?LBP|LSO|"
        r"LSS|LS|LB",
    ),
    (
        "region",
        "thoracic",
        r"\bthoracic\b",
        r"(?:mid)?thoracic|thor|mid(?:dle)?[- ]back|middle of the back|upper[- ](?:back|spine|backbone)|interscapular|dorsal|"
        r"between (?:the )?shoulder(?:s| blades)|t-spine||T\d{1,2}(?:[-/]T?\d+)?|TSp",
    ),
    (
        "level",
        "upper",
        r"\bupper quadrant\b",
        r"upper|hypochondri\w+|subcostal|(?:under|below) the (?:right |left )?ribs|costal margin|gallbladder|liver|"
        r"hepatic||RUQ|LUQ",
    ),
    (
        "level",
        "lower",
        r"\blower (?:quadrant|abdominal)\b",
        r"lower|groin|inguinal|iliac|appendi\w+|mcburney\S*|(?:down|on|hurting) low|low (?:abd\w*|belly\w*|down|on|in)|"
        r"below the belly button|infraumbilical||RLQ|LLQ|RIF|LIF|LQ",
    ),
    (
        "delivery",
        "vaginal delivery",
        r"\bdelivered vaginally\b",
        r"vag(?:inal(?:ly)?|inam)?|natural(?:ly)?|normal birth|water birth|forceps|ventouse|pushing|pushed out||N?SVD|"
        r"VBAC|VAVD",
    ),
    (
        "delivery",
        "cesarean",
        r"\bby cesarean\b",
        r"c(?:a?esarean|-?section)|cesarean(?: delivery)?|section|sectio|abdominal (?:birth|delivery)|abdominally|cut out||"
        r"C/S|CS|[pR]?LTCS|LSCS|EmCS|RCS|CD",
    ),
)
VALUES: tuple[Value, ...] = tuple(_value(*row) for row in _ROWS)
BY_NAME = {value.name: value for value in VALUES}
