"""Generation over real HTTP against a local server that answers well and badly; nothing leaves the loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from codes_tables import book, folder
from endpoint_server import Server, serve

from thce import answers, cli
from thce.errors import UserError
from thce.narratives import endpoint as endpoints
from thce.narratives import quality, sources
from thce.narratives.endpoint import Endpoint, Failed
from thce.narratives.endpoint_records import Rules, estimate, generate, journal_path
from thce.narratives.endpoint_tasks import Task, tasks
from thce.narratives.sources_config import configure

pytestmark = pytest.mark.unit

SYSTEM = "Give the billing codes."


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (endpoints.KEY_VARIABLE, "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def at(server: Server, **settings: Any) -> Endpoint:
    return endpoints.endpoint(server.url, "tiny", **{"timeout": 0.5, "backoff": 0.01, "workers": 1, **settings})


@cache
def some(count: int, stage: int = 1) -> list[Task]:
    return list(tasks(stage, count, 17, book()))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def make(server: Server, output: Path, count: int, stage: int = 1, **settings: Any) -> dict[str, Any]:
    return generate(some(count, stage), at(server, **settings), Rules(book(), SYSTEM), output)


# what is asked for


def test_tasks_cover_the_codes_in_turn_and_a_larger_count_begins_with_the_same() -> None:
    first = some(900)
    assert first[:20] == some(20)
    assert len({(task.code_type, task.code) for task in first[:800]}) == 800
    assert first[800].code == first[0].code and first[800].messages != first[0].messages
    assert all("Code: " + task.code_type in task.messages[1]["content"] for task in first[:20])


def test_a_rejected_side_is_asked_for_a_near_code_in_scope() -> None:
    scope = {(entry.code_type, entry.code) for entry in book().scope}
    for task in some(30, 3):
        assert task.other != task.code and (task.code_type, task.other) in scope


# over HTTP


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_good_replies_become_records_that_pass_the_quality_check(server: Server, tmp_path: Path, stage: int) -> None:
    output = tmp_path / "stage.jsonl"
    result = make(server, output, 20, stage, workers=4)
    assert result["failed"] == {} and result["accepted"] == 20 - result["rejected"]
    # the model writes a true trace for the rejected code too; only where the note happens to support both is it refused
    assert result["accepted"] >= 18, result["reasons"]
    report = quality.check([str(output)], book(), near=None)
    assert report.total(quality.ERROR) == 0, report.findings
    row = lines(output)[0]
    assert set(row) == ({"prompt", "chosen", "rejected", "_metadata"} if stage == 3 else {"messages", "_metadata"})
    if stage == 3:
        assert answers.parse(row["rejected"]).codes != answers.parse(row["chosen"]).codes
    else:
        assert row["messages"][0]["content"] == SYSTEM
    assert server.busiest <= 4


def test_generated_records_are_a_source(server: Server, tmp_path: Path) -> None:
    output = tmp_path / "stage.jsonl"
    make(server, output, 5, 2)
    config = configure({"source": "endpoint", "name": "made", "path": str(output)}, "test")
    rows = list(sources.rows(config, book()))
    assert len(rows) == 5
    assert all(row["label"] == "generated" and len(row["evidence"]) == 1 for row in rows)
    with pytest.raises(UserError, match="no such file; make it with `thce data generate"):
        list(sources.rows(configure({"source": "endpoint", "name": "made", "path": "absent.jsonl"}, "test"), book()))


@pytest.mark.parametrize("fault", [429, 500, 502, 503, "timeout", "trickle", "cut", "malformed", "no choices", "null"])
def test_a_fault_that_may_pass_is_tried_again(server: Server, tmp_path: Path, fault: Any) -> None:
    server.script.extend([fault])
    result = make(server, tmp_path / "out.jsonl", 1)
    assert result["accepted"] == 1 and result["failed"] == {}
    assert len(server.requests) == 2
    assert server.requests[0] == server.requests[1]


def test_a_fault_that_stays_is_given_up_and_named(server: Server, tmp_path: Path) -> None:
    server.script.extend([500] * 3)
    result = make(server, tmp_path / "out.jsonl", 2, attempts=3)
    assert result["failed"] == {"0": "HTTP 500: fault 500, 3 times"}
    assert result["accepted"] == 1


def test_the_server_says_how_long_to_wait(server: Server, tmp_path: Path) -> None:
    server.script.extend([(429, {"Retry-After": "0.4"}), (429, {"Retry-After": "nonsense"})])
    start = time.monotonic()
    assert make(server, tmp_path / "out.jsonl", 1)["accepted"] == 1
    assert 0.4 <= time.monotonic() - start < 3


@pytest.mark.parametrize(
    ("header", "low", "high"), [("5", 5, 5), ("-3", 0, 0), ("1e9", 300, 300), ("nan", None, None), ("soon", None, None)]
)
def test_a_wait_is_read_within_bounds(header: str, low: float | None, high: float | None) -> None:
    wait = endpoints._asked_for(header)
    assert wait is None if low is None else wait is not None and low <= wait <= (high or 0)


def test_a_wait_may_be_a_date() -> None:
    wait = endpoints._asked_for("Wed, 21 Oct 2015 07:28:00 GMT")
    assert wait == 0.0


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_that_all_requests_meet_stops_the_run(server: Server, tmp_path: Path, status: int) -> None:
    server.script.extend([status] * 50)
    with pytest.raises(UserError, match=f"HTTP {status}.*0 replies are kept"):
        make(server, tmp_path / "out.jsonl", 50, workers=2)
    assert len(server.requests) <= 10  # two workers, and what they had begun when the first refusal was read
    assert not (tmp_path / "out.jsonl").exists()


def test_one_refused_prompt_does_not_stop_the_others(server: Server, tmp_path: Path) -> None:
    server.script.extend([400])
    result = make(server, tmp_path / "out.jsonl", 3)
    assert result["failed"] == {"0": "HTTP 400: fault 400"} and result["accepted"] == 2


def test_a_server_that_fails_again_and_again_stops_the_run_and_the_rest_can_follow(server: Server, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    server.script.extend(["good"] * 3 + [422] * 100)
    with pytest.raises(UserError, match="3 replies are kept"):
        make(server, output, 40)
    assert len(server.requests) < 15
    server.script.clear()
    assert make(server, output, 40)["accepted"] == 40
    assert max(server.answered.values()) == 1


def test_a_dead_server_is_named(tmp_path: Path) -> None:
    with serve() as gone:
        to = at(gone, attempts=2)
    with pytest.raises(UserError, match="connection failed"):
        generate(some(20), to, Rules(book(), SYSTEM), tmp_path / "out.jsonl")


def test_redirects_are_not_followed(server: Server, tmp_path: Path) -> None:
    server.script.extend(["redirect"])
    assert make(server, tmp_path / "out.jsonl", 1)["failed"] == {"0": "HTTP 302"}
    assert len(server.requests) == 1


# paying once


def test_nothing_is_asked_twice_and_a_larger_count_asks_for_the_difference(server: Server, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    make(server, output, 4)
    first = output.read_bytes()
    make(server, output, 4)
    assert len(server.requests) == 4 and output.read_bytes() == first
    make(server, output, 6)
    assert len(server.requests) == 6
    assert output.read_bytes().startswith(first)


def test_a_reply_that_was_refused_is_kept_and_not_bought_again(server: Server, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    server.script.extend(["I cannot do that.", "too long"])
    for _ in range(2):
        result = make(server, output, 3)
        assert (result["accepted"], result["rejected"]) == (1, 2)
    assert len(server.requests) == 3
    first, second = lines(tmp_path / "out.rejects.jsonl")
    assert first["reason"] == "the reply is not one JSON object" and first["reply"] == "I cannot do that."
    assert second["reason"] == "the reply was cut off at the token limit"


def test_a_killed_run_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    arguments = ["data", "generate", "--stage", "1", "--count", "30", "--model", "tiny", "--base-url", server.url]
    arguments += [
        "--output",
        str(output),
        "--seed",
        "17",
        "--workers",
        "2",
        "--system-prompt",
        SYSTEM,
        "--codes",
        str(folder()),
    ]
    environment = {**os.environ, "PYTHONPATH": "src"}
    server.delay = 0.1
    process = subprocess.Popen([sys.executable, "-m", "thce", *arguments], env=environment, stderr=subprocess.DEVNULL)
    journal = journal_path(output)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not journal.exists() or journal.read_bytes().count(b"\n") < 6):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = journal.read_bytes().count(b"\n")
    assert 6 <= kept < 30 and not output.exists()
    with journal.open("ab") as stream:
        stream.write(b'{"request": "cut off by the ki')  # what a kill in the middle of a write leaves
    time.sleep(0.3)
    server.delay = 0.0
    before = len(server.requests)
    assert cli.main(arguments) == 0
    assert len(server.requests) - before == 30 - kept
    assert len(lines(output)) == 30
    # only what was under way when the run was killed, at most one request per worker, was answered twice
    assert sum(server.answered.values()) <= 30 + 2


def test_ctrl_c_waits_for_what_is_paid_for(server: Server, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    arguments = ["data", "generate", "--stage", "1", "--count", "30", "--model", "tiny", "--base-url", server.url]
    arguments += ["--output", str(output), "--workers", "2", "--system-prompt", SYSTEM, "--codes", str(folder())]
    server.delay = 1.0
    process = subprocess.Popen(
        [sys.executable, "-m", "thce", *arguments],
        env={**os.environ, "PYTHONPATH": "src"},
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(server.requests) < 2:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert len(server.requests) <= 4
    assert journal_path(output).read_bytes().count(b"\n") == sum(server.answered.values()) == len(server.requests)


def test_a_journal_line_that_is_damaged_is_named(server: Server, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    make(server, output, 2)
    journal = journal_path(output)
    journal.write_text("nonsense\n" + journal.read_text())
    with pytest.raises(UserError, match=r"journal\.jsonl:1: is no journal line"):
        make(server, output, 2)


def test_two_runs_cannot_pay_for_the_same_file(server: Server, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    with endpoints.journal(journal_path(output)), pytest.raises(UserError, match="another run is writing"):
        make(server, output, 1)
    assert server.requests == []


def test_the_order_of_replies_does_not_matter(server: Server, tmp_path: Path) -> None:
    make(server, tmp_path / "a.jsonl", 12, workers=1)
    server.script.extend([500, "cut", 429])
    make(server, tmp_path / "b.jsonl", 12, workers=4)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


# key and address


def test_the_key_comes_from_the_environment_and_is_never_shown(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(server, tmp_path / "a.jsonl", 1)
    monkeypatch.setenv(endpoints.KEY_VARIABLE, "sk-secret-1")
    make(server, tmp_path / "b.jsonl", 1)
    assert server.authorizations == [None, "Bearer sk-secret-1"]
    assert not any("sk-secret" in path.read_text() for path in tmp_path.iterdir())
    assert "sk-secret" not in endpoints._said(b'{"error": {"message": "bad key sk-secret-1"}}', "sk-secret-1")


@pytest.mark.parametrize(
    ("url", "key", "match"),
    [
        ("localhost:8000", None, "is no address"),
        ("ftp://localhost/v1", None, "is no address"),
        ("http://localhost:99999/v1", None, "is no address"),
        ("https://me:word@example.org/v1", None, "must not hold a password"),
        ("http://example.org/v1", "sk-1", "send the key in the clear"),
        ("https://example.org/v1", "sk\u00e9", "characters that no key has"),
    ],
)
def test_an_unsafe_address_or_key_is_refused_before_anything_is_sent(
    url: str, key: str | None, match: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if key:
        monkeypatch.setenv(endpoints.KEY_VARIABLE, key)
    with pytest.raises(UserError, match=match):
        endpoints.endpoint(url, "tiny")


# estimate


def test_a_dry_run_sends_nothing_and_learns_from_what_was_paid(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.jsonl"
    guess = estimate(some(100), at(server), output, 2.0, 10.0)
    assert guess["requests"] == 100 and not guess["measured"]
    assert guess["cost"] == pytest.approx((guess["prompt_tokens"] * 2 + guess["completion_tokens"] * 10) / 1e6, abs=1e-4)
    assert guess["cost"] < guess["cost_at_most"]
    assert server.requests == []
    make(server, output, 40)
    later = estimate(some(100), at(server), output, 2.0, 10.0)
    assert later["requests"] == 60 and later["answered_before"] == 40 and later["measured"]
    assert later["completion_tokens"] == 60 * 50  # the server counts 50 tokens per reply
    arguments = [
        "--stage",
        "1",
        "--count",
        "100",
        "--model",
        "tiny",
        "--base-url",
        server.url,
        "--output",
        str(tmp_path / "x"),
    ]
    assert cli.main(["data", "generate", *arguments, "--dry-run", "--json", "--codes", str(folder())]) == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 100
    assert len(server.requests) == 40 and not (tmp_path / "x").exists()


def test_a_narrative_that_came_before_is_refused(server: Server, tmp_path: Path) -> None:
    first, second = (task.messages[1]["content"] for task in some(2))
    assert first != second
    same = json.dumps({"narrative": "Walker, rigid, for home use.", "evidence": "Walker, rigid"})
    server.script.extend([same, same])
    result = make(server, tmp_path / "out.jsonl", 2)
    assert result["reasons"] == {"the narrative came before": 1}


def test_ask_reports_why_it_gave_up(server: Server) -> None:
    import threading

    import httpx2

    server.script.extend(["cut", "timeout"])
    with httpx2.Client(timeout=0.3) as client, pytest.raises(Failed, match=r"no answer within 0\.3 s, 2 times"):
        endpoints.ask(client, at(server, timeout=0.3, attempts=2), at(server).body(some(1)[0]), threading.Event())
