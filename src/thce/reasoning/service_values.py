"""Values of the facets in which services differ: patient, visit, complexity, contrast, views, length, urgency, unit ...

Each row: facet, name, a pattern on titles, and cues on notes; see `values`. The titles of CPT numbers are our own labels.
"""

from __future__ import annotations

SERVICE_ROWS = (
    (
        "patient",
        "new patient",
        r"\bnew patient\b",
        r"new|newcomer|first-time|first-timer|first (?:visit|encounter|appointment|clinic visit)|maiden|establish care|"
        r"never (?:been )?seen|get-acquainted|moved here|changed doctors||NP|NPV|new pt",
    ),
    (
        "patient",
        "established patient",
        r"\bestablished\b",
        r"established|est|known|returning|return|ret pt|(?:existing|regular|usual) (?:patient|doctor)|my own doctor|follow-up|"
        r"recheck(?:ed)?||EP|RPV|F/U|f/u",
    ),
    (
        "visit",
        "first visit",
        r"^First (?:hospital|nursing)|\binitial visit\b",
        r"initial|init|first|1st|admission|admit(?:ted|ting)?|adm|(?:hospital|inpatient|facility|residence) intake|"
        r"intake inpatient|entry (?:visit|exam)|day one|maiden|inaugural|debut|opening|check-in exam|observation start|"
        r"history and physical||H&P|HOD1|AWV-I",
    ),
    (
        "visit",
        "later visit",
        r"^Later (?:hospital|nursing)|\bsubsequent visit\b",
        r"subsequent|subs?q?|daily|later|follow-up|progress|again|yearly|repeat|revisit|recheck(?:ed)?|continuing observation|"
        r"returning|(?:ward|hospital|morning|inpatient|home|NH) rounds?|rounding|"
        r"(?:second|third|fourth|fifth) (?:hospital )?(?:day|morning)||F/U|f/u|HOD ?[2-9]",
    ),
    (
        "complexity",
        "straightforward",
        r"^(?!.*low).*\bstraightforward\b",
        r"straightforward|minimal|minor|trivial|trifling|self-limit(?:ed|ing)||SF",
    ),
    ("complexity", "low complexity", r"^(?!.*straightforward).*\blow complexity", r"low|limited|simple|uncomplicated"),
    (
        "complexity",
        "moderate complexity",
        r"\bmoderate complexity",
        r"moderate(?:ly)?|mod|medium|middling|middle (?:tier|level)",
    ),
    (
        "complexity",
        "high complexity",
        r"\bhigh complexity",
        r"high(?:est)?|grave|gravest|life-threatening|threatening life|top[- ](?:tier|level)",
    ),
    (
        "contrast",
        "no contrast",
        r"\bno contrast\b",
        r"(?:without|no|w/o|sans|lacking)(?: \w+)? (?:contrast|dye|iodine|gadolinium|injection)|non-?con(?:trast(?:ed)?)?|"
        r"non-?infused|unenhanced|plain|(?:ct|mri?|tomodensitometry|tomography|series)(?: \w+)?, (?:native|dry)|"
        r"(?:native|dry)(?: \w+){0,2} (?:ct|mri?|series)|(?:ct|mri?)(?: \w+)? (?:native|dry)|dye-free|"
        r"nothing (?:injected|in the vein)|w/o||NC|NCCT",
    ),
    (
        "contrast",
        "before and after contrast",
        r"before and after contrast",
        r"(?:with (?:and|&) (?:without|w/?o)|w/ ?wo|without and with|before and (?:after|following)|pre[- ]and[- ]post-?)"
        r"(?: ?\w+)?(?: contrast|dye|gadolinium)?|w/? ?(?:and|&|\+) ?w/?o|"
        r"(?:native|plain|unenhanced|first without)(?: and| then)(?: \w+)?[- ](?:enhanced|contrast)|native then enhanced||w/wo",
    ),
    (
        "contrast",
        "with contrast",
        r"\bwith contrast\b",
        r"(?:with|w/|c)(?: (?!(?:no|and|without)\b)\w+){0,3} (?:contrast|dye|iodine)|(?:contrast-)?enhanced|post-?contrast|"
        r"(?<!non-)infused|post-?infusion|(?:iv|intravenous) (?:contrast|dye|iodine)|iodinated|iohexol|iopamidol|omnipaque|"
        r"isovue|portal (?:venous )?phase|contrast (?:ct|phase)|w/||\+C|IV\+|CECT",
    ),
    (
        "views",
        "one view",
        r"\bone view\b",
        r"(?:one|single|1|lone)[- ]?(?:\w+ )?(?:view|v|picture|projection|shot|snap(?:shot)?|exposure|film)|portable|"
        r"bedside (?:\w+ )?(?:film|chest|exposure|frontal)|frontal-only||AP(?! ?[/,+&]| and)|1V|pCXR",
    ),
    (
        "views",
        "two views",
        r"(?<!or )\btwo views\b",
        r"(?:two|2)[- ](?:\w+ )?(?:views?|projections?|pictures|shots|films)|(?:pa|posteroanterior|ap|front|frontal)(?: \w+)?"
        r"(?:/| and | & | then | plus |\+)(?:the |left )?(?:lat(?:eral)?|side\w*)|biplane||PA/lat|2V|2-view|PA\+LL",
    ),
    (
        "views",
        "three views",
        r"(?<!or )\bthree views\b",
        r"(?:three|3)[- ](?:\w+[- ])?(?:views?|v|films?|pictures|shots|snaps|exposures|projections?|ways|planes|sides)|trio|"
        r"triple projection|films x3|sunrise|skyline|merchant|ap, (?:lateral|oblique),? (?:and |& )?(?:oblique|lateral|skyline|"
        r"sunrise|merchant)||3V|AP/obl/lat",
    ),
    (
        "length",
        "half an hour",
        r"\bhalf-hour\b",
        r"(?:half[- ](?:an[- ])?(?:hour|session)|30[- ]min(?:s|utes?)?|thirty[- ]minutes?|(?:psy)?tx 30)",
    ),
    (
        "length",
        "45 minutes",
        r"\bforty-five-minute\b",
        r"(?:(?:3[89]|4\d|5[0-2])[- ]min(?:s|utes?)?|forty-five[- ]minutes?|three[- ]quarters?(?: of an|-)?[- ]?(?:hour|"
        r"session)|"
        r"(?:psy)?tx 45)",
    ),
    (
        "length",
        "one hour",
        r"\bhour-long\b",
        r"(?:(?:5[3-9]|6\d)[- ]min(?:s|utes?)?|sixty[- ]minutes?|hour-long|one[- ]hour|(?:full|whole|solid)[- ](?:hour|"
        r"session)|"
        r"an hour|(?:psy)?tx 60)",
    ),
    (
        "urgency",
        "emergency",
        r"(?<!non-)\bemergency transport\b",
        r"emergen(?:cy|t)|911|lights|sirens|stat|urgent|immediate(?:ly)?||emerg?|BLS-E|ALS1?-E",
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
        r"individual|indiv|ind tx|one[- ]on[- ]one|one[- ]to[- ]one|1:1|solo|private session|client alone|"
        r"(?:one|single|lone) (?:client|patient|child)",
    ),
    (
        "session",
        "in a group",
        r"\bin a group\b|^Group\b",
        r"group|grp|talking circle|collective|multi-patient|several-patient|"
        r"(?:two|three|four|five|six|seven|eight|nine) (?:\w+ )?(?:clients|members|pupils)||GPT",
    ),
    (
        "unit",
        "the first unit",
        r"\bfirst (?:lesion|drug|component|hour|antibody)\b|\bone vaccine\b",
        r"first|initial|init|single|1st|one|sole|lone|solitary|opening|primary stain|base unit|x1|only (?:drug|lesion|iv)",
    ),
    (
        "unit",
        "a further unit",
        r"\b(?:each (?:additional|further|extra)|additional|further|added to)\b",
        r"additional|add(?:'|it)?l|extra|further|another|second|third|subsequent|succeeding|each add\w*|add-on|added|adjunct|"
        r"supplementary|surplus|beyond(?: the)?(?: first| initial)?|after the (?:first|initial)|sequential|"
        r"(?:push|vaccine|admin|hr|hour),? #[2-9]",
    ),
)
