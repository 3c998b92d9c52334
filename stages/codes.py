"""DVC stage `codes`: build the compact code tables of `data/codes/`."""

from __future__ import annotations

import _bootstrap
from thce import params
from thce.codes import tables
from thce.files import write_json
from thce.settings.codes import CodesParams


def main() -> None:
    settings = params.load(CodesParams)
    counts = tables.build("data/code_databases", "data/codes", settings.cpt, "data/licensed")
    write_json("metrics/codes.json", counts)


if __name__ == "__main__":
    _bootstrap.run(main)
