"""A small chat-completions server on the loopback interface that answers well or badly, as the test asks."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HEAD = re.compile(r"Code: (\S+) (\S+) \((.*)\)\n")


def good_reply(prompt: str) -> str:
    """What a capable model would write for a prompt: a note that names the title, and the trace the prompt shows."""
    match = HEAD.match(prompt)
    assert match is not None
    number = sum(map(ord, match[2]))
    reply = {"narrative": f"Visit in room {number}. Assessment: {match[3]}.", "evidence": match[3]}
    traces = re.findall(r"(?:^- .*\n?)+", prompt.split('"evidence"', 1)[1], re.MULTILINE)
    for name, trace in zip(("reasoning", "rejected"), traces, strict=False):
        reply[name] = trace.strip()
    return json.dumps(reply)


class Server:
    """Counts requests; `script` holds what the next ones get, and when it is empty all get a good reply.

    A script entry is an HTTP status, (status, headers), text for the content of a reply, or one of `timeout`,
    `trickle`, `cut`, `malformed`, `no choices`, `null`, `too long`, `redirect`.
    """

    def __init__(self) -> None:
        self.script: deque[Any] = deque()
        self.delay = 0.0
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self.answered: Counter[str] = Counter()
        self.busiest = 0
        self._busy = 0
        self._lock = threading.Lock()
        self.url = ""

    def take(self, body: dict[str, Any], authorization: str | None) -> Any:
        with self._lock:
            self.requests.append(body)
            self.authorizations.append(authorization)
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)
            return self.script.popleft() if self.script else "good"

    def done(self) -> None:
        with self._lock:
            self._busy -= 1


def completion(content: Any, prompt: str, finish: str = "stop") -> bytes:
    return json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}],
            "usage": {"prompt_tokens": len(prompt) // 4, "completion_tokens": 50},
        }
    ).encode()


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            act = server.take(body, self.headers.get("Authorization"))
            try:
                self.act(act, body["messages"][-1]["content"])
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                server.done()

        def act(self, act: Any, prompt: str) -> None:
            if self.path != "/v1/chat/completions":
                return self.send(404, b'{"error": {"message": "no such path"}}')
            time.sleep(server.delay)
            if isinstance(act, tuple):
                return self.send(act[0], b'{"error": {"message": "slow down"}}', act[1])
            if isinstance(act, int):
                return self.send(act, json.dumps({"error": {"message": f"fault {act}"}}).encode())
            if act == "timeout":
                time.sleep(2)
                self.close_connection = True
            elif act == "trickle":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                for _ in range(30):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    time.sleep(0.1)
            elif act == "cut":
                self.send_response(200)
                self.send_header("Content-Length", "5000")
                self.end_headers()
                self.wfile.write(b'{"choices": [')
                self.close_connection = True
            elif act == "malformed":
                self.send(200, b'{"choices": [')
            elif act == "no choices":
                self.send(200, b'{"choices": []}')
            elif act == "null":
                self.send(200, completion(None, prompt))
            elif act == "too long":
                self.send(200, completion("{", prompt, "length"))
            elif act == "redirect":
                self.send(302, b"", {"Location": f"{server.url}/elsewhere"})
            elif act == "good":
                server.answered[prompt] += 1
                self.send(200, completion(good_reply(prompt), prompt))
            else:
                self.send(200, completion(act, prompt))

    return Handler


@contextmanager
def serve() -> Iterator[Server]:
    server = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler(server))
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
