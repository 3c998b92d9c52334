"""Chat completions from any OpenAI-compatible server over plain HTTP: concurrent, patient, and never paid for twice.

Every reply is written to a journal the moment it arrives. A run that was killed starts again where it stopped: a
request whose reply stands in the journal is not sent again. The key comes from the environment variable THCE_API_KEY
alone.
"""

from __future__ import annotations

import email.utils
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from filelock import FileLock, Timeout

from thce.errors import UserError
from thce.narratives.endpoint_tasks import Task
from thce.seeds import derive

KEY_VARIABLE = "THCE_API_KEY"
RETRIED = (408, 409, 425, 429, 500, 502, 503, 504)
"""HTTP statuses after which the same request may succeed."""
FATAL = (401, 403, 404, 405)
"""HTTP statuses that every other request would meet too: wrong key, address or model."""
LONGEST_WAIT = 300.0
LARGEST_REPLY = 8 * 2**20  # bytes
_STOP_AFTER = 5  # requests that fail one after another before the run gives up


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to ask. `timeout` and `backoff` are in seconds; `attempts` counts the first try."""

    base_url: str
    model: str
    key: str | None = None
    max_tokens: int = 700
    max_tokens_name: str = "max_tokens"
    temperature: float = 1.0
    workers: int = 4
    timeout: float = 120.0
    attempts: int = 6
    backoff: float = 1.0
    json_mode: bool = False

    def body(self, task: Task) -> dict[str, Any]:
        """The request of one task; the same task always makes the same request."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": list(task.messages),
            "temperature": self.temperature,
            self.max_tokens_name: self.max_tokens,
            "seed": task.seed,
        }
        if self.json_mode:
            body["response_format"] = {"type": "json_object"}
        return body


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered, and what it counted; tokens are None where it does not tell."""

    content: str
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None


class Failed(Exception):
    """One request got no usable reply; `fatal` when all others would fail too."""

    def __init__(self, reason: str, fatal: bool = False) -> None:
        self.fatal = fatal
        super().__init__(reason)


def endpoint(base_url: str, model: str, **settings: Any) -> Endpoint:
    """An endpoint with its address checked and the key read; raises `UserError` before anything is sent."""
    parts = urlsplit(base_url)
    try:
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        port_fits = False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_fits:
        raise UserError("--base-url", f"`{base_url}` is no address", "write e.g. http://localhost:8000/v1")
    if parts.username or parts.password:
        raise UserError("--base-url", "must not hold a password", f"set {KEY_VARIABLE} instead")
    key = os.environ.get(KEY_VARIABLE, "").strip() or None
    if key and not (key.isascii() and key.isprintable()):
        raise UserError(KEY_VARIABLE, "holds characters that no key has", "copy it again")
    if key and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise UserError("--base-url", "would send the key in the clear", f"use https, or unset {KEY_VARIABLE}")
    return Endpoint(base_url.rstrip("/"), model, key, **settings)


def request_key(body: Mapping[str, Any]) -> str:
    """What makes two requests the same: all of the body."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]


def ask(client: httpx2.Client, to: Endpoint, body: Mapping[str, Any], stop: threading.Event) -> Reply:
    """Send one request, again after a fault that may pass, waiting longer each time (or as long as the server asks)."""
    problem = "was not sent"
    for attempt in range(to.attempts):
        if stop.is_set():
            raise Failed("stopped")
        wait: float | None = None
        try:
            status, headers, raw = _post(client, to, body)
            if status == 200:
                return _reply(raw)
            problem = f"HTTP {status}{_said(raw, to.key)}"
            if status in FATAL:
                raise Failed(problem, fatal=True)
            if status not in RETRIED:
                raise Failed(problem)
            wait = _asked_for(headers.get("retry-after"))
        except httpx2.TimeoutException:
            problem = f"no answer within {to.timeout:g} s"
        except httpx2.RequestError as error:
            problem = f"connection failed ({type(error).__name__})"
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            problem = "the reply is no chat completion"
        if attempt + 1 < to.attempts:
            # the jitter keeps workers apart; it decides nothing but when, so it need not be repeatable beyond the
            # request
            jitter = derive(attempt, request_key(body)) / 2**63
            stop.wait(wait if wait is not None else min(LONGEST_WAIT, to.backoff * 2**attempt * (0.5 + jitter)))
    raise Failed(f"{problem}, {to.attempts} times")


