"""One seed in params.yaml, as many independent ones as the pipeline needs."""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed for one purpose, e.g. `derive(17, "stage1", "order")`: stable across runs, machines and Python versions."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
