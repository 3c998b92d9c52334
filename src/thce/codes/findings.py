"""What is remarked on codes, apart from the rules that remark it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Finding(NamedTuple):
    """One remark on the codes of a claim or a note: the rule, how grave (`error`, `warning`, `info`), the codes it is about, in
    words, its source."""

    rule_id: str
    severity: str
    codes: tuple[str, ...]
    text: str
    source: str

    def to_dict(self) -> dict[str, Any]:
        """The finding as plain values for JSON."""
        return {**self._asdict(), "codes": list(self.codes)}