def _post(client: httpx2.Client, to: Endpoint, body: Mapping[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and content; the time limit holds for the whole reply, however slowly it trickles in."""
    deadline = time.monotonic() + to.timeout
    headers = {"Authorization": f"Bearer {to.key}"} if to.key else {}
    with client.stream("POST", f"{to.base_url}/chat/completions", json=body, headers=headers) as response:
        raw = bytearray()
        for chunk in response.iter_bytes():
            raw += chunk
            if len(raw) > LARGEST_REPLY:
                raise ValueError("too long")
            if time.monotonic() > deadline:
                raise httpx2.ReadTimeout("the reply trickles")
        return response.status_code, response.headers, bytes(raw)


def _reply(raw: bytes) -> Reply:
    value = json.loads(raw)
    choice = value["choices"][0]
    content = choice["message"]["content"]
    if not isinstance(content, str):
        raise TypeError("content is no text")
    usage = value.get("usage") or {}
    tokens = [count if isinstance(count := usage.get(name), int) else None for name in ("prompt_tokens", "completion_tokens")]
    return Reply(content, str(choice.get("finish_reason")), *tokens)


def _said(raw: bytes, key: str | None) -> str:
    """The server's own words about a fault, short, on one line, and without the key (some servers repeat it)."""
    text = raw[:2000].decode("utf-8", "replace")
    try:
        value = json.loads(raw)
        error = value.get("error", value.get("detail"))
        text = str(error.get("message", error) if isinstance(error, dict) else error)
    except (ValueError, AttributeError):
        pass
    text = " ".join(text.split())[:200]
    return f": {text.replace(key, '...') if key else text}" if text else ""


def _asked_for(header: str | None) -> float | None:
    """Seconds to wait from a Retry-After header (seconds or a date), at most `LONGEST_WAIT`."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return min(LONGEST_WAIT, max(0.0, seconds)) if seconds == seconds else None


class Journal:
    """Replies on disk, one line each, keyed by request. A last line that a kill cut off does not count."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.replies: dict[str, Reply] = {}
        self._lock = threading.Lock()
        raw = path.read_bytes() if path.exists() else b""
        self.whole = raw.rfind(b"\n") + 1
        for number, line in enumerate(raw[: self.whole].splitlines(), 1):
            try:
                row = json.loads(line)
                request = row.pop("request")
                self.replies[request] = Reply(**row)
            except (ValueError, KeyError, TypeError, AttributeError):
                raise UserError(
                    f"{path}:{number}", "is no journal line", "remove the line; its request is then sent again"
                ) from None

    def add(self, request: str, reply: Reply) -> None:
        """Keep a reply; it is on the disk when this returns."""
        line = json.dumps({"request": request, **asdict(reply)}) + "\n"
        with self._lock:
            with self.path.open("ab") as stream:
                stream.write(line.encode())
                stream.flush()
                os.fsync(stream.fileno())
            self.replies[request] = reply


@contextmanager
def journal(path: Path) -> Iterator[Journal]:
    """The journal, held by this process alone: two runs at once would pay for the same requests. Raises
    `UserError` where another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(str(path), "another run is writing it", "wait for that run, or choose another --output") from None
    try:
        book = Journal(path)
        if path.exists():
            os.truncate(path, book.whole)
        yield book
    finally:
        lock.release()


def run(
    tasks: Sequence[Task], to: Endpoint, book: Journal, progress: Callable[[int, int], None] = lambda done, of: None
) -> dict[int, str]:
    """Ask for every task without a reply in the journal; returns task number -> why it got none.

    Raises `UserError` when the server refuses all requests (wrong key, address or model) or several in a row fail; what
    was answered until then is kept. Ctrl-C waits for the requests under way, since they are paid for.
    """
    requests = {task.number: to.body(task) for task in tasks}
    missing = [number for number, body in requests.items() if request_key(body) not in book.replies]
    failed: dict[int, str] = {}
    stop = threading.Event()
    in_a_row = 0
    limits = httpx2.Limits(max_connections=to.workers, max_keepalive_connections=to.workers)

    with (
        httpx2.Client(timeout=httpx2.Timeout(to.timeout), limits=limits, follow_redirects=False) as client,
        ThreadPoolExecutor(to.workers, thread_name_prefix="request") as pool,
    ):

        def one(number: int) -> None:
            reply = ask(client, to, requests[number], stop)
            book.add(request_key(requests[number]), reply)

        futures = {pool.submit(one, number): number for number in missing}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                try:
                    future.result()
                    in_a_row = 0
                except Failed as error:
                    failed[futures[future]] = str(error)
                    in_a_row += 1
                    if error.fatal or in_a_row >= _STOP_AFTER:
                        raise UserError(
                            f"{to.base_url} ({to.model})",
                            str(error),
                            f"mend it and run again: {len(book.replies)} replies are kept"
                            + (
                                f"; the key is read from {KEY_VARIABLE}"
                                if str(error).startswith(("HTTP 401", "HTTP 403"))
                                else ""
                            ),
                        ) from None
                progress(done, len(missing))
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
    return failed
