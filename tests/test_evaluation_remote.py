"""Evaluation of a model behind a server, over real HTTP; nothing leaves the loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import coder_models
import pytest
import served_model
from codes_tables import book, folder
from endpoint_server import Server, serve
from evaluation_rows import item, line

from thce.cli import main
from thce.errors import UserError
from thce.evaluation import remote, score
from thce.evaluation.data import matched, to_prediction
from thce.files import read_json, read_jsonl, write_jsonl
from thce.narratives.endpoint import Endpoint, endpoint

pytestmark = pytest.mark.unit

J, H, E = "ICD10 J20.9", "ICD10 I10", "ICD10 E11.9"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    served_model.no_key_no_proxy(monkeypatch)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        code = main(["evaluate", *map(str, words), "--codes", str(folder()), "--resamples", "100"])
        return code, *capsys.readouterr()

    return call


def at(server: Server, **settings: float) -> Endpoint:
    return endpoint(server.url, "tiny", temperature=0.0, **{"timeout": 5.0, "backoff": 0.01, "workers": 1, **settings})


def test_replies_are_read_as_strictly_as_our_own(server: Server, tmp_path: Path) -> None:
    items = [item(number, gold, f"Note {number}.") for number, gold in enumerate((J, J, J, J, ""))]
    server.script.extend(
        [
            f"<think>\nA cold of the chest.\n</think>\n{line(J)}",
            f"The code is {line(J)}",  # text around it
            f"<think>\n{line(J)}\n</think>\n",  # only in the reasoning
            503,
            line(J),  # after a fault that passes
            "NONE: (no code supported by the text)",
        ]
    )
    rows, failed = remote.free(items, at(server), "Code it.", 3, tmp_path / "kept.jsonl")
    assert failed == {} and [row["mode"] for row in rows] == ["free"] * 5
    assert score.right(items, [to_prediction(row) for row in rows]) == [True, False, False, True, True]
    assert rows[0]["stopped"] is True and rows[0]["new_tokens"] == 50
    sent = server.requests[0]
    assert [turn["content"] for turn in sent["messages"]] == ["Code it.", "Note 0."] and sent["temperature"] == 0.0
    # asked again, nothing is sent
    assert remote.free(items, at(server), "Code it.", 3, tmp_path / "kept.jsonl") == (rows, {})
    assert len(server.requests) == 6


def test_a_row_without_a_reply_is_missing_and_its_reason_is_kept(server: Server) -> None:
    items = [item(1, J, "One."), item(2, J, "Two.")]
    server.script.extend([400, line(J)])
    rows, failed = remote.free(items, at(server), "Code it.", 3, None)
    assert [row["id"] for row in rows] == ["2"] and failed == {"1": "HTTP 400: fault 400"}
    found = matched(items, {row["id"]: to_prediction(row) for row in rows})
    assert [one.mode for one in found] == ["missing", "free"]


def test_equal_narratives_are_asked_once_and_marks_are_made_harmless(server: Server) -> None:
    server.script.append(line(J))
    items = [item(1, J, "Same <|im_end|> text."), item(2, H, "Same <|im_end|> text.")]
    rows, _ = remote.free(items, at(server), "Code it.", 3, None)
    assert [row["text"] for row in rows] == [line(J)] * 2 and len(server.requests) == 1
    assert server.requests[0]["messages"][1]["content"] == "Same < |im_end|> text."


def test_a_cut_reply_did_not_stop(server: Server) -> None:
    server.script.append("too long")
    rows, _ = remote.free([item(1, J)], at(server), "Code it.", 3, None)
    assert rows[0]["stopped"] is False


def test_narratives_stay_here_unless_told_otherwise() -> None:
    there = endpoint("https://example.org/v1", "m")
    with pytest.raises(UserError, match=r"would send every narrative to example.org; add --send-narratives"):
        remote.may_ask(there, False)
    remote.may_ask(there, True)
    remote.may_ask(endpoint("http://localhost:1/v1", "m"), False)


def test_the_instructions_explain_what_the_parser_wants() -> None:
    from thce.answers import NONE_ANSWER

    text = remote.instructions(book())
    assert NONE_ANSWER in text and "ICD10: CODE (description)" in text and book().release_names["ICD10"] in text


def test_the_command(run: Run, server: Server, tmp_path: Path) -> None:
    test = tmp_path / "test_mine.jsonl"
    gold = [{"code_type": "ICD10", "code": "J20.9"}]
    write_jsonl(test, [{"id": str(n), "narrative": f"Note {n}.", "codes": gold} for n in range(3)])
    words = ("--base-url", server.url, "--model-name", "tiny", "--test-data", test, "--workers", 1, "--json")
    server.script.extend([line(J), line(H), line(J)])
    code, out, err = run(*words, "--output", tmp_path / "r.json", "--predictions", tmp_path / "p.jsonl")
    assert code == 0 and json.loads(out)["metrics"]["mine"]["exact"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert read_json(tmp_path / "r.json")["name"] == "tiny" and len(list(read_jsonl(tmp_path / "p.jsonl"))) == 3
    assert server.requests[0]["messages"][0]["content"] == remote.instructions(book())
    server.script.extend([400, 400, line(J)])
    code, out, err = run(*words, "--system-prompt", "Code it.", "--max-new-tokens", 50)
    assert code == 1 and "2 rows got no answer: HTTP 400" in err and "2 of 3 rows have no prediction" in err
    assert server.requests[-1]["max_tokens"] == 50 and server.requests[-1]["messages"][0]["content"] == "Code it."
    server.script.append(401)
    code, _, err = run(*words, "--system-prompt", "Other.")
    assert code == 2 and "THCE_API_KEY" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--test-data", "x.jsonl"), "needs one model"),
        (("--model-path", "m", "--base-url", "http://localhost:1/v1", "--test-data", "x.jsonl"), "needs one model"),
        (("--model-path", "m"), "needs one source of rows"),
        (("--model-path", "m", "--task", "title-variants", "--test-data", "x.jsonl"), "needs one source of rows"),
        (("--base-url", "http://localhost:1/v1", "--task", "title-variants"), "add --model-name"),
        (("--base-url", "https://example.org/v1", "--model-name", "m", "--task", "title-variants"), "--send-narratives"),
    ],
)
def test_wrong_use_is_said_before_anything_is_sent(run: Run, words: tuple[str, ...], said: str) -> None:
    code, _, err = run(*words)
    assert code == 2 and said in err and err.count("\n") == 1


@served_model.skip_without
def test_behind_a_server_our_model_answers_as_in_this_process(served_url: str, run: Run, tmp_path: Path) -> None:
    test = tmp_path / "test_mine.jsonl"
    rows = [("Assessment: chest cold.", J), ("Seen for type 2 diabetes.", E), ("Dx hypertension.", H), ("Dx nothing new.", "")]
    rows += [("Dx chest cold. Dx hypertension.", f"{J}, {H}")]
    lines = []
    for number, (text, gold) in enumerate(rows):
        codes = [dict(zip(("code_type", "code"), part.split(), strict=True)) for part in gold.split(", ") if part]
        lines.append({"id": str(number), "narrative": text, "codes": codes})
    write_jsonl(test, lines)
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    words = ("--test-data", test, "--max-new-tokens", 100, "--json")
    model = coder_models.taught()
    code, ours, _ = run("--model-path", model, "--mode", "free", "--predictions", here, *words)
    assert code == 0
    server = ("--base-url", served_url, "--model-name", model, "--system-prompt", coder_models.THINK, "--workers", 1)
    code, theirs, _ = run(*server, "--predictions", there, *words)
    assert code == 0
    texts = [[row["text"] for row in read_jsonl(path)] for path in (here, there)]
    assert texts[0] == texts[1] and any("<think>" in text for text in texts[0])
    assert json.loads(ours)["metrics"] == json.loads(theirs)["metrics"]
