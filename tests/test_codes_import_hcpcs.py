"""HCPCS Level II: text and workbook give the same codes, in one piece, with their days."""

from __future__ import annotations

from pathlib import Path

import codes_files as files
import pytest
from codes_tables import reference

from thce.codes.importers import MEMBERS, import_files
from thce.codes.importers_folder import stored
from thce.codes.importers_hcpcs import Hcpcs, hcpcs_rows, read_hcpcs
from thce.codes.importers_source import read_source
from thce.codes.importers_tables import imported_tables
from thce.errors import UserError

pytestmark = pytest.mark.unit


def read(path: Path) -> list[Hcpcs]:
    return read_hcpcs(read_source(path, MEMBERS["hcpcs_anweb"]))


def test_text_pieces_are_joined_and_days_read(tmp_path: Path) -> None:
    path = files.write(tmp_path, HCPC2026_OCT_ANWEB__txt=files.HCPCS)["HCPC2026_OCT_ANWEB__txt"]
    left, strips, mammography = read(path)
    assert (left.code, left.kind) == ("LT", "modifier")
    assert strips.long == "Blood glucose test or reagent strips for home blood glucose monitor, per 50 strips"
    assert (strips.short, strips.coverage, strips.betos, strips.added) == (
        "Blood glucose strips",
        "D",
        "D1A",
        "1986-01-01",
    )
    assert (mammography.ended, mammography.successors) == ("2017-12-31", ("77067",))


def test_text_and_workbook_say_the_same(tmp_path: Path) -> None:
    paths = files.write(tmp_path, a__txt=files.HCPCS, a__xlsx=files.hcpcs_workbook())
    assert read(paths["a__txt"]) == read(paths["a__xlsx"])


def test_ended_codes_are_kept_as_history_but_not_billable(tmp_path: Path) -> None:
    path = files.write(tmp_path, HCPC2026_OCT_ANWEB__txt=files.HCPCS)["HCPC2026_OCT_ANWEB__txt"]
    (table,) = import_files({"hcpcs_anweb": [path]}, tmp_path / "to", bounds=files.SMALL)
    assert table.row["counts"] == {"rows": 3, "procedures": 2, "modifiers": 1, "ended": 1}
    assert (table.row["release"], table.row["effective_from"]) == ("2026-10", "2026-10-01")
    imported = imported_tables(tmp_path / "to")
    assert [(item.code, item.billable) for item in imported.items["HCPCS"]] == [("A", False), ("A4253", True)]
    ended = next(row for row in imported.history if row["code"] == "G0202")
    assert (ended["to"], ended["successors"], ended["title"]) == (
        "2017-12-31",
        "77067",
        "Screening mammography, bilateral",
    )
    assert hcpcs_rows(stored(tmp_path / "to", "hcpcs_anweb").decode()) == read(path)


def test_a_lost_first_line_and_codes_of_others_are_refused(tmp_path: Path) -> None:
    orphan = files.write(tmp_path, a__txt=files.hcpcs_line("A4253", "4", "50 strips").encode())["a__txt"]
    with pytest.raises(UserError, match="did not begin"):
        read(orphan)
    dental = files.hcpcs_line("D0000", "3", "Invented dental service", added="20200101").encode()
    with pytest.raises(UserError, match="not an HCPCS Level II code"):
        read(files.write(tmp_path, b__txt=dental)["b__txt"])
    cut = files.HCPCS.splitlines()[-1][:200]
    with pytest.raises(UserError, match="200 columns"):
        read(files.write(tmp_path, c__txt=cut)["c__txt"])


def test_a_workbook_that_is_damaged_or_another(tmp_path: Path) -> None:
    cut = files.write(tmp_path, a__xlsx=files.hcpcs_workbook()[:-200])["a__xlsx"]
    with pytest.raises(UserError, match="cannot be read as a workbook"):
        read(cut)
    with pytest.raises(UserError, match="no column `HCPC`"):
        read(files.write(tmp_path, b__xlsx=files.workbook([["a", "b"], [1, 2]]))["b__xlsx"])


def test_official_release_of_2019_text_against_workbook() -> None:
    path = reference("hcpcs", "2019-Alpha-Numeric-HCPCS-File.zip")
    text = read(path)
    sheet = read_hcpcs(read_source(path, MEMBERS["hcpcs_anweb"][1:]))
    assert len(text) == 6_800
    assert [row.code for row in text] == [row.code for row in sheet]
    assert [row.long for row in text] == [row.long for row in sheet]
    assert [row._replace(changed="") for row in text] == [row._replace(changed="") for row in sheet]
    procedures = [row for row in text if row.kind == "procedure"]
    assert (len(procedures), sum(bool(row.ended) for row in procedures)) == (6_440, 506)
    days = {row.code: (row.added, row.ended, row.successors) for row in procedures}
    assert days["G0202"] == ("2001-04-01", "2017-12-31", ("77067",))
    assert days["G0431"][1] == "2015-12-31"
