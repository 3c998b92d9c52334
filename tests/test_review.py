"""`thce review`: the page over real HTTP with a real model, decisions on disk as rows a collection takes, and in a browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from browser import Browser, installed
from coder_models import calibrated, taught
from codes_tables import book, folder

from thce.cli import main
from thce.coder import run
from thce.coder.records import Job
from thce.errors import UserError
from thce.files import read_jsonl
from thce.narratives import quality
from thce.review.app import address, application, bind, server
from thce.review.desk import Desk

pytestmark = pytest.mark.unit

NOTES = ("Dx chest cold.", "🩺 <b>Seen</b> for high blood pressure.", "Assessment: nothing new.")
KEY = "a-key"


@dataclass
class Service:
    """A running page: where it is, a client for it, and the file it writes."""

    url: str
    client: httpx2.Client
    output: Path

    def ask(self, path: str, given: Any = None, code: int = 200) -> Any:
        """One request; returns the JSON."""
        reply = self.client.get(path) if given is None else self.client.post(path, json=given)
        assert reply.status_code == code, reply.text
        return reply.json()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    output = tmp_path_factory.mktemp("review") / "decisions.jsonl"
    worker = run.Worker(run.Setup(str(taught()), str(calibrated()), str(folder()), None, False))
    notes = [Job(f"n{number}", f"notes:{number}", text) for number, text in enumerate(NOTES, 1)]
    app = application(Desk(notes, book(), output, lambda note: worker.rows([note])[0]), KEY)
    with bind("127.0.0.1", 0) as listening:
        serving = server(app)
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]})
        thread.start()
        url = address(listening, KEY)
        with httpx2.Client(base_url=url + "api/", trust_env=False, timeout=60) as client:
            yield Service(url, client, output)
        serving.should_exit = True
        thread.join()


def test_the_page_is_there_with_its_locks(service: Service) -> None:
    page = service.client.get(service.url)
    assert page.status_code == 200 and "THCE review" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"] and page.headers["cache-control"] == "no-store"
    for name in ("page.css", "page.js"):
        text = service.client.get(service.url + name).text
        assert text and "http:" not in text and "https:" not in text  # nothing is fetched from elsewhere
    assert "prefers-color-scheme: dark" in service.client.get(service.url + "page.css").text
    assert "innerHTML" not in service.client.get(service.url + "page.js").text


def test_other_hosts_and_other_keys_get_nothing(service: Service) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]"):
        assert service.client.get("notes", headers={"Host": host}).status_code == 400, host
    assert service.client.get("notes", headers={"Host": "localhost:1"}).status_code == 200
    for path in ("", "other-key/", "other-key/api/notes", "api/notes"):
        assert service.client.get(service.url.removesuffix(f"{KEY}/") + path).status_code == 404
    assert service.client.get(service.url + "desk.py").status_code == 404
    assert service.client.get(service.url + "..%2fdesk.py").status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_only_this_machine_can_be_bound(host: str) -> None:
    with pytest.raises(UserError, match="not this machine"):
        bind(host, 0)


def test_a_port_in_use_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with bind("127.0.0.1", 0) as taken:
        assert main(["review", "--port", str(taken.getsockname()[1])]) == 2
    assert "choose another --port" in capsys.readouterr().err


def test_the_answer_is_the_coders_and_every_claim_is_judged(service: Service) -> None:
    assert [note["id"] for note in service.ask("notes")["notes"]][:3] == ["n1", "n2", "n3"]
    note = service.ask("notes/0")
    assert note["narrative"] == NOTES[0] and note["answer"]["codes"][0]["code"] == "J20.9"
    assert {claim["status"] for claim in note["answer"]["claims"]} <= {"supported", "unsupported", "not checkable"}
    assert note["answer"]["claims"] and note["answer"]["alternatives"][0]["description"]
    assert "no such note" in service.ask("notes/99", code=400)["error"]


def test_decisions_are_rows_that_check_and_collect_take(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = service.ask("notes/0")["answer"]
    place = {name: answer["codes"][0]["evidence"][0][name] for name in ("start", "end")}
    code = {"code_type": "ICD10", "code": "J20.9"}
    service.ask("notes/0", {"verdict": "accepted", "codes": [code], "evidence": [code | place]})
    start = NOTES[1].index("high")
    high = {"code_type": "ICD10", "code": "i10"}
    evidence = [{"code_type": "ICD10", "code": "I10", "start": start, "end": start + len("high blood pressure")}]
    row = service.ask("notes/1", {"verdict": "corrected", "codes": [high], "evidence": evidence, "remark": " Checked. "})
    assert row["evidence"][0]["text"] == "high blood pressure" and row["codes"][0]["code"] == "I10"
    assert row["remark"] == "Checked."
    service.ask("notes/2", {"verdict": "corrected", "codes": [], "none_reason": "administrative"})
    number = service.ask("notes", {"narrative": "Seen for rigid walker."})["number"]
    service.ask(f"notes/{number}", {"verdict": "noted", "remark": "Which walker?"})
    assert service.ask("notes", {"narrative": "Seen for rigid walker."})["number"] == number

    assert [note["verdict"] for note in service.ask("notes")["notes"]] == ["accepted", "corrected", "corrected", "noted"]
    assert [row["id"] for row in read_jsonl(service.output)] == ["n1", "n2", "n3"]
    remarks = list(read_jsonl(service.output.with_name("decisions.notes.jsonl")))
    assert [(row["verdict"], row["remark"]) for row in remarks] == [("noted", "Which walker?")]
    again = Desk([Job("n1", "notes:1", NOTES[0])], book(), service.output)
    assert again.overview()["notes"][0]["verdict"] == "accepted" and again.note(0)["answer"] is None

    assert not quality.check([str(service.output)], book()).total(quality.ERROR)
    config = tmp_path / "collect.yaml"
    source = {"source": "rows", "name": "mine", "path": str(service.output), "side": "train", "clean": False}
    sets = {"one": {"split": "train", "count": 3, "mix": {"mine": 1.0}}}
    config.write_text(yaml.safe_dump({"seed": 1, "val": 0.1, "test": 0.1, "sources": [source], "sets": sets}), encoding="utf-8")
    collect = ["data", "collect", "--config", str(config), "--output-dir", str(tmp_path / "out"), "--tables", str(folder())]
    assert main([*collect, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sources"]["mine"]["kept"] == 3 and report["sources"]["mine"]["left_out"] == {}
    rows = {row["id"]: row for row in read_jsonl(tmp_path / "out" / "mine.jsonl")}
    assert rows["mine-n2"]["label"] == "gold" and rows["mine-n2"]["evidence"][0]["text"] == "high blood pressure"
    assert rows["mine-n3"]["none_reason"] == "administrative"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"verdict": "maybe"}, "none of accepted, corrected, noted"),
        ({"verdict": "corrected", "codes": [{"code_type": "ICD10", "code": "J20"}]}, "is a header"),
        ({"verdict": "corrected", "codes": [{"code_type": "ICD10", "code": "X"}]}, "code X"),
        ({"verdict": "corrected", "codes": "J20.9"}, "not a list of objects"),
        ({"verdict": "corrected", "codes": []}, "a note without a code needs a reason"),
        ({"verdict": "noted", "remark": " "}, "is empty"),
        (
            {
                "verdict": "corrected",
                "codes": [{"code_type": "ICD10", "code": "J20.9"}],
                "evidence": [{"code_type": "ICD10", "code": "J20.9", "start": 5, "end": 500}],
            },
            "no place in the note",
        ),
        (
            {
                "verdict": "corrected",
                "codes": [{"code_type": "ICD10", "code": "J20.9"}],
                "evidence": [{"code_type": "ICD10", "code": "I10", "start": 0, "end": 2}],
            },
            "not among the codes",
        ),
    ],
)
def test_what_no_row_may_hold_is_refused(service: Service, given: dict[str, Any], said: str) -> None:
    before = service.output.read_bytes() if service.output.exists() else b""
    assert said in service.ask("notes/0", given, code=400)["error"]
    assert (service.output.read_bytes() if service.output.exists() else b"") == before


def test_bad_requests(service: Service) -> None:
    assert service.client.post("notes", content=b"[1]").status_code == 400
    assert service.client.post("notes", content=b"{").status_code == 400
    assert service.client.post("notes", content=b" " * 1_000_001).status_code == 413
    assert "is empty" in service.ask("notes", {"narrative": " \n"}, code=400)["error"]
    assert "--input" in service.ask("notes", {"narrative": "x" * 20_001}, code=400)["error"]
    assert service.client.delete("notes").status_code == 405


def test_codes_are_found_by_words_and_by_their_number(service: Service) -> None:
    assert service.ask("search", {"words": "e11.22"})[0]["code"] == "E11.22"
    assert service.ask("search", {"words": "walker", "code_type": "HCPCS"})[0]["code_type"] == "HCPCS"
    assert service.ask("search", {"words": "xyzzyq"}) == []


def test_the_command_serves_answers_there_are_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    """No model: the answers come from a file, and a typed note is refused."""
    (tmp_path / "notes.jsonl").write_text('{"id": "7", "narrative": "Dx chest cold."}\n', encoding="utf-8")
    chosen = {"code_type": "ICD10", "code": "J20.9"}
    code = chosen | {"description": "Acute bronchitis, unspecified", "confidence": 0.9, "evidence": []}
    row = {"id": "7", "status": "coded", "confidence": 0.9, "codes": [code], "reasoning": None}
    row |= {"alternatives": [], "findings": []}
    (tmp_path / "coded.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    words = ["--input", "notes.jsonl", "--predictions", "coded.jsonl", "--output", "out.jsonl", "--port", "0"]
    command = [sys.executable, "-m", "thce", "review", *words, "--model", "none", "--tables", str(folder())]
    source = str(Path(__file__).resolve().parent.parent / "src")
    environment = {**os.environ, "PYTHONPATH": source}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout and process.stderr
        url = process.stdout.readline().strip()
        assert "1 notes; decisions go to out.jsonl" in process.stdout.readline()
        with httpx2.Client(base_url=f"{url}api/", trust_env=False, timeout=60) as client:
            note = client.get("notes/0").json()
            assert note["answer"]["codes"][0]["code"] == "J20.9" and client.get("notes").json()["coder"] is False
            assert client.post("notes", json={"narrative": "x"}).status_code == 400
            assert client.post("notes/0", json={"verdict": "accepted", "codes": [chosen]}).status_code == 200
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 0 and "stopped; decisions are in out.jsonl" in said and "Traceback" not in said
    assert [row["verdict"] for row in read_jsonl(tmp_path / "out.jsonl")] == ["accepted"]


def test_wrong_use_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = tmp_path / "notes.jsonl"
    notes.write_text('{"id": "1", "narrative": "a"}\n{"id": "1", "narrative": "b"}\n', encoding="utf-8")
    coded = tmp_path / "coded.jsonl"
    coded.write_text('{"id": "1", "status": "none"}\n', encoding="utf-8")
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": "1", "narrative": "a", "codes": []}\n', encoding="utf-8")
    ready = ["review", "--port", "0", "--model", "none", "--tables", str(folder())]
    for words, said in (
        (["--input", str(notes)], "nothing is trained here yet"),
        (["--input", str(notes), "--predictions", str(coded)], "id `1` stands twice"),
        (["--predictions", str(coded), "--output", str(other)], "holds other rows than decisions"),
        (["--host", "0.0.0.0"], "is not this machine"),
        (["--input", "none.jsonl", "--predictions", str(coded)], "no such file"),
        (["--port", "99999"], "from 0 to 65535"),
    ):
        assert main([*ready, *words]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1


@pytest.mark.skipif(not installed(), reason="needs Chromium or Chrome")
def test_in_a_browser(service: Service) -> None:
    """Look, search, mark evidence, save, in light and dark; nothing fails and nothing is fetched from elsewhere."""
    with Browser() as page:
        page.open(service.url)
        page.until("!at('note').hidden")
        assert page.run("at('narrative').textContent") == NOTES[0]
        page.run("open(1)")
        page.until("state.number === 1 && !at('note').hidden")
        assert page.run("at('narrative').textContent") == NOTES[1]  # `<b>` is text, not an element
        page.run("state.chosen = []; state.evidence = []; at('words').value = 'I10'; find()")
        page.until("at('hits').querySelector('button')")
        page.run("at('hits').querySelector('button').click()")
        assert page.run("at('chosen').querySelector('code').textContent") == "ICD10 I10"
        select = "const text = at('narrative').firstChild; const start = text.data.indexOf('high');"
        page.run(f"{select} getSelection().setBaseAndExtent(text, start, text, start + 19)")
        page.run("at('chosen').querySelector('button').click()")
        assert page.run("at('narrative').querySelector('mark').textContent") == "high blood pressure"
        page.run("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 's', bubbles: true}))")
        page.until("at('said').textContent === 'Saved.'")
        row = next(row for row in read_jsonl(service.output) if row["id"] == "n2")
        assert row["evidence"][0]["text"] == "high blood pressure" and row["verdict"] == "corrected"
        seen = set()
        for scheme in ("light", "dark"):
            page.colours(scheme)
            seen.add(page.run("getComputedStyle(document.body).backgroundColor"))
        assert len(seen) == 2
        assert page.run("performance.getEntriesByType('resource').every(one => one.name.startsWith(location.origin))")
        for width in (1200, 420):  # a phone too, with a code chosen
            page.width(width)
            assert page.run("document.documentElement.scrollWidth <= innerWidth"), width
        assert not page.errors, page.errors
