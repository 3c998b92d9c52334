"""Data sets of the Hugging Face hub, streamed at a pinned revision."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from thce.errors import UserError
from thce.narratives.sources import Record, Reject, need
from thce.narratives.sources_config import Hub
from thce.narratives.sources_files import mapped_record

_COMMIT = re.compile(r"[0-9a-f]{40}")


def records(config: Hub, reject: Reject) -> Iterator[Record]:
    """One record per row of the split. `dataset` may be a local folder of data files; then `revision` is only
    checked. Raises `UserError` where it is no commit, or the rows cannot be read."""
    if not _COMMIT.fullmatch(config.revision):
        raise UserError(
            f"{config.name}: revision",
            f"`{config.revision}` is no commit",
            "use the 40 digits of one: a branch name moves",
        )
    if config.dataset.startswith((".", "/", "~")) and not Path(config.dataset).is_dir():
        raise UserError(config.dataset, "no such folder", "check the path, or name a data set of the hub as `owner/name`")
    import datasets

    local = Path(config.dataset).is_dir()
    try:
        stream = datasets.load_dataset(
            config.dataset,
            config.subset,
            split=config.split,
            streaming=True,
            revision=None if local else config.revision,
        )
        for number, row in enumerate(stream, 1):
            if number == 1:
                need(config.columns, row, config.dataset)
            yield from mapped_record(row, config.columns, config.label, f"{config.dataset}:{number}", number, reject)
    except UserError:
        raise
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        first = " ".join(str(error).split())[:200]
        raise UserError(
            config.dataset,
            f"cannot be read ({first})",
            "check name, revision and network; offline, name a local folder (see `hf download`)",
        ) from None
