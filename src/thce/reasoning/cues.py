"""Cues of denial: what notes say before or after a thing that is not the patient's, not there, not sure or not done.

Each table gives for a kind of denial (denied, family, ruled_out, not_done, carried) alternatives of a regular
expression, in lower case; `words` compiles them. In the manner of NegEx; beside the usual cues stand those of the denials
that the grammar has for training. A look-ahead names what only sounds like a denial: "no change", "not only", "maybe a
week".
"""

from __future__ import annotations

_KIN = (
    "mother|father|mom|mum|dad|sister|brother|aunt|uncle|grand(?:mother|father|parents?|ma|pa)|cousin|parents?|siblings?|"
    "half[- ](?:sister|brother)|niece|nephew|twin|son|daughter|relatives?"
)
_HOUSE = rf"{_KIN}|husband|wife|spouse"
_KIN_VERB = (
    "is|was|w/|with|has|had|have|got|reportedly|tx|treated|takes|known|dx|diagnosed|carrie[ds]|"
    "carries|suffer(?:s|ed)?|lives with|died|also|both|passed|deceased|developed|did have|struggle[sd]|battle[sd]|"
    "lives w/|end(?:s|ed) up (?:with|w/)|once had|at home has|of (?:the )?(?:patient|pt) (?:has|had|carries)|"
    "just (?:found out|learned|got|out of|diagnosed|came down)"
)
_WHO_HAS = "who (?:has|had|have|is being treated for|was treated for|(?:is living|lives) (?:with|w/)|carries|died of|suffers)"
_OTHERS = (
    "room-?mate|neighbou?r|class-?mate|co-?worker|colleague|team-?mate|friend|boyfriend|girlfriend|partner|fiancée?|"
    "household contact|someone (?:else )?(?:at (?:work|school|home|church)|in the house(?:hold)?)|(?:next|other) bed"
)
_OTHERS_VERB = (
    r"(?:has|had)(?! (?:noticed|seen|heard|been|said|told|to|called|brought|observed)(?!\w))|came down (?:with|w/)|caught|"
    "(?:was|is being|got|is) (?:treated|diagnosed)|tested positive|(?:sick|ill) (?:with|w/)"
)
_OF_KIN = (
    rf"(?:(?:his|her|my|their|the|an?|one|both|two|three|several|some|another|this|that|distant|close|maternal|paternal|"
    rf"older|younger|first-degree|second-degree|patient's|pt's) ){{0,4}}(?:{_KIN})"
)
_THINGS_OF_KIN = (
    "house|home|place|room|bed(?:side)?|lap|arms?|car|phone|request|opinion|advice|account|report|words|name|help|care|"
    "insurance|funeral|charts?|papers|records?|notes?|milk"
)
_CLOSED = (
    r"(?=\W*$|\s*(?:[,;:()|]|->)| (?:after|again|already|and|as|at|based|because|but|by|clinically|during|earlier|following|"
    r"for|from|given|in|later|now|on|or|pending|per|since|this|though|today|too|via|with)(?!\w))"
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
_ISNT_PSEUDO = (
    f"{_NOT_PSEUDO}|going|getting|helping|working|healing|closing|moving|clear|normal|right|fair|as|that|so|too|like|always|"
    "constant|new|bad|easy|safe|funny"
)
_MAYBE_PSEUDO = (
    r"(?:(?:an?|the|one|two|three|four|five|six) )?(?:(?:few|couple|little) (?:of )?)?(?:week|day|month|year|hour|"
    r"minute|bit)s?|once|twice|since|because|due|from|half|\d+|one|two|three|four|five|six"
)
_BEFORE_PSEUDO = "noon|lunch|supper|dawn|being|seeing|evaluation|(?:the )?(?:doctor|physician|provider|exam)"
_PLAN_PSEUDO = "(?:the |this |our )?(?:plan|treatment|advice|recommendations?|bill|charge|decision)"
_WRONG_PLACE = r"(?:wrong|incorrect|another|different|other)[ -](?:chart|patient|pt|person|record|encounter|account)(?:'s)?"
_OLD_NOTE = (
    r"(?:old|prior|previous|earlier|last|outdated) "
    r"(?:visit |clinic |progress |problem |discharge |paper |referral |(?:provider|doctor)'s )?"
    r"(?:note|list|chart|entry|encounter|template|summary|claim|import|letter|banner)s?"
)
_THE_LIST = r"(?:problem )?(?:list|chart|claim|bill|order set)"
_FORM = "box(?:es)?|form|questionnaire|checklist|flowsheet"
_ANSWER = r"(?:no|nope|nah|none|never|n|neg(?:ative)?|not at all|denie[sd])"

BEFORE = {
    "family": (
        rf"family|fam hx|fhx?|pedigree|genogram|heredity|hereditary background|familial loading|runs on my|"
        rf"(?:has an?|two|three|several) (?:{_KIN})|"
        rf"(?:{_HOUSE})s?(?:['’]s side)?(?: (?:{_KIN_VERB})(?!\w)|,? {_WHO_HAS}|:| -| \([^)]{{0,20}}\)|(?= \+))|"
        rf"(?:{_OTHERS}) (?:{_OTHERS_VERB})|(?:{_KIN})(?:,| and) not (?:the |our )?(?:patient|pt)|"
        rf"(?:{_HOUSE}),? [^.;]{{0,40}}(?:the one (?:with|w/)|(?:mention(?:s|ed)|volunteers?|describes) "
        rf"(?:(?:having had|her|his|their|or|own) ?){{1,4}})|"
        rf"(?:{_HOUSE}|neighbou?r|roommate|partner|friend)['’]s(?=\s|$)(?! (?:side|{_THINGS_OF_KIN})(?!\w))|"
        rf"lost (?:an?|my|his|her|their|one|the) (?:{_HOUSE}|friend) to|(?:maternal|paternal)(?:[ -](?:side|line))|"
        rf"in (?:his |her |my |their )?(?:maternal |paternal )?(?:{_KIN}):?"
    ),
    "denied": (
        rf"no(?! (?:{_NO_PSEUDO})(?!\w))|not(?! (?:{_NOT_PSEUDO})(?!\w))|without(?! (?:{_WITHOUT_PSEUDO})(?!\w))|w/o|"
        r"den(?:y|ies|ied|ying)|(?<!gram )neg(?:ative)?(?! (?:pressure|predictive|balance))|-ve|absent|never|free of|"
        r"none|nor|neither|nope|zero (?:evidence|complaints?|signs?|symptoms?|history|reports?|episodes?) of|\(-\)|"
        r"asked (?:twice |again |specifically |directly |repeatedly )?about|cannot exclude|nothing to suggest|"
        r"nothing suggests|nothing (?:resembling|suggestive|pointing|consistent|compatible|indicating)|"
        r"nothing (?:in|on|from) (?:[\w'’-]+ ){1,6}(?:shows?|suggests?|supports?|indicates?|pointing|points|suggestive)|"
        r"lacks|lack of (?:any|evidence)|absence of|nil|pertinent negatives?(?: include[sd]?)?|"
        r"fail(?:s|ed)? to (?:reveal|show|demonstrate|confirm|corroborate|substantiate|support)|"
        r"(?:unable to|cannot|could not) (?:find|detect|confirm|identify|demonstrate|elicit|substantiate|corroborate)|"
        r"unremarkable for|clear (?:of|for)|all clear on|clear(?:s|ed) (?:the )?(?:pt|patient|him|her|me|them) of|"
        r"rather than|instead of|as opposed to|been spared|unaffected by|silent (?:on|about|as to)|blank for|"
        rf"disputes|disagrees? (?:with|w/|about)(?! {_PLAN_PSEUDO}(?!\w))|would(?:n['’]t| not) say|know if (?:i|he|she) had|"
        r"incompatible (?:with|w/)|inconsistent (?:with|w/)|does away (?:with|w/)|"
        r"(?:argu(?:e[sd]?|ing)|speaks?|spoke|evidence|weighs?|points?)(?: \w+ly)? against|"
        r"(?:have|has|had)n['’]t (?:any|had|got|developed|noticed|seen)|"
        r"(?:do|does|did)n['’]t (?:have|show|reveal|suggest|demonstrate|see|find|think|support)|"
        rf"(?:it|this|that) (?:is|was)n['’]t(?! (?:{_ISNT_PSEUDO})(?!\w))|(?:is|was|are|were)n['’]t (?:any|an?|the|from|due)"
    ),
    "ruled_out": (
        r"rul(?:es?|ed|ing)[ -](?:him |her |them |pt |(?:the )?patient )?out|(?:to|will|must|can|could) rule|r/o|"
        r"disprov(?:e[ds]?|en)|refute[ds]?|exclud(?:e|es|ed|ing)|(?<!no )(?<!without )doubt(?:s|ed|ful)?|"
        r"unlikely|unconfirmed|unproven|unverified|eliminates|effectively eliminated?|discard(?:s|ed|ing)?|invalidate[sd]?|"
        r"i reject|rejects|contradict(?:s|ed|ing)?|overturn(?:s|ed|ing)?|set(?:s|ting)? aside(?! (?:time|an?|the|for)(?!\w))|"
        r"erase[sd]?|cross(?:ed|es)? off|"
        r"possib(?:ly|le|ility of)|probabl[ey]|likely|presum(?:ed|es?|ably)|suspect(?:ed|s|ing)?|"
        rf"(?:maybe|perhaps)(?! (?:{_MAYBE_PSEUDO})(?!\w))|conceivably|tentatively|hypothes[ie]s|conjecture|hunch|"
        r"(?:remote|small|slight|slim|some|outside) (?:chance|odds) (?:of|that)|chance (?:that )?(?:i have|it['’]s|this is)|"
        r"suspicio(?:us for|n (?:of|for|is))|question(?:ed)? of|questionable|questions? (?:if|whether)|"
        r"(?<!coding )query(?! (?:answered|closed|opened|results?|response|reply)(?!\w))|queried|"
        r"wonder(?:s|ed|ing)? (?:if|whether|about)|previously questioned|concern(?:s|ed|ing)? (?:for|of|that)|"
        r"(?:raised|the|floated) (?:the )?idea of|differential|ddx|vs(?! ?:)|versus|"
        r"(?:compatible|consistent) (?:with|w/)|suggestive of|appears to be|looks like|sound(?:s|ed)? (?:a (?:bit|"
        r"little) )?like|"
        r"thinking (?:of|about)|to think of|thought (?:of|to be|it was|maybe)|(?:initially|first|everyone|had) thought|"
        r"(?:initially|first|originally) (?:treated as|label+ed|read as|called|taken for)|"
        r"(?:came|sent) in (?:label+ed|as(?! (?:scheduled|planned|directed|instructed|usual|needed|an?)(?!\w)))|"
        r"(?<!things )(?<!is )(?<!was )(?<!are )consider(?:s|ed|ing)?(?! (?:high|low|at|stable)(?!\w))|"
        r"open mind (?:as to|about|on)|before committing to|premature to|too (?:early|soon) to (?:call|diagnose|label)|"
        r"leading (?:consideration|suspicion)|"
        r"worr(?:y|ied|ies|ying) (?:about|for|that)|(?:may|might|could) (?:(?:this|it|that) )?(?:be|have|represent|reflect)|"
        r"(?:whether|if) (?:(?:this|it|that) (?:is|was|really is|really was|amounts to)|(?:i|he|she|pt|(?:the )?patient) "
        r"(?:really )?(?:has|have|had)(?! to(?!\w))|there (?:is|was))|if it['’]s(?! (?:ok|okay|safe|fine|normal|time)(?!\w))|"
        r"(?:thinks?|afraid|scared|convinced|guess(?:es)?) (?:(?:it['’]s|it is|it was|this is|maybe)|of having)|convinced of|"
        r"(?:google|the internet|internet|webmd) (?:says|said|suggests|thinks)|googled|"
        r"(?:tentative|provisional|working|preliminary) (?:diagnosis|dx|impression|read(?:ing)?)|"
        r"provisional(?:ly)?(?: only)?(?=:)|"
        r"(?:evaluat(?:e|ed|ing|ion)|assess|work-?up|look(?:ing)?|watch|workup) (?:out )?for|"
        r"investigat(?:ed|ing|ions?) for|chasing|(?:question to be answered|clinical question)(?=:)|"
        r"label of|mislabel(?:l?ed)?(?: as)?|misdiagnosed(?: as| with)?|mistaken for|so-called|supposed(?:ly)?|"
        r"alleged(?:ly)?|"
        r"(?:return|call|come back|go to the ed|wonders?|unsure|not sure|not certain) (?:if|whether)|in case of|"
        r"warned (?:about|of)|deleted after testing|entered in error"
    ),
    "not_done": (
        r"cancel(?:l?ed|l?ing|l?ation of)?|discontinu(?:e[ds]?|ing)|hold|h[eo]ld(?:ing)? off|void(?:ed)?|skip(?:ped)?|"
        r"(?:advis(?:e|ed|ing)|decid(?:e|es|ed|ing)|elect(?:s|ed)?|counsel(?:s|ed)?|chose|opted|recommend(?:s|ed)?)"
        r"(?: \w+ly)? against|"
        r"order for|duplicate|removed from|did not get|not ordered|defer(?:red|ring)?|postpon(?:e[ds]?|ing)|"
        r"declin(?:es|ed|ing)|refus(?:es|ed|ing)|(?:in|by) (?:error|mistake|accident)|mistaken(?:ly)?|erroneous(?:ly)?|"
        r"accidentally|line through|forgo(?:es|ing|ne)?|forego(?:es|ing|ne)?|"
        r"(?:opt(?:s|ed|ing)?|back(?:s|ed|ing)?|chickened|bowed|talked) out of|ran out of time for|stopped short of|"
        rf"nix(?:ed)?|no[- ]?show(?:s|ed)? (?:for|to)|(?:left|walked out|eloped) before(?! (?:{_BEFORE_PSEUDO})(?!\w))|"
        rf"went home ahead of|"
        r"credit(?:ed)? (?:issued |given )?for|refund(?:ed)? (?:issued )?for|reverse[sd](?! (?:with|by)(?!\w))|"
        r"(?:won['’]t|will not|would not|wouldn['’]t) (?:approve|cover|authori[sz]e|pay)|turned down(?! ?,)|"
        r"didn['’]t go for|did not go for|"
        r"(?:pharmacy|lab|insurer|insurance|payer|plan) (?:bounced|rejected|denied)|(?:sent back|returned) unsigned|"
        r"expired unfilled|changed (?:(?:his|her|my|their) )?mind (?:about|re|on)|unchecked|unticked|"
        r"please (?:take off|delete|erase|drop|strike)|"
        r"mis-?(?:filed|keyed|entered|coded|charted|click(?:ed)?)|delet(?:e[ds]?|ing)|str(?:ike|iking|uck|icken)|"
        r"(?:cross|scratch)(?:ed)? out|retract(?:s|ed|ing)?|rescind(?:s|ed)?|revoke[ds]?|disregard|ignore|"
        rf"{_WRONG_PLACE}|(?:error|wrong|incorrect) entry|remove (?:the )?(?:diagnosis|dx|entry|order|line)"
    ),
    "carried": (
        r"copied|copy[- ](?:forward|paste)|cloned|old note|old entry|previous entry|last year's (?:note|list|chart)|resolved|"
        rf"inactive|carr(?:ied|y|ying) (?:forward|over)|pulled (?:forward|in|over)|imported from|{_OLD_NOTE}|outdated|"
        rf"obsolete|imported (?:text|list|problem|entry)|pasted in|visits ago|expired entry|archived|"
        r"historical (?:entry|item|import|dx|diagnosis)|legacy (?:dx|diagnosis|entry|code|problem|list)|"
        r"template text|past problem|past correspondence|"
        r"(?:chart|list|summary|portal|record|pmh|banner|template) (?:(?:read|you|out|printed|over|the|phone) ){0,5}still "
        r"(?:shows?|lists?|says|has|have|carries|flashes|mentions)|no longer (?:has|active|takes|needs|uses)"
    ),
}
"""Cues that deny what follows them."""

_AGAIN = {
    "denied": (
        r"never had (?:it|this|that)(?! (?:this|so|that|like|as|before)(?!\w))|there (?:is|was|are|were) none|"
        r"there (?:is|was|are)n['’]t any|(?:do|does|did)(?:n['’]t| not) have (?:it|that|this|one|any)"
    ),
    "family": r"not (?:me(?=\W*$)|mine|(?:the )?(?:patient|pt)['’]s)",
    "ruled_out": (
        r"(?:say|says|said|show|shows|showed|prove[sd]?) otherwise|(?:takes?|took|taken) (?:it|that|this|them) back|"
        r"rul(?:es|ed|ing) (?:it|that|this|them) out|(?:it|this|that) (?:is|was)(?: not|n['’]t)(?=\W*$)|who knows|"
        r"what do i know|would want proof"
    ),
    "not_done": (
        r"decided against (?:it|that|this)|never (?:got|received|did|collected) (?:it|that|this|one)|"
        r"(?:did not|didn['’]t) (?:order|do|get|want|have) (?:it|that|this|one)|call(?:s|ed|ing)? (?:it|that|this) off|"
        r"chose not to|said no(?= thanks|\W*$)|let (?:it|that) go(?=\W*$)|(?:did not|didn['’]t) go(?=\W*$)"
    ),
    "carried": r"g(?:ot|ets) over (?:it|that)|outgr(?:ew|own) (?:it|that)|no longer ha(?:s|ve) (?:it|that|this)",
}
"""Cues that speak once more of what stands before them, so that "but" before them turns to nothing else."""

_AFTER = {
    "denied": (
        r"absent (?:on|at|from|today|per|by)|is absent|none|(?:not|never) (?:actually |really |truly )?present|"
        r"(?:is|was|are|were|been|remains?|came back|returned|tested|screen(?:ed)?) (?:absent|negative|denied|nil)|"
        r"negative (?:over the phone|by phone|per (?:pt|patient|caller))|denied by|"
        rf"den(?:y|ies|ied)(?=\W*$)|(?<=[:(|=])\s?(?:{_ANSWER}|absent|nil|false)\)?(?=\W*$)|\(-\)|"
        rf"[-–—=|] ?(?:{_ANSWER}|absent|nil|false)(?=\W*$)|-> ?(?:neg(?:ative)?|none|absent)|"
        rf"(?<=\?)[\"”’ ]{{1,3}}(?:[a-z]+: )?[\"“]?{_ANSWER}|shakes (?:(?:his|her) )?head|"
        r"(?:marked|answered|circled|ticked|checked) [\"“]?n(?:o|eg|egative|one)?(?!\w)|in the negative|flat no|"
        r"answers? (?:both times |each time |is |was )?(?:no|nope)|"
        rf"(?:{_FORM}) (?:left )?(?:empty|blank|unchecked|unticked)|(?:un(?:checked|ticked))(?=\W*$)|"
        r"not (?:seen|noted|detected|appreciated|evident|visuali[sz]ed|apparent|demonstrated|an issue|a problem|"
        r"a concern|endorsed)|"
        r"(?<!cause )not found(?=\W*$)|(?:is|was|are|were|been) not (?:found|observed|identified|reported|there|"
        r"the case|part of)|"
        r"never been (?:an issue|a problem|a concern|present)|never in my life|nowhere to be (?:found|seen)|"
        r"unsupported|disavowed|unrewarding|(?:conspicuously|notably) (?:missing|absent|lacking)|"
        r"at no time (?:observed|seen|noted|present|witnessed|documented)|"
        r"nothing (?:of the (?:kind|sort)|like (?:it|that))|did not occur|does(?: not|n['’]t) apply|"
        r"has(?: not|n['’]t) (?:come up|shown up|occurred|happened)|(?:among|amongst) the negatives|not among|"
        r"(?<!goals )(?<!goal )(?<!targets )(?<!target )(?<!criteria )(?:is|are|were) not (?:met|fulfilled|"
        r"satisfied)|haven['’]t(?=\W*$)"
    ),
    "family": (
        rf"runs (?:in|on)|in the family|in our (?:blood|genes)|in (?:my|his|her|their) (?:genes|bloodline)|"
        rf"(?:in|affected|affects|affecting|belongs to) {_OF_KIN}s?|"
        rf"is what {_OF_KIN} (?:has|had|died|takes|is being|was)|(?:is|was) (?:the|his|her|my|their|another|"
        rf"an?) (?:{_HOUSE})['’]s|"
        rf"(?:(?<=[-–—(,:] )|(?<=[–—(,:/]))(?:{_KIN})(?: only)?\)?$|(?:by|per|as) family (?:history|hx)|"
        rf"family (?:history|hx) only|(?:patient|pt|proband|chart|self|child) (?:is |was |otherwise |herself |himself )?"
        r"(?:unaffected|not affected|spared|tested and clear)|(?:mother|father|maternal|paternal)(?:['’]s)?[ -](?:side|line)"
    ),
    "ruled_out": (
        rf"(?:ruled|rules)[ -]out{_CLOSED}|excluded|not confirmed|not borne out|withdrawn|suspected{_CLOSED}|unproven|"
        r"not yet established|(?:not|never) (?:been |yet )?(?:confirmed|proven|proved|supported|substantiated|verified)|"
        r"not (?:the diagnosis|what (?:this|it|that|ails|is)|to be (?:present|there|the case)|the case|codable)|"
        r"not examined|will test|considered|nothing (?:established|confirmed|proven|there(?=\W*$))|"
        r"to be (?:checked|confirmed|determined|ruled|verified|clarified|sorted out)|(?:remains|yet) to be (?:seen|"
        r"shown|proven|established)|awaiting (?:results|confirmation|biopsy)|visit booked|work-up arranged|"
        r"follow-up as outpatient|(?:less |very |highly |felt |thought |deemed )?unlikely|doubtful|improbable|"
        r"disprov(?:ed|en)|refute[sd](?: that| it)?|dismissed|unconfirmed|unverified|not verifiable|unverifiable|"
        r"questionable|queried|in question|open question|who knows|untenable|discarded|overturned|invalidated|"
        r"(?<!transplant )(?<!graft )rejected|(?:been|was|were|and)(?: \w+ly)? eliminated(?=\W*$)|crossed off|false alarm|"
        r"off the (?:table|differential)|out of the (?:running|question|picture)|wrong guess|"
        r"prove[ns]?d? (?:to be )?(?:wrong|false|negative|incorrect|unfounded|mistaken)|-> ?(?:wrong|r/o|ruled out)|"
        r"(?:is|was) (?:mistaken|unfounded)|(?:diagnosis|guess|label|impression|this|that) (?:is|was) (?:wrong|"
        r"incorrect)|mistaken(?=\W*$)|"
        r"could not (?:be )?(?:substantiate|corroborate)d?|could not be (?:confirmed|verified)|evidence (?:is |"
        r"was )?(?:wanting|lacking)|crossed my mind|exists at all|yes or no(?=\W*$)|"
        r"(?:documented|charted|listed|written|recorded) (?:as|with) [\"“]?(?:probable|possible|likely|suspected|r/o|"
        r"rule[ -]out)|vs(?! ?:)|versus|"
        r"\(\?\)|(?:possible|probable|likely)(?=\W*$|, (?:work-?up|tests?|labs|imaging|pending|awaiting))|"
        r"(?:is|remains?) (?:a |the )?(?:possib|consideration|concern)\w*|as (?:a|one|another) possib\w+|"
        r"(?:is|was|remains?)(?: only| just| still| merely)? an? (?:hypothesis|theory|guess|hunch|conjecture|"
        r"working thought)|(?:in|on|enters|joins) the differential|misdiagnos(?:is|ed)|wrong diagnosis|confirmation pending|"
        r"did not pan out|(?:may|might|could) be (?:present|brewing)|"
        r"pending (?:confirmation|work-?up|evaluation)|turned out (?:not|to be (?:wrong|nothing|negative|false))|"
        r"cannot be (?:excluded|ruled out|confirmed)"
    ),
    "not_done": (
        r"written off|reversed|deferred|no longer needed|postponed|called off|cancell?ed|held (?:off|over)|"
        r"void(?:ed)?|put off|"
        r"left for a later|entered by mistake|removed|not (?:requested|done|needed|performed|indicated|required|"
        r"administered|dispensed|billed|carried out|completed|ordered|delivered|rendered|provided|pursued|repeated|"
        r"undertaken)|never (?:done|given|"
        r"performed|ordered|dispensed|delivered|happened|took place|carried out|collected|drawn|showed up|arrived)|"
        r"(?:did not|didn['’]t|does not|has not|hasn['’]t|will not|won['’]t) (?:take place|taken place|go ahead|"
        r"happen|proceed)|(?:is|was|are)n['’]t happening|(?:which|that) was not given|estimate only|"
        r"slot (?:released|given away)|stopped before it|would add (?:little|nothing)|nothing so far(?=\W*$)|"
        r"d/c['’]?d? (?:prior to|before|from (?:the )?list)|discontinued|declined|refused|aborted|"
        r"withheld|on hold|(?:in|by) (?:error|mistake|accident)|mistakenly|erroneously|accidentally|inadvertently|"
        r"mis-?(?:filed|keyed|entered|coded|charted)|"
        rf"{_WRONG_PLACE}|duplicate (?:entry|order|charge)|delet(?:ed|ion)|str(?:uck|icken)|(?:crossed|scratched) out|"
        rf"scratched from|off (?:line \d|(?:the |this |my )?{_THE_LIST})|purged|left uncoded|not coded|"
        r"taken off (?:the|his|her|this)|scrapped|"
        r"dropped(?=\W{0,2}$| (?:after|as|at|because|by|for|from|off|per|since)(?!\w))|belongs to (?:another|someone|"
        r"a different)|"
        r"retracted|rescinded|revoked|nullified|please (?:disregard|ignore|delete|remove)|, (?:delete|ignore)(?=\W*$)|"
        r"should (?:be |have been )?(?:removed|deleted|disregarded|ignored)|should not (?:be|have)|does not belong"
    ),
    "carried": (
        r"resolved|no longer (?:present|there|active|an issue|a problem|applies|relevant|current|true)|out of date|outdated|"
        r"obsolete|now "
        rf"gone|struck out|not (?:current|active)|(?:is|now|marked|status:|->) inactive|carried (?:forward|over|from)|"
        rf"(?:has|have|since) cleared|copied|came over from|"
        r"(?:long since|since) (?:healed|cured|settled|resolved|gone)|cured since|outgr(?:ew|own)|recovered fully|"
        r"fully recovered|"
        r"cleared (?:up )?(?:years|long|entirely)|gone years ago|that was years ago|(?:is|it['’]s) (?:old news|"
        r"stale)|over now|(?:episode|chapter) is (?:over|closed)|of no relevance|past condition|historical (?:import|entry)|"
        rf"imported list|pulled forward|from (?:an? |the |my )?{_OLD_NOTE}"
    ),
}
AFTER = {kind: f"{cues}|{_AGAIN[kind]}" for kind, cues in _AFTER.items()}
"""Cues that deny what stands before them."""

_TURN_CUES = (
    "but|however|although|nevertheless|except|apart from|aside from|now with|now has|presents? (?:today )?(?:with|for)|"
    "presenting (?:with|for)|(?<!treated )(?<!hospitalized )here (?:today )?for|came in (?:for|with)|complain(?:s|ed|"
    "ing) of|c/o|(?<=, )positive for|found to have|does have|instead has"
)
_LINK = r"(?:\W+(?:was|were|is|are|has|have|had|been|it|this|that|then|later|now|since|soon|ultimately|subsequently)\b){0,3}"
_BACK = rf"(?:\W+[\w'’]+){{0,4}}?\W+(?:{'|'.join(_AGAIN.values())})(?![\w-])"

TURN = rf"\b(?:{_TURN_CUES})(?!\w)(?!{_LINK}\W+(?:{'|'.join(AFTER.values())})(?![\w-]))(?!{_BACK})"
"""Where a sentence turns to something else; "considered but ruled out" and "asked for it but never got it" do not."""

ANSWERED = rf"(?i:[\"”’]?\s+(?:[a-z]+: )?[\"“]?{_ANSWER}(?=\s*(?:$|[\n.;!\"”)])| in my life))"
"""What answers a question with no, so that the answer belongs to it: "Fever? None."""
