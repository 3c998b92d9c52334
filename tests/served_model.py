"""`transformers serve` on the loopback interface, for tests that ask a real server (fixture `served_url`); the request
names the model's folder.

Needs the server's extra (`pip install "transformers[serving]"`): `skip_without` marks a test that does.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

_MISSING = [name for name in ("fastapi", "uvicorn", "openai", "starlette") if find_spec(name) is None]
skip_without = pytest.mark.skipif(bool(_MISSING), reason=f"transformers[serving] is not installed ({', '.join(_MISSING)})")

SECONDS = 120  # until the server must be up: importing torch takes its time on a busy machine


@contextmanager
def serve() -> Iterator[str]:
    """A running server: its address, up to and with /v1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from transformers.cli.transformers import main; main()", "serve"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            deadline = time.monotonic() + SECONDS
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    pytest.fail(f"transformers serve did not start:\n{log.read().decode(errors='replace')[-2000:]}")
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(20)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def no_key_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the loopback interface itself, without a key."""
    for name in ("THCE_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
