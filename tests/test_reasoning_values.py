"""What a note says of side, course, stage and the like: wordings that state a value, and look-alikes that do not."""

from __future__ import annotations

import pytest
from codes_tables import book

from thce.reasoning.facets import thing_cue
from thce.reasoning.knowledge import knowledge
from thce.reasoning.values import BY_NAME, VALUES

pytestmark = pytest.mark.unit

STATES = [
    ("right side", "gonalgia dextra, complete RBBB, RIF pain"),
    ("left side", "sinistral carpal canal; LBBB; LAOM"),
    ("both sides", "wax in each ear, b/l, scan of my two legs, right and left knee"),
    ("initial encounter", "hit head an hour ago yesterday, seen in the ER"),
    ("subsequent encounter", "sprain on the mend, visit 5, six weeks old, PT re-eval"),
    ("acute on chronic", "acute-upon-chronic, decomp. HFrEF, systolic failure now wet"),
    ("acute", "AKI, kidneys suddenly stopped"),
    ("chronic", "pain for many years, cHFpEF, compensated"),
    ("paroxysmal", "PAF, on-again off-again fibrillation in bursts"),
    ("persistent", "PsAF, continuous fibrillation, cardioverted"),
    ("mild", "slight asthma"),
    ("severe", "massive obesity, grave malnutrition"),
    ("stage 2", "CKD-2, stage II, eGFR of 72, second-stage CKD"),
    ("stage 3", "CKD st III, third of five stages"),
    ("stage 3a", "CKD3a, GFR persistently 47, three-a"),
    ("stage 3b", "CKD G3b, eGFR stable around 37"),
    ("stage 4", "CKD stg 4, CKD-IV, grade 4, eGFR 18"),
    ("stage 5", "G5D, terminal uremia on hemodialysis, GFR of 8"),
    ("end stage", "ESRF on CAPD"),
    ("first degree", "1st-deg tear, superficial"),
    ("second degree", "haemorrhoids gradus II, muscle torn, Goligher 2"),
    ("type 1", "DM-1, autoimmune diabetes"),
    ("recurrent", "MDD-R, depression that keeps coming back"),
    ("single episode", "index episode, MDD x1"),
    ("systolic", "CHFrEF, LVEF 25, weak-squeeze heart"),
    ("diastolic", "cHFpEF, heart relaxes poorly"),
    ("abuse", "abuses drugs, mild cannabis use disorder, not addicted"),
    ("dependence", "pack-a-day habit, can't quit"),
    ("new patient", "newcomer, never seen here"),
    ("established patient", "my own doctor, regular patient"),
    ("first visit", "hospital intake, day one"),
    ("later visit", "ward rounds, fourth hospital morning, HOD4"),
    ("high complexity", "life-threatening illness"),
    ("no contrast", "native head CT, nothing injected, noncon"),
    ("before and after contrast", "MRI brain w/ & w/o, native then enhanced"),
    ("with contrast", "infused CT, CT thorax +C, portal venous phase"),
    ("one view", "lone bedside film, pCXR"),
    ("two views", "PA and lateral, PA+LL, two lung shots"),
    ("three views", "foot trio, knee XR x3 with sunrise"),
    ("45 minutes", "48 minutes, three-quarter session"),
    ("non-emergency", "NEMT, prebooked"),
    ("in a group", "seven members, talking circle"),
    ("individual", "alone with the therapist, one client"),
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
    ("name", "wording"),
    [
        ("right side", "bright, dextrose"),
        ("left side", "leftover, LA grade B"),
        ("chronic", "45 years old, 3 weeks, synchronous"),
        ("stage 3", "stage 3a, stage 13, factor 3"),
        ("stage 4", "GFR 62, 4 weeks, stage 40"),
        ("with contrast", "non-infused"),
        ("stage 5", "5 mg, GFR 55"),
        ("lower", "follow, allowed"),
        ("one hour", "one of an hourly series"),
    ],
)
def test_look_alikes_do_not(name: str, wording: str) -> None:
    assert BY_NAME[name].cue.search(wording) is None


def test_a_title_has_a_facet_only_where_a_note_could_say_so() -> None:
    facts = knowledge(book())
    names = {code: {value.name for value in facts.values("ICD10", code)} for code in ("N18.2", "N18.4", "G56.01", "Z90.710")}
    assert names["N18.2"] == {"stage 2"} and names["N18.4"] == {"stage 4"}  # not "mild" and "severe" in brackets
    assert "upper" not in names["G56.01"] and "right side" in names["G56.01"]
    assert "both sides" not in names["Z90.710"]  # "both cervix and uterus"


def test_names_are_unique_and_every_value_states_itself() -> None:
    assert len(BY_NAME) == len(VALUES)
    for value in VALUES:
        if value.name not in ("a further unit", "later visit"):
            assert value.cue.search(value.name), value.name


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
