"""The folder of imported tables and its manifest, as its readers see it."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

from thce.errors import UserError
from thce.files import read_json

FOLDER = Path("data/licensed")
MANIFEST = "manifest.json"


def manifest(folder: Path | str = FOLDER) -> dict[str, dict[str, Any]]:
    """Table name -> its row of the manifest; empty when nothing is imported."""
    path = Path(folder) / MANIFEST
    rows: dict[str, dict[str, Any]] = read_json(path) if path.is_file() else {}
    return rows


def stored(folder: Path | str, name: str) -> bytes:
    """The content of an imported table, uncompressed; `UserError` when it is not the one the manifest tells of."""
    row = manifest(folder)[name]
    path = Path(folder) / row["file"]
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise UserError(str(path), "is not the table its manifest tells of", "import the official file again")
    return gzip.decompress(data) if path.suffix == ".gz" else data
