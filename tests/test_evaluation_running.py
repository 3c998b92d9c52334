"""A real small model over test rows: free, constrained, as a whole system, and the retriever alone."""

from __future__ import annotations

import pytest
from coder_models import calibrated, taught
from codes_tables import book
from evaluation_rows import code, item, use

from thce.coder.coder import Options
from thce.evaluation import running, score
from thce.evaluation.data import to_prediction

pytestmark = pytest.mark.unit

ITEMS = [
    item(1, "ICD10 J20.9", "Assessment: acute bronchitis."),
    item(2, "ICD10 E11.9", "Seen for type 2 diabetes."),
    item(3, "", "Dx nothing new."),
]


def test_what_a_model_writes_by_itself() -> None:
    coder = running.model_alone(str(taught()), book(), Options())
    rows = running.free(coder, ITEMS, "stage2", True, 80)
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert all(row["mode"] == "free" and row["text"] and row["new_tokens"] <= 80 for row in rows)
    short = running.free(coder, ITEMS, "stage2", True, 4)
    assert not any(row["stopped"] for row in short)
    found = score.score_set(ITEMS, [to_prediction(row) for row in short], use())
    assert found["exact"]["value"] == 0.0 and found["free"]["stopped"] == 0.0


def test_under_the_code_table_every_answer_is_readable() -> None:
    coder = running.model_alone(str(taught()), book(), Options(max_reasoning=60))
    for think in (True, False):
        rows = running.constrained(coder, ITEMS, "stage2", "constrained", think)
        predictions = [to_prediction(row) for row in rows]
        assert all(one.answer is not None and one.confidence is not None for one in predictions)
        assert all(len(one.ranking) == running.TOP for one in predictions)
        assert score.right(ITEMS, predictions).count(True) >= 2  # it was taught these phrases


def test_the_whole_system_and_its_retriever() -> None:
    coder = running.whole_system(str(taught()), str(calibrated()), book())
    rows = running.constrained(coder, ITEMS, "system", "fused", coder.options.think)
    assert {row["status"] for row in rows} <= {"coded", "review", "none"}
    alone = [to_prediction(row) for row in running.retriever(coder, ITEMS, "retriever")]
    assert alone[0].first == code("ICD10 J20.9") and alone[0].ranking[0] == code("ICD10 J20.9")
    assert all(one.confidence is not None and len(one.answer or ()) <= 1 for one in alone)
