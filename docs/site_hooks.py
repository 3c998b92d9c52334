"""What MkDocs is told beyond mkdocs.yml: links out of docs/ and the files of the repository that are pages too."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOG = logging.getLogger("mkdocs.hooks.thce")
_LINK = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)#]+)(#[^)]*)?\)")
_INCLUDE = re.compile(r"^<!-- include: (\S+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put included files in, and turn links to files outside docs/ into their names; one that is not there is a warning."""
    here = (ROOT / "docs" / page.file.src_uri).parent
    markdown = _INCLUDE.sub(lambda found: (ROOT / found[1]).read_text(encoding="utf-8"), markdown)

    def outside(found: re.Match[str]) -> str:
        target = (here / found[2]).resolve()
        if target.is_relative_to(ROOT / "docs"):
            return found[0]
        if not target.exists():
            LOG.warning("%s links to %s, which is not there", page.file.src_uri, found[2])
        name = target.relative_to(ROOT).as_posix() if target.is_relative_to(ROOT) else found[2]
        label = found[1].strip("`")
        return f"`{name}`" if label in name else f"{found[1]} (`{name}`)"

    return _LINK.sub(outside, markdown)
