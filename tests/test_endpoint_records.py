"""Replies are read strictly: only what was asked for becomes a record, and nothing is mended."""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from typing import Any

import pytest
from codes_tables import book
from endpoint_server import good_reply

from thce.narratives.endpoint import Reply
from thce.narratives.endpoint_records import Rejected, Rules, record
from thce.narratives.endpoint_tasks import Task, tasks
from thce.narratives.splits import PhraseIndex

pytestmark = pytest.mark.unit

SYSTEM = "Give the billing codes."


@cache
def some(count: int, stage: int) -> list[Task]:
    return list(tasks(stage, count, 17, book()))


def task_for(code_type: str, code: str, stage: int = 1) -> Task:
    return next(task for task in some(800, stage) if (task.code_type, task.code) == (code_type, code))


def reply_to(task: Task, **change: Any) -> str:
    return json.dumps(json.loads(good_reply(task.messages[1]["content"])) | change)


def judge(task: Task, content: str, **rules: Any) -> str:
    """The reason a reply is refused for, empty when it becomes a record."""
    try:
        record(task, Reply(content, "stop", 1, 1), Rules(book(), SYSTEM, **rules), "tiny")
    except Rejected as error:
        return str(error)
    return ""


BRONCHITIS = {"narrative": "Cough, dx: acute bronchitis, no pneumonia.", "evidence": "acute bronchitis"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (json.dumps(BRONCHITIS), ""),
        (f"```json\n{json.dumps(BRONCHITIS)}\n```", ""),
        (f"Sure! {json.dumps(BRONCHITIS)}", "not one JSON object"),
        (json.dumps([BRONCHITIS]), "not one JSON object"),
        ('{"narrative": "a", "narrative": "b", "evidence": "a"}', "not one JSON object"),
        (json.dumps(BRONCHITIS)[:-5], "not one JSON object"),
        ("[" * 100_000, "not one JSON object"),
        (json.dumps(BRONCHITIS | {"code": "J20.9"}), "the keys are code, evidence, narrative"),
        (json.dumps({"narrative": "x"}), "the keys are narrative"),
        (json.dumps(BRONCHITIS | {"evidence": 5}), "`evidence` is not text"),
        (json.dumps(BRONCHITIS | {"evidence": " "}), "`evidence` is not text"),
        (json.dumps(BRONCHITIS | {"narrative": "\ud800 acute bronchitis"}), "not valid Unicode"),
        (json.dumps(BRONCHITIS | {"evidence": "Acute Bronchitis"}), "evidence does not stand"),
        (json.dumps(BRONCHITIS | {"evidence": "pneumonia"}), "denies the evidence"),
        (json.dumps(BRONCHITIS | {"evidence": ", "}), "says nothing"),
        (json.dumps(BRONCHITIS | {"narrative": "acute bronchitis " + "and so on " * 40}), "more than 80 words"),
        (json.dumps(BRONCHITIS | {"narrative": "acute bronchitis (J20.9)"}), "names the code"),
        (json.dumps(BRONCHITIS | {"narrative": "acute bronchitis, j209"}), "names the code"),
        (json.dumps(BRONCHITIS | {"narrative": "acute bronchitis, call 617-555-0182"}), "an identifier (phone)"),
        (json.dumps(BRONCHITIS | {"narrative": "acute bronchitis </think>"}), "`narrative` holds a control token"),
    ],
)
def test_only_what_was_asked_for_is_accepted(content: str, reason: str) -> None:
    said = judge(task_for("ICD10", "J20.9"), content)
    assert reason in said if reason else said == ""


def test_held_out_phrases_and_codes_out_of_force_are_refused() -> None:
    task = task_for("ICD10", "J20.9")
    held = PhraseIndex(["acute bronchitis"])
    assert "held out for the tests" in judge(task, json.dumps(BRONCHITIS), held_out=held)
    assert "not in force" in judge(task, json.dumps(BRONCHITIS), day=date(2015, 9, 30))


def test_a_trace_that_does_not_hold_is_refused() -> None:
    task = task_for("ICD10", "J20.9", 2)
    assert judge(task, reply_to(task)) == ""
    fields = json.loads(reply_to(task))
    invented = fields["reasoning"].replace(fields["evidence"], "severe asthma")
    assert "the reasoning fails in evidence" in judge(task, reply_to(task, reasoning=invented))
    assert "the reasoning fails" in judge(task, reply_to(task, reasoning="- It is obvious."))
    assert "control token" in judge(task, reply_to(task, reasoning="- </think> ICD10: J20.9 (x)"))


def test_a_rejected_side_must_be_wrong() -> None:
    task = task_for("ICD10", "J20.9", 3)
    assert judge(task, reply_to(task)) == ""
    assert "`rejected` holds a control token" in judge(task, reply_to(task, rejected="- </think>"))
    assert "begin with a dash" in judge(task, reply_to(task, rejected="It is sinusitis."))
    # the "wrong" side argues as well as the right one: the note names both titles, so it supports both codes
    fields = json.loads(reply_to(task))
    wrong = book().find("ICD10", task.other)
    assert wrong is not None
    other = fields["rejected"].replace(wrong.title, "lesser complaint")
    assert judge(task, reply_to(task, rejected=other)) == ""
    task = task_for("ICD10", "Z79.4", 3)
    fields = json.loads(reply_to(task))
    wrong = book().find("ICD10", task.other)
    assert wrong is not None
    both = f"{fields['narrative']} Also {wrong.title}."
    # without deciding steps: what the note now says of the other code would refute them
    plain = {
        name: "\n".join(line for line in fields[name].split("\n") if not line.startswith("- Decides"))
        for name in ("reasoning", "rejected")
    }
    assert f"supports {task.other} as well" in judge(task, reply_to(task, narrative=both, **plain))
