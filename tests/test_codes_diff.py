"""Diff: the job of 1 October, from two releases to the lines of this project that must change."""

from __future__ import annotations

import json
from pathlib import Path

import codes_files as files
import pytest
from codes_tables import folder, reference

from thce import cli
from thce.codes.importers import import_files
from thce.codes.importers_release import read_release, read_successors
from thce.codes.release_diff import CodeRow, CodeSet, Diff, diff, to_dict, touched
from thce.errors import UserError

pytestmark = pytest.mark.unit


@pytest.fixture
def releases(tmp_path: Path) -> tuple[Path, Path]:
    paths = files.write(tmp_path, icd10cm_order_2026__txt=files.order(), icd10cm_order_2027__txt=files.order(files.NEXT))
    return paths["icd10cm_order_2026__txt"], paths["icd10cm_order_2027__txt"]


@pytest.fixture
def change(releases: tuple[Path, Path]) -> Diff:
    return diff(read_release(releases[0]), read_release(releases[1]), {"Z99": ("E11.9",)})


def test_what_a_release_changes(change: Diff) -> None:
    assert (change.old, change.new_label) == ("FY2026", "FY2027")
    assert change.new == ("I42.00", "I42.09")
    assert change.demoted == ("I42.0",)
    assert change.retired == ("Z99",)
    assert change.retitled == {"L02.9": ("Cutaneous abscess, unspecified", "Cutaneous abscess of unspecified site")}
    assert change.successors == {"I42.0": ("I42.00", "I42.09"), "Z99": ("E11.9",)}
    assert (change.new_headers, change.retired_headers, change.promoted) == ((), (), ())
    assert change.changed == ("Z99", "I42.0", "L02.9")


def test_backwards_headers_become_billable(releases: tuple[Path, Path]) -> None:
    change = diff(read_release(releases[1]), read_release(releases[0]))
    assert (change.promoted, change.retired, change.new) == (("I42.0",), ("I42.00", "I42.09"), ("Z99",))


def test_accents_and_case_are_no_new_title() -> None:
    old = CodeSet("ICD10", "a", {"M35.0": CodeRow(True, "Sjögren syndrome")})
    assert diff(old, CodeSet("ICD10", "b", {"M35.0": CodeRow(True, "Sjogren Syndrome")})).retitled == {}


def test_an_addenda_file_stands_for_the_release_it_makes(releases: tuple[Path, Path], change: Diff) -> None:
    addenda = releases[0].with_name("icd10cm_order_addenda_2027.txt")
    addenda.write_bytes(files.addenda())
    old = read_release(releases[0])
    assert diff(old, read_release(addenda, before=old), {"Z99": ("E11.9",)}) == change
    with pytest.raises(UserError, match="needs the release before it"):
        read_release(addenda)


def test_imported_and_built_folders_are_releases_too(releases: tuple[Path, Path], tmp_path: Path) -> None:
    import_files({"icd10cm_order": [releases[1]]}, tmp_path / "licensed", bounds=files.SMALL)
    assert read_release(tmp_path / "licensed").rows == read_release(releases[1]).rows
    built = read_release(folder())
    assert (built.label, len(built.rows)) == ("FY2026", 98_186)
    assert len(read_release(folder(), "CPT").rows) == 200


def test_hcpcs_releases_name_their_successors(tmp_path: Path) -> None:
    later = files.write(tmp_path, HCPC2026_OCT_ANWEB__txt=files.HCPCS)["HCPC2026_OCT_ANWEB__txt"]
    live = files.HCPCS.replace(b"20171231D", b"        N").replace(b"77067", b"     ")
    earlier = files.write(tmp_path, HCPC2017_ANWEB__txt=live)["HCPC2017_ANWEB__txt"]
    change = diff(read_release(earlier, "HCPCS"), read_release(later, "HCPCS"))
    assert (change.old, change.new_label, change.retired) == ("2017-01", "2026-10", ("G0202",))
    assert change.successors == {"G0202": ("77067",)}


