"""What a note says of side, course, stage and the like: wordings that state a value, and look-alikes that do not."""

from __future__ import annotations

import pytest
from codes_tables import book

from thce.reasoning.build import true_of
from thce.reasoning.facets import thing_cue
from thce.reasoning.knowledge import knowledge
from thce.reasoning.values import BY_NAME, VALUES

pytestmark = pytest.mark.unit

STATES = [
    ("right side", "gonalgia dextra, complete RBBB, RIF pain"),
    ("left side", "sinistral carpal canal, LBBB, LAOM"),
    ("both sides", "wax in each ear, b/l, scan of my two legs, right and left knee"),
    ("initial encounter", "hit head an hour ago, yesterday, seen in the ER"),
    ("subsequent encounter", "sprain on the mend, visit 5, six weeks old, PT re-eval"),
    ("acute on chronic", "acute-upon-chronic, decomp. HFrEF, exac. of CHF"),
    ("acute", "AKI, kidneys suddenly stopped"),
    ("chronic", "pain for many years, cHFpEF, compensated"),
    ("paroxysmal", "PAF, on-again off-again fibrillation, fibrillation bursts"),
    ("persistent", "PsAF, continuous atrial fibrillation, cardioverted"),
    ("mild", "slight asthma"),
    ("severe", "massive obesity, grave malnutrition"),
    ("stage 2", "CKD-2, stage II, eGFR of 72, second-stage CKD, eGFR 89"),
    ("stage 3", "CKD st III, third of five stages, CKD G3"),
    ("stage 3a", "CKD3a, GFR persistently 47, three-a"),
    ("stage 3b", "CKD G3b, eGFR stable around 37"),
    ("stage 4", "CKD stg 4, CKD-IV, grade 4 renal disease, eGFR 18"),
    ("stage 5", "CKD 5, GFR of 8"),
    ("stage 5 or end stage", "terminal uremia, on hemodialysis, CKD 5, ESRD"),
    ("end stage", "ESRF on CAPD, terminal kidney disease"),
    ("first degree", "1st-deg tear, grade 1"),
    ("second degree", "haemorrhoids gradus II, muscle torn, Goligher 2"),
    ("type 1", "DM-1, autoimmune diabetes"),
    ("recurrent", "MDD-R, depression that is coming back"),
    ("single episode", "index episode, MDD x1"),
    ("systolic", "CHFrEF, LVEF 25, weak-squeeze heart"),
    ("diastolic", "cHFpEF, heart relaxes poorly"),
    ("abuse", "abuses drugs, mild cannabis use disorder, not addicted"),
    ("dependence", "pack-a-day, can't quit, daily smoker"),
    ("new patient", "newcomer, never seen here"),
    ("established patient", "my own doctor, regular patient"),
    ("first visit", "hospital intake, day one"),
    ("later visit", "ward rounds, fourth hospital morning, HOD4"),
    ("high complexity", "life-threatening illness"),
    ("no contrast", "native head CT, nothing injected, noncon"),
    ("before and after contrast", "MRI brain w/ & w/o, native then enhanced, with and w/o contrast"),
    ("with contrast", "infused CT, CT thorax +C, portal venous phase"),
    ("one view", "lone chest film, pCXR"),
    ("two views", "PA and lateral, PA+LL, two lung shots"),
    ("three views", "foot trio, knee films x3 with sunrise"),
    ("45 minutes", "48 minutes, three-quarter session"),
    ("non-emergency", "NEMT, prebooked"),
    ("in a group", "seven members, talking circle"),
    ("individual", "client alone, one client"),
    ("the first unit", "sole lesion, shave x1"),
    ("a further unit", "succeeding hour, vaccine #2"),
    ("cervical", "C8 root, cervicodynia, nape"),
    ("lumbar", "lumbago, LSS, lower spine"),
    ("lower", "groin, right iliac fossa, McBurney"),
    ("upper", "hypochondriac, under the right ribs"),
    ("cesarean", "pLTCS, born by section"),
]


@pytest.mark.parametrize(("name", "wordings"), STATES)
def test_each_wording_states_the_value(name: str, wordings: str) -> None:
    for wording in wordings.split(", "):
        assert BY_NAME[name].cue.search(wording), wording


