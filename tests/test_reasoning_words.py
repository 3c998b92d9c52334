"""What a sentence denies: a table of cue sentences, the words in question in brackets, and the kind of denial."""

from __future__ import annotations

import re

import pytest

from thce.reasoning import cues, words

HEARD = """
denied    | Denies [chest pain]
denied    | Negative for [deep vein thrombosis]
denied    | -ve for [strep throat]
denied    | CT fails to reveal [appendicitis]
denied    | I haven't had [chest pain]
denied    | Film doesn't show [pneumonia]
denied    | Bronchitis rather than [pneumonia]
denied    | Without [nausea] or vomiting
denied    | [Chest pain] is denied
denied    | [Chest pain]: negative
denied    | [Fever] (neg)
denied    | [Gallstones] not seen on ultrasound
denied    | Flu swab came back; [influenza] was not found
ruled_out | r/o [pneumonia]
ruled_out | Rule out [pneumonia]
ruled_out | Admitted to rule [sepsis] out
ruled_out | ?[pulmonary embolism]
ruled_out | ? early [appendicitis]
ruled_out | Fever, query [urinary tract infection]
ruled_out | Suspicious for [melanoma]
ruled_out | Concerning for [sepsis]
ruled_out | Presumed [gout]
ruled_out | Likely [viral gastroenteritis]
ruled_out | Could be [gout]
ruled_out | GERD vs. [angina]
ruled_out | [GERD] vs. angina
ruled_out | Evaluate for [anemia]
ruled_out | Working diagnosis: [cellulitis]
ruled_out | Return if [fever] develops
ruled_out | Unlikely [kidney stone]
ruled_out | [Pneumonia] was ruled out by chest film
ruled_out | [Pneumonia] was considered but ruled out
ruled_out | [Pulmonary embolism] thought unlikely
ruled_out | [Meningitis] excluded
ruled_out | [Asthma] suspected, tests ordered
ruled_out | [Pneumonia] cannot be excluded
ruled_out | [Gout] (?)
ruled_out | [Gout] is possible
family    | Mother had [breast cancer]
family    | Father died of [colon cancer] secondary to polyps
family    | Grandma (deceased): [diabetes]
family    | In her sister: [lupus]
family    | FHx of [stroke]
family    | Wife has [influenza]
family    | [Migraine] runs in the family
family    | [Glaucoma] in her maternal aunt
family    | [Gout] by family history only
family    | Two brothers with [asthma]
ruled_out | Findings compatible with [gout]
ruled_out | [Asthma] was never confirmed
denied    | [Wheezing] absent on exam
not_done  | [Asthma] was keyed in by accident
not_done  | [Asthma] was charted in error
not_done  | [Asthma] entered by mistake
not_done  | [Diabetes] belongs in another patient's chart
not_done  | Wrong chart: [diabetes]
not_done  | Please disregard [diabetes]
not_done  | [Lipid panel] was ordered but cancelled
not_done  | [Lipid panel] voided
not_done  | Canceled: [lipid panel]
not_done  | Patient declined [flu vaccine]
not_done  | Deleted [hypertension] from the list
not_done  | [Hypertension] retracted
not_done  | [Gout] crossed out
carried   | Carried forward: [pneumonia]
carried   | Copy-forward, [pneumonia]
carried   | Prior note: [sinusitis]
carried   | [Sinusitis] is no longer active
carried   | [Sinusitis] carried over
carried   | No change here. [Otitis] struck out
denied    | [Night sweats]? Nope
denied    | [Palpitations] - none
denied    | Nothing suggestive of [meningitis]
denied    | Could not elicit [rebound tenderness]
denied    | Neither [vertigo] nor tinnitus
denied    | The exam argues against [torticollis]
denied    | Pertinent negatives include [hemoptysis]
denied    | [Orthopnea] is conspicuously missing
denied    | Ultrasound could not detect [hydronephrosis]
family    | Genogram: [Huntington disease]
family    | Roommate tested positive for [mononucleosis]
family    | Lost a brother to [leukemia]
family    | [Sickle cell trait] is on the maternal side
ruled_out | Maybe [shingles]
ruled_out | Perhaps [lichen planus]
ruled_out | [Sarcoidosis] remains an open question
ruled_out | [Giant cell arteritis] is off the table
ruled_out | [Celiac disease] proved to be wrong
ruled_out | Sounds like [tinea]
not_done  | No-show for [bone density scan]
not_done  | Changed her mind about [tubal ligation]
not_done  | [Stress test] was put off
not_done  | [Sleep study] never took place
carried   | Historical entry: [varicocele]
carried   | [Bell's palsy] has long since healed
carried   | Archived problem: [bunion]
"""

