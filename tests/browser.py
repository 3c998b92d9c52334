"""A headless Chromium for the tests that look at a page: started where it is installed, spoken to over a pipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from base64 import b64decode
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def installed() -> str | None:
    """The program, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page. Use it as a context manager; `run` evaluates JavaScript in the page and returns its value."""

    def __init__(self, width: int = 1200, height: int = 900) -> None:
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs, self.to = os.pipe()
        self.back, answers = os.pipe()
        command = [
            "bash", "-c", f'exec "$@" 3<&{theirs} 4>&{answers}', "-", str(installed()), "--headless", "--no-sandbox",
            "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={self.folder.name}",
            f"--window-size={width},{height}", "--no-first-run", "--disable-extensions", "--disable-background-networking",
        ]  # fmt: skip
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, pass_fds=(theirs, answers), stdin=quiet, stdout=quiet, stderr=quiet)
        os.close(theirs)
        os.close(answers)
        self.reader = os.fdopen(self.back, "rb")
        self.number = 0
        self.session = ""
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.to)
        self.process.kill()
        self.process.wait()
        self.reader.close()
        self.folder.cleanup()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the DevTools protocol; what the page logs as an error meanwhile goes to `errors`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params, "sessionId": self.session}
        if not self.session:
            del message["sessionId"]
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            told = json.loads(self._next())
            if told.get("method") == "Log.entryAdded" and told["params"]["entry"]["level"] == "error":
                self.errors.append(told["params"]["entry"]["text"])
            if told.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(told["params"]["exceptionDetails"]))
            if told.get("id") == self.number:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result

    def _next(self) -> bytes:
        parts = bytearray()
        while (one := self.reader.read(1)) != b"\0":
            assert one, "the browser is gone"
            parts += one
        return bytes(parts)

    def run(self, script: str) -> Any:
        """The value of an expression; a promise is waited for."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait in the page until an expression is true."""
        self.run(f"new Promise(done => {{ const look = () => ({condition}) ? done() : setTimeout(look, 20); look(); }})")

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        self.until(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    def colours(self, scheme: str) -> None:
        """`light` or `dark`, as the system asks for it."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def width(self, pixels: int) -> None:
        """The width of the window."""
        self.call("Emulation.setDeviceMetricsOverride", width=pixels, height=900, deviceScaleFactor=1, mobile=False)

    def picture(self, full: bool = False) -> bytes:
        """A PNG of the page."""
        return b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=full)["data"])
