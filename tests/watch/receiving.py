"""Where an Alertmanager in a test sends its notifications: a real HTTP receiver that remembers them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Notification:
    """One webhook call: the path it came to, and what Alertmanager said (status, groupLabels, alerts …)."""

    path: str
    body: dict[str, Any]

    @property
    def names(self) -> list[str]:
        """Alert names in it, in order."""
        return [each["labels"]["alertname"] for each in self.body["alerts"]]

    def says(self, name: str, status: str) -> bool:
        """Whether it tells that an alert of this name is `firing` or `resolved`."""
        return any(each["labels"]["alertname"] == name and each["status"] == status for each in self.body["alerts"])


class Receiver:
    """Notifications in the order in which they came."""

    def __init__(self, url: str) -> None:
        """Start empty."""
        self.url = url
        self._lock = threading.Lock()
        self._seen: list[Notification] = []
        self._refused = ""

    def refuse(self, path: str) -> None:
        """Answer 400 to what comes to a path from now on; to nothing with an empty one."""
        self._refused = path

    def refuses(self, path: str) -> bool:
        """Whether it is refused."""
        return path == self._refused

    def take(self, notification: Notification) -> None:
        """Remember one."""
        with self._lock:
            self._seen.append(notification)

    @property
    def seen(self) -> list[Notification]:
        """All until now."""
        with self._lock:
            return list(self._seen)

    def until(self, wanted: Callable[[Notification], bool], seconds: float = 30) -> Notification:
        """Wait for a notification, past or to come; fail with what came instead."""
        deadline = time.monotonic() + seconds
        while True:
            for each in self.seen:
                if wanted(each):
                    return each
            if time.monotonic() > deadline:
                came = [(each.path, each.body["status"], each.names) for each in self.seen]
                pytest.fail(f"not notified within {seconds:g} s; what came: {came}")
            time.sleep(0.1)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port of 127.0.0.1; any path is one of its mailboxes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not found.refuses(self.path):
                found.take(Notification(self.path, json.loads(body)))
            self.send_response(400 if found.refuses(self.path) else 200)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