@pytest.mark.parametrize(
    ("name", "wordings"),
    [
        ("right side", "bright | dextrose | R/O"),
        ("left side", "leftover | LA grade B | B/L"),
        ("both sides", "dual antiplatelet therapy"),
        ("initial encounter", "UC flare | recent travel"),
        ("subsequent encounter", "Physiologic | United Healthcare"),
        ("acute on chronic", "exactly as before | lumbar decompression | bowels backed up"),
        ("chronic", "45 years old | 3 weeks | synchronous | ch."),
        ("paroxysmal", "dizzy spells | panic attacks"),
        ("persistent", "constant chest pain"),
        ("stage 2", "1 g 2 times daily | G2 P1 | grade 2 ankle sprain | eGFR > 60"),
        ("stage 3", "stage 3a | stage 13 | factor 3 | grade 3 systolic murmur"),
        ("stage 3a", "takes 3 a day | eGFR 45 to 59"),
        ("stage 4", "GFR 62 | 4 weeks | stage 40 | BI-RADS category 4 | 2 g 4 times daily"),
        ("stage 5", "5 mg | GFR 55 | eGFR fell by 8 to 52 | eGFR on 3/12 was 45 | ESRD on hemodialysis"),
        ("end stage", "terminal ileum | HOD 3"),
        ("first degree", "G1 P0 | superficial laceration"),
        ("second degree", "G2 P2 | spontaneous delivery | muscle strain | muscle intact"),
        ("type 1", "autoimmune hepatitis"),
        ("single episode", "index finger"),
        ("diastolic", "muscle relaxant"),
        ("abuse", "overuse injury of the wrist"),
        ("dependence", "change in bowel habit | PPD placed | insulin dependent | former smoker | not addicted"),
        ("established patient", "regular rate and rhythm | usual state of health"),
        ("first visit", "oral intake | at baseline"),
        ("with contrast", "non-infused | with no contrast | with and without contrast | Pt in w/c"),
        ("no contrast", "dry cough | native valve"),
        ("before and after contrast", "cough +/- fever"),
        ("one view", "bedside commode"),
        ("two views", "pair of crutches"),
        ("three views", "oriented x3"),
        ("half an hour", "fainted for 20 minutes"),
        ("one hour", "one of an hourly series | 65 minimally displaced"),
        ("individual", "lives alone | private residence"),
        ("in a group", "several days of cough | mother of three children"),
        ("the first unit", "primary care"),
        ("a further unit", "#2 hypertension | supplement"),
        ("lower", "follow | allowed | low in iron"),
        ("upper", "hypochondriasis | liver"),
        ("thoracic", "dorsal hand laceration"),
        ("lumbar", "180 LB | lumbrical"),
        ("cesarean", "CD | cut out sweets | Section: 3"),
    ],
)
def test_look_alikes_do_not(name: str, wordings: str) -> None:
    for wording in wordings.split(" | "):
        assert BY_NAME[name].cue.search(wording) is None, wording


def test_a_title_has_a_facet_only_where_a_note_could_say_so() -> None:
    facts = knowledge(book())
    names = {code: {value.name for value in facts.values("ICD10", code)} for code in ("N18.2", "N18.4", "G56.01", "Z90.710")}
    assert names["N18.2"] == {"stage 2"} and names["N18.4"] == {"stage 4"}  # not "mild" and "severe" in brackets
    assert "upper" not in names["G56.01"] and "right side" in names["G56.01"]
    assert "both sides" not in names["Z90.710"]  # "both cervix and uterus"


def test_names_are_unique_and_every_value_states_itself() -> None:
    assert len(BY_NAME) == len(VALUES)
    for value in VALUES:
        assert value.cue.search(value.name), value.name