def test_what_is_not_a_release(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        read_release(tmp_path / "none")
    with pytest.raises(UserError, match="holds no ICD10 tables"):
        read_release(tmp_path)
    (tmp_path / "a.txt").write_text("hello\n")
    with pytest.raises(UserError, match="not a line of an ICD-10-CM codes file"):
        read_release(tmp_path / "a.txt")


@pytest.fixture
def project(tmp_path: Path) -> dict[str, Path]:
    """Scope, phrasebook and narratives that use I42.0 and E11.9."""
    folders = {name: tmp_path / name for name in ("database", "phrasebook", "narratives")}
    for path in folders.values():
        path.mkdir()
    scope = {"codes": [{"code": "E11.9"}, {"code": "I42.0"}]}
    (folders["database"] / "icd10_codes.json").write_text(json.dumps(scope))
    phrases = "# remarks\n\nICD10 E11.9  Diabetes\n  lay  sugar\n\nICD10 I42.0  Dilated cardiomyopathy\n  lay  weak heart\n"
    (folders["phrasebook"] / "a.txt").write_text(phrases)
    rows = [{"codes": [{"code_type": "ICD10", "code": code}]} for code in ("E11.9", "I42.0", "I42.0")]
    (folders["narratives"] / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folders


def test_what_is_touched_here(change: Diff, project: dict[str, Path]) -> None:
    found = touched(change, project["database"], project["phrasebook"], project["narratives"])
    assert found.scope == ("I42.0",)
    assert found.phrasebook == {"I42.0": (f"{project['phrasebook'].as_posix()}/a.txt:6",)}
    assert found.narratives == {"I42.0": {"train.jsonl": 2}}
    assert to_dict(change, found)["touched"]["scope"] == ["I42.0"]
    unchanged = diff(CodeSet("ICD10", "a", {}), CodeSet("ICD10", "b", {}))
    assert not touched(unchanged, project["database"], project["phrasebook"], project["narratives"])


def test_command_tells_lists_and_exit_code(
    releases: tuple[Path, Path], project: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    here = [text for name, path in project.items() for text in (f"--{name}", str(path))]
    old, new = map(str, releases)
    assert cli.main(["codes", "diff", old, new, *here]) == 1
    text = capsys.readouterr().out
    assert "ICD10: FY2026 -> FY2027" in text
    assert "I42.0 -> I42.00, I42.09" in text
    assert "in narratives: I42.0 (train.jsonl: 2 rows)" in text
    assert cli.main(["codes", "diff", old, old, *here]) == 0
    assert "no changed code is in scope" in capsys.readouterr().out
    assert cli.main(["codes", "diff", old, new, *here, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["demoted"] == ["I42.0"]
    assert cli.main(["codes", "diff", old, "none"]) == 2


def test_official_releases_2025_and_2026() -> None:
    old = read_release(reference("icd10cm", "icd10cm-CodeDescriptions-April-2025.zip"))
    new = read_release(reference("icd10cm", "icd10cm-CodeDescriptions-2026.zip"))
    table = read_successors(reference("icd10cm", "ICD-10-CM-CONVERSION-TABLE-FY2026.xlsx"))
    change = diff(old, new, table)
    assert (len(change.new), len(change.retired), len(change.demoted)) == (487, 12, 16)
    assert len(change.new) - len(change.retired) - len(change.demoted) == 74_719 - 74_260
    assert len(change.new_headers) + len(change.demoted) == 143
    assert set(change.successors) == {*change.retired, *change.demoted}, "all have successors"
    assert change.successors["S30.1XXA"] == ("S30.11XA", "S30.12XA", "S30.13XA")
    assert "G35" in change.demoted
    built = diff(new, read_release(folder()))
    assert not (built.new or built.retired or built.demoted or built.promoted or built.retitled)
