"""`transformers serve` on the loopback interface, started once for all tests that ask a real server; the request names the
model's folder.

Needs the server's extra (`pip install "transformers[serving]"`): `skip_without` marks a test that does.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from importlib.util import find_spec

import pytest

_MISSING = [name for name in ("fastapi", "uvicorn", "openai", "starlette") if find_spec(name) is None]
skip_without = pytest.mark.skipif(bool(_MISSING), reason=f"transformers[serving] is not installed ({', '.join(_MISSING)})")

SECONDS = 120  # until the server must be up: importing torch takes its time on a busy machine


@cache
def url() -> str:
    """The server's address, up to and with /v1; it runs until the tests end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from transformers.cli.transformers import main; main()", "serve"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the server
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    atexit.register(_stop, process)
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return f"http://127.0.0.1:{port}/v1"
        time.sleep(0.2)
    log.seek(0)
    pytest.fail(f"transformers serve did not start:\n{log.read().decode(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


def no_key_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the loopback interface itself, without a key."""
    for name in ("THCE_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
