"""Narratives, true bullets and short ways to write a trace, for the tests of the verifier."""

from __future__ import annotations

COLD = "Assessment: chest cold that settled in the bronchi. BP 118/70."
KNEE = "Follow-up of worn out cartilage in the right knee. Denies chest pain."
FALL = "S: 44yo male. A: twisted right ankle, just happened."
DIABETES = "A/P: type 2 diabetes, diet controlled. Mother has asthma."
WALKER = "Patient requires walker for mobility assistance after hip surgery."
REFLUX = "Impression: heartburn from reflux, no esophagitis on scope."
LIPIDS = "Dx today: mixed dyslipidemia."
BMI = "Noted: BMI 31.4. Next visit in 5 months."
BOTH = "Assessment: 1) high blood pressure 2) chest cold in the bronchi. Done: CXR PA and lateral."
NO_PAIN = "Seen today. Denies chest pain. Discharged home."
FAMILY = "Phone note. Mother has diabetes. No refill needed."
OUT = "Impression: celiac disease."
DESK = "Insurance card scanned and copay collected."

J20 = "ICD10: J20.9 (Acute bronchitis, unspecified)"
M17 = "ICD10: M17.11 (Unilateral primary osteoarthritis, right knee)"
S93 = "ICD10: S93.401A (Sprain of unspecified ligament of right ankle, initial encounter)"
E11 = "ICD10: E11.9 (Type 2 diabetes mellitus without complications)"
E0130 = "HCPCS: E0130 (Walker, rigid (pickup), adjustable or fixed height)"
K21 = "ICD10: K21.9 (Gastro-esophageal reflux disease without esophagitis)"
E78 = "ICD10: E78.2 (Mixed hyperlipidemia)"
Z68 = "ICD10: Z68.31 (Body mass index [BMI] 31.0-31.9, adult)"
I10 = "ICD10: I10 (Essential (primary) hypertension)"
CXR = "CPT: 71046 (Chest X-ray, two views)"
R07 = "ICD10: R07.9 (Chest pain, unspecified)"

Q_COLD = 'Documented: "chest cold that settled in the bronchi"'
IN_J20 = "Category: J20 Acute bronchitis (J20-J22)"
C_J20 = "Code: J20.9"
Q_KNEE = 'Documented: "worn out cartilage in the right knee"'
IN_M17 = "Category: M17 Osteoarthritis of knee (M15-M19)"
Q_DM = 'Documented: "type 2 diabetes, diet controlled"'
IN_E11 = "Category: E11 Type 2 diabetes mellitus (E08-E13)"
Q_BP = 'Documented: "high blood pressure"'
IN_I10 = "Block: I10-I1A Hypertensive diseases"
IN_E78 = "Category: E78 Disorders of lipoprotein metabolism and other lipidemias (E70-E88)"
IN_K21 = "Category: K21 Gastro-esophageal reflux disease (K20-K31)"
IN_R07 = "Category: R07 Pain in throat and chest (R00-R09)"
IN_M25 = "Category: M25 Other joint disorder, not elsewhere classified (M20-M25)"
IN_J18 = "Category: J18 Pneumonia, unspecified organism (J09-J18)"
IN_DME = "Section: E Durable medical equipment"
M25 = "ICD10: M25.561 (Pain in right knee)"
J18 = "ICD10: J18.9 (Pneumonia, unspecified organism)"
J45 = "ICD10: J45.909 (Unspecified asthma, uncomplicated)"


def text(answer: str, *bullets: str) -> str:
    """A completion: bullets in think tags, then the answer."""
    return "<think>\n" + "\n".join(f"- {bullet}" for bullet in bullets) + "\n</think>\n" + answer


def cold(*decisions: str) -> str:
    """The bronchitis trace with these bullets after the code."""
    return text(J20, Q_COLD, IN_J20, C_J20, *decisions)


def knee(decision: str, quote: str = Q_KNEE) -> str:
    """The knee trace with this decision."""
    return text(M17, quote, IN_M17, "Code: M17.11", decision)


def lipids(decision: str) -> str:
    """The lipid trace with this decision."""
    return text(E78, 'Stated: "mixed dyslipidemia"', IN_E78, "Code: E78.2", decision)


def walker(decision: str, quote: str = "walker") -> str:
    """The walker trace with this decision."""
    return text(E0130, f'Stated: "{quote}"', IN_DME, "Code: E0130", decision)


def reflux(decision: str, quote: str) -> str:
    """The reflux trace with this decision."""
    return text(K21, f'Stated: "{quote}"', IN_K21, "Code: K21.9", decision)


def bmi(number: str, span: str) -> str:
    """The body mass index trace with this range."""
    quote = f'Stated: "BMI {number}"'
    return text(Z68, quote, "Category: Z68 Body mass index [BMI]", "Code: Z68.31", f'Decides: "{number}" lies in {span}')


def gout(quote: str = "gout") -> str:
    """A plain gout trace."""
    return text("ICD10: M10.9 (Gout, unspecified)", f'Stated: "{quote}"', "Category: M10 Gout (M05-M14)", "Code: M10.9")
