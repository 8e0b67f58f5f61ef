"""A small proxy before Tryton: it forwards a request, and may lose what comes back.

Or it loses the request itself, or holds it until a process that sent it is gone.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DROPPED = {"connection", "transfer-encoding", "content-length", "server", "date", "host"}


@dataclass
class Fault:
    """What happens to the next request that fits, once. `arrives`: Tryton gets to see it."""

    method: str
    path: str  # how it ends, without its query
    arrives: bool = True
    answered: bool = False  # the answer is passed on; else the connection breaks off
    first: Callable[[], None] = lambda: None  # before Tryton sees it
    then: Callable[[], None] = lambda: None  # before the connection breaks off


@dataclass
class Proxy:
    port: int
    sent: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, body
    faults: list[Fault] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def writes(self) -> list[str]:
        """What was sent that is no read, as `POST .../draft`."""
        return [f"{m} {p.partition('/rest/model/')[2]}" for m, p, _ in self.sent if m != "GET"]


@contextmanager
def before(target_port: int) -> Iterator[Proxy]:
    """A proxy in front of a server on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # an answer in two parts would wait for 40 ms

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            path = self.path.partition("?")[0]
            proxy.sent.append((self.command, path, body.decode()))
            fault = next(
                (f for f in proxy.faults if f.method == self.command and path.endswith(f.path)),
                None,
            )
            if fault is not None:
                proxy.faults.remove(fault)
                fault.first()
            if fault is None or fault.arrives:
                status, headers, content = self.ask(body)
            if fault is not None and not fault.answered:
                fault.then()
                self.close_connection = True
                return
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in DROPPED:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = forward

        def ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            tryton = http.client.HTTPConnection("127.0.0.1", target_port, timeout=60)
            try:
                headers = {k: v for k, v in self.headers.items() if k.lower() not in DROPPED}
                tryton.request(self.command, self.path, body or None, headers)
                answer = tryton.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            finally:
                tryton.close()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = Proxy(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
