"""Serves the sandbox on loopback, in the foreground or in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from drybill.sandbox.app import application
from drybill.sandbox.store import Store

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether nobody listens on a port yet."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError:
            return False
    return True


def run(store: Store, port: int) -> None:
    """Until Ctrl-C. A connection that a fault breaks is no error of the server's: it is silent."""
    uvicorn.run(application(store), host=HOST, port=port, log_level="critical")


@contextmanager
def serving(store: Store) -> Iterator[str]:
    """In a thread, on a free port; gives the base URL."""
    # Named TCP, so that the loop turns Nagle's delay off (40 ms for each answer in two packets).
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind((HOST, 0))
    config = uvicorn.Config(
        application(store), log_level="critical", lifespan="off", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(5)
        listener.close()
