"""The report and the model card: from metric files alone, self-contained, small, and the same every time."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import evaluation_files
import pytest
import yaml
from browser import Browser, installed

from thce.errors import UserError
from thce.evaluation import card, charts, report
from thce.files import read_json, write_json

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("metrics")
    evaluation_files.write(path)
    yield path


class Tags(HTMLParser):
    """Opens and closes in step; collects ids, links and attributes that could load something."""

    VOID = {"meta", "br"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "srcset", "action", "data", "poster"):
                self.links.append(value or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag


def read(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    return tags


def test_one_page_that_loads_nothing(folder: Path) -> None:
    html = report.page(report.load(folder))
    tags = read(html)
    assert len(html.encode()) < 1_000_000
    assert not tags.names & {"script", "img", "link", "iframe", "object", "embed"}
    assert all(link.startswith("#") for link in tags.links)
    assert {link[1:] for link in tags.links} == set(tags.ids)
    assert "url(" not in html and "@import" not in html and "http" not in html


def test_it_says_what_a_reader_looks_for(folder: Path) -> None:
    sources = report.load(folder)
    html = report.page(sources)
    exact = sources.evaluate["systems"]["system"]["fused"]["unseen_phrase"]["exact"]
    assert charts.percent(exact["value"]) in html
    for words in (
        "Is each stage worth it?",
        "What was trained on what",
        "Where it fails",
        "Can the confidence be trusted?",
        "Leak check",
        "What the numbers do not say",
        "2,900,000 parameters",
        "4,000 training narratives over 800 codes",
        "built 4, own 10",
        "model 0.40, prior 1.30",
        "prefers-color-scheme: dark",
        "@media print",
    ):
        assert words in html


def test_what_an_answer_hangs_on_is_shown_where_it_was_asked(folder: Path, tmp_path: Path) -> None:
    sources = report.load(folder)
    html = report.page(sources)
    section = html[html.index('<section id="influence">') :].partition("</section>")[0]
    shown = [value for kind in sources.evaluate["influence"]["known"].values() for value in kind.values()]
    assert len(shown) == 11 and all(f">{charts.percent(value['value'])}<small>" in section for value in shown)
    assert "known wording" in section and "unseen wording" not in section
    sources.evaluate["influence"]["known"]["swap"]["trace"] = {"value": 0.0, "low": 0.0, "high": 0.0, "n": 0}
    assert report.page(sources).count("&ndash;") == html.count("&ndash;") + 1  # no rows: no share
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    write_json(tmp_path / "evaluate.json", sources.evaluate | {"influence": {}})
    assert 'id="influence"' not in report.page(report.load(tmp_path))


def test_narratives_are_escaped(folder: Path) -> None:
    html = report.page(report.load(folder))
    assert "<b>" not in re.sub(r'<div class="card"><b>', "", html)
    assert "&lt;b&gt;" in html


def test_the_verdict_is_what_the_intervals_say(folder: Path) -> None:
    part = {"difference": 0.2, "low": 0.1, "high": 0.3}
    names = {"known": "svm", "multi": "bm25", "no_code": "svm"}
    compare = {"known": part, "multi": {"difference": -0.2, "low": -0.3, "high": -0.1}}
    compare["no_code"] = {"difference": 0.01, "low": -0.1, "high": 0.1}
    text = report.sentences({"compare": {"system_vs_best_baseline": compare}, "best_baseline": names, "setup": {"rows": names}})
    assert re.search(r"Better than the best baseline</span>: known wording \(\+20.0 points", text)
    assert re.search(r"Worse than the best baseline</span>: several codes \(-20.0 points against BM25", text)
    assert re.search(r"Not distinguishable from the best baseline</span>: no code", text)
    assert report.sentences({"compare": {}, "best_baseline": {}, "setup": {"rows": {}}}) == ""


def test_the_same_files_give_the_same_page(folder: Path) -> None:
    assert report.page(report.load(folder)) == report.page(report.load(folder))


def test_a_leak_is_shown_as_one(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    found = read_json(tmp_path / "evaluate.json")
    found["leaks"]["phrase"] = 3
    write_json(tmp_path / "evaluate.json", found)
    assert '<span class="bad">leak</span>' in report.page(report.load(tmp_path))


def test_a_missing_file_is_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "plots" / "strata.json").unlink()
    with pytest.raises(UserError, match=r"strata.json: no such file"):
        report.load(tmp_path)


def test_a_page_that_grows_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "LIMIT", 1000)
    with pytest.raises(UserError, match=r"lower evaluate.examples"):
        report.page(report.load(folder))


def test_the_model_card_has_the_hubs_metadata(folder: Path) -> None:
    text = card.text(report.load(folder))
    _, block, body = text.split("---\n", 2)
    data = yaml.safe_load(block)
    assert data["license"] == "apache-2.0" and data["library_name"] == "transformers"
    results = data["model-index"][0]["results"]
    assert {row["metrics"][0]["type"] for row in results} == {"exact_match"} and len(results) == 4
    exact = report.load(folder).evaluate["systems"]["system"]["fused"]["known"]["exact"]["value"]
    assert exact in [row["metrics"][0]["value"] for row in results]
    assert "Not for unsupervised billing" in body and "2,900,000 parameters" in body


def test_charts_are_well_formed_and_stay_inside() -> None:
    dots = charts.dots([("a < b", [charts.Dot(0.5, 0.4, 0.6, 0, "x")])], title='say "x"')
    bars = charts.bars([("a", 3.0, "3"), ("b", 0.0, "0")])
    nothing = charts.bars([])
    line = charts.lines(
        [charts.Line("l", 0, [(0, 0), (2, 3)])],
        charts.Axis("x", 0, 1, True),
        charts.Axis("y", 0, 1),
        diagonal=True,
        markers=True,
    )
    heat = charts.heat(["a"], ["a", "b"], {("a", "b"): 2})
    stacked = charts.stacked([("a", {"x": 0.9, "y": 0.1, "z": 0.0})], {"x": 0, "y": 1, "z": 2})
    for svg in (dots, bars, nothing, line, heat, stacked, charts.heat(["a"], ["a"], {})):
        read(svg)
        width = float(re.search(r'viewBox="0 0 (\d+)', svg)[1])  # type: ignore[index]
        assert all(0 <= float(x) <= width for x in re.findall(r' (?:x|cx|x1|x2)="([-\d.]+)"', svg))
    assert "a &lt; b" in dots and "&quot;x&quot;" in dots


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1.0), (5.4, 8.0), (0.016, 0.016), (1.7, 2.0), (100, 120), (0.0011, 0.0012), (9, 12)]
)
def test_axes_end_at_short_numbers(value: float, top: float) -> None:
    assert charts.rounded_up(value) == pytest.approx(top)


def test_a_value_never_lies_outside_the_interval_that_is_shown(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    found = read_json(tmp_path / "evaluate.json")
    found["systems"]["system"]["fused"]["known"]["exact"] |= {"value": 0.998, "low": 0.9956, "high": 1.0}
    write_json(tmp_path / "evaluate.json", found)
    html = report.page(report.load(tmp_path))
    assert "99.8 %<small>99.6&ndash;100 &middot;" in html and "99.6 to 100 %, n =" in html


def test_the_base_model_is_said_to_start_where_it_does(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    write_json(tmp_path / "base.json", {"examples": 70, "first_answers_right": 0.5, "parameters": 9, "vocabulary": 8})
    taught = report.page(report.load(tmp_path))
    write_json(tmp_path / "base.json", {"parameters": 9, "vocabulary": 8})
    assert "random weights" in taught and "random weights" not in report.page(report.load(tmp_path))


@pytest.mark.skipif(not installed(), reason="needs Chromium or Chrome")
def test_in_a_browser(folder: Path, tmp_path: Path) -> None:
    """In light and dark, wide and narrow: the page never scrolls sideways (tables do), text stands out, nothing fails."""
    (tmp_path / "report.html").write_text(report.page(report.load(folder)), encoding="utf-8")
    with Browser() as page:
        page.open((tmp_path / "report.html").as_uri())
        seen = set()
        for scheme in ("light", "dark"):
            page.colours(scheme)
            ink, ground = (page.run(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor"))
            light = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, ground)]
            assert abs(light[0] - light[1]) > 400, (ink, ground)
            seen.add(ground)
            for width in (1200, 420):
                page.width(width)
                assert page.run("document.documentElement.scrollWidth <= innerWidth"), width
        assert len(seen) == 2
        page.width(1200)
        wide = "[...document.querySelectorAll('.wide, figure')].filter(one => one.scrollWidth > one.clientWidth + 1).length"
        assert page.run(wide) == 0
        assert page.run("performance.getEntriesByType('resource').length") == 0
        assert not page.errors, page.errors


def test_percent() -> None:
    assert [charts.percent(value) for value in (0.0, 0.4321, 1.0)] == ["0 %", "43.2 %", "100 %"]