ASSERTED = """
Chief complaint: [chest pain]
Not only [cough]
No change in the [back pain]
No increase in [knee swelling]
No doubt this is [gout]
Gram negative [sepsis]
Walks without difficulty, [knee pain]
Not sure what, [rash]
No fever secondary to [pneumonia]
Denies fever but has [cough]
No fever; now with [cough]
Denies chills, presents with [cough]
[Chest pain], but pulmonary embolism was ruled out
[Cough], suspected pneumonia
[Cough], rule out pneumonia
[Cough]; possible pneumonia
History of [breast cancer]
Screening for [colon cancer]
Coding query answered: [gout]
Brought in by mother, [ear pain]
[Chest pain]. VS: 117/75, 78, 14
[Hyponatremia]. Mother had asthma
Lives with spouse; [gout]
What helps with [gout]? Epilepsy runs in the family
[Memory loss], functional decline
[Sleep apnea], type not established
[Ankle sprain], no fracture
Pain since the fall, [wrist sprain]
High risk for [falls]
For maybe a week, [sore throat]
Isn't sleeping, [insomnia]
Brought to her friend's house, then [ankle sprain]
Discussed with mother; [croup]
"""


def _span(sentence: str) -> tuple[str, int, int]:
    start = sentence.index("[")
    end = sentence.index("]") - 1
    return sentence.replace("[", "").replace("]", ""), start, end


def test_cues_are_written_in_lower_case_as_they_are_looked_for() -> None:
    every = [cues.TURN, *cues.BEFORE.values(), *cues.AFTER.values()]
    assert [cue for cue in every if re.sub(r"\\.", "", cue) != re.sub(r"\\.", "", cue).lower()] == []


def _lines(table: str) -> list[str]:
    return table.strip().splitlines()


@pytest.mark.parametrize("line", _lines(HEARD))
def test_denied(line: str) -> None:
    kind, sentence = (part.strip() for part in line.split("|"))
    assert kind in words.denials(*_span(sentence))


@pytest.mark.parametrize("line", _lines(HEARD))
def test_denied_words_are_not_asserted(line: str) -> None:
    text, start, end = _span(line.split("|")[1].strip())
    assert not any(first < end and start < last for first, last in words.asserted_spans(text))


@pytest.mark.parametrize("sentence", _lines(ASSERTED))
def test_not_denied(sentence: str) -> None:
    assert words.denials(*_span(sentence)) == []


@pytest.mark.parametrize(
    ("text", "asserted"),
    [
        ("Denies fever but has cough.", ["but has cough"]),
        ("Chest pain, but PE was ruled out.", ["Chest pain, "]),
        ("Chest pain was considered but ruled out.", []),
        ("? early appendicitis. Fever.", ["Fever"]),
        ("Cough, suspected pneumonia.", ["Cough, "]),
        ("COUGH. DENIES FEVER BUT HAS A RASH.", ["COUGH", "BUT HAS A RASH"]),
        ("İzmir, İstanbul: cough, DENIES fever.", ["İzmir, İstanbul: cough, "]),  # two characters each in lower case
    ],
)
def test_a_sentence_is_asserted_clause_by_clause(text: str, asserted: list[str]) -> None:
    assert [text[start:end] for start, end in words.asserted_spans(text) if end > start] == asserted


@pytest.mark.parametrize(
    ("quote", "kind"),
    [
        ("? pneumonia", "ruled_out"),
        ("-ve for strep", "denied"),
        ("entered in error: gout", "not_done"),
        ("no bowel movement for five days", ""),
        ("not sleeping well", ""),
    ],
)
def test_a_quote_opens_with_a_denial(quote: str, kind: str) -> None:
    assert words.opens_with_denial(quote) == kind