@pytest.mark.parametrize(
    ("code_type", "code", "value", "evidence"),
    [
        ("HCPCS", "A0429", "emergency", "ambulance, non-emergency transport | ambulance, not an emergency"),
        ("CPT", "74177", "with contrast", "CT abdomen with no contrast | CT abdomen with and without contrast"),
        ("CPT", "70450", "no contrast", "head CT with and w/o contrast"),
        ("CPT", "90837", "one hour", "half an hour of psychotherapy | three-quarters of an hour, alone"),
        ("ICD10", "I50.22", "chronic", "worsening chronic systolic heart failure"),
        ("ICD10", "I50.21", "acute", "systolic heart failure acutely worse"),
        ("ICD10", "I50.23", "acute on chronic", "systolic heart failure, exactly as before"),
        ("ICD10", "N18.2", "stage 2", "kidney check, eGFR > 60"),
        ("ICD10", "N18.30", "stage 3", "CKD stage 3 a"),
        ("ICD10", "N18.5", "stage 5", "ESRD on hemodialysis | CKD, eGFR fell by 8 to 52"),
        ("ICD10", "F10.20", "dependence", "not addicted to alcohol"),
        ("ICD10", "F17.210", "dependence", "former smoker of cigarettes"),
        ("ICD10", "I48.0", "paroxysmal", "atrial fibrillation, dizzy spells"),
        ("ICD10", "O70.1", "second degree", "spontaneous vaginal delivery with perineal tear"),
        ("ICD10", "J44.1", "with exacerbation", "COPD, exact cause of cough unclear | COPD, heart attack | COPD, acute gout"),
        ("ICD10", "I11.0", "with heart failure", "hypertensive heart, HF ruled out | hypertensive heart, possible HF"),
        ("ICD10", "E11.22", "with chronic kidney disease", "type 2 diabetes, eGFR 95"),
        ("ICD10", "E11.36", "with cataract", "diabetic who wears contact lenses | diabetes, lens clear"),
        ("ICD10", "E11.40", "with neuropathy", "diabetic, bad nerves | diabetes, nerve conduction normal"),
        ("ICD10", "E11.42", "with polyneuropathy", "diabetes, monofilament intact"),
        ("ICD10", "R65.21", "with septic shock", "sepsis with lung collapse"),
        ("ICD10", "M51.16", "with radiculopathy", "lumbar disc disorder, root canal last week"),
        ("ICD10", "J96.01", "with hypoxia", "respiratory failure, SpO2 99"),
        ("ICD10", "N17.0", "with tubular necrosis", "kidney failure, tubular adenoma"),
        ("ICD10", "F10.129", "with intoxication", "alcohol abuse, slurred speech from a stroke"),
        ("ICD10", "K21.00", "with esophagitis", "reflux with no evidence of esophagitis | reflux, esophagitis absent"),
        ("ICD10", "E11.65", "with hyperglycemia", "no episodes of hyperglycemia | diabetes, glycemic control good"),
        ("ICD10", "K21.9", "without esophagitis", "reflux, no dysphagia, erosive esophagitis seen | reflux"),
        ("ICD10", "E11.9", "without complications", "diabetes, not on insulin, with complications"),
    ],
)
def test_a_value_is_not_stated_by_words_that_mean_something_else(code_type: str, code: str, value: str, evidence: str) -> None:
    for quote in evidence.split(" | "):
        assert not _stated(code_type, code, value, quote), quote


@pytest.mark.parametrize(
    ("code_type", "code", "value", "evidence"),
    [
        ("ICD10", "N18.4", "stage 4", "stage 4 CKD not yet on dialysis"),
        ("ICD10", "M25.561", "right side", "right knee pain on dual antiplatelet therapy"),
        ("ICD10", "M17.0", "both sides", "osteoarthritis of the right and left knee"),
        ("ICD10", "O70.0", "first degree", "G2 P2, first-degree perineal tear"),
        ("ICD10", "K21.00", "with esophagitis", "reflux with erosive esophagitis, no bleeding"),
        ("ICD10", "K21.9", "without esophagitis", "reflux, no sign of esophagitis"),
        ("ICD10", "E11.22", "with chronic kidney disease", "DKD, T2DM, eGFR 38"),
        ("ICD10", "E11.36", "with cataract", "foggy lenses, doctor blames the diabetes"),
        ("ICD10", "E11.40", "with neuropathy", "type 2 diabetes getting to the nerves"),
        ("ICD10", "R65.21", "with septic shock", "blood poisoning with collapse of the circulation"),
        ("ICD10", "M51.16", "with radiculopathy", "sequestrated L4/5 disc with L5 root compression"),
        ("ICD10", "F10.129", "with intoxication", "alcohol abuse with blood alcohol 0.22"),
        ("ICD10", "J96.01", "with hypoxia", "lungs quit all at once, sats in the seventies"),
        ("ICD10", "I12.0", "stage 5 or end stage", "hypertensive kidney disease on hemodialysis"),
        ("HCPCS", "A0428", "non-emergency", "ambulance, not an emergency"),
        ("CPT", "90834", "45 minutes", "three-quarters of an hour, alone"),
    ],
)
def test_a_value_is_stated_by_its_own_words(code_type: str, code: str, value: str, evidence: str) -> None:
    assert _stated(code_type, code, value, evidence)


def _stated(code_type: str, code: str, value: str, quote: str) -> bool:
    line = f"- Decides: {value}, as stated"
    return true_of(f"Seen: {quote}.", quote, (code_type, code), line, knowledge(book()))


@pytest.mark.parametrize(
    ("thing", "wording"),
    [
        ("hypoxia", "home oxygen turned up"),
        ("esophagitis", "erosive reflux, LA-A"),
        ("vomiting", "N&V since morning"),
        ("radiculopathy", "sciatic pain, root impingement"),
        ("heart failure", "failing ventricle, CCF"),
    ],
)
def test_what_a_title_joins_is_heard_in_other_words(thing: str, wording: str) -> None:
    assert thing_cue(thing).search(wording)
