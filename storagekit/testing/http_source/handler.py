"""One connection: from a request to the head of its answer. ``http.server`` parses; all writing is done here."""

from __future__ import annotations

import http
import http.server
import json
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Any, Protocol

from .behaviour import Live
from .listener import reset_on_close
from .log import LOGGED_HEADERS, Entry
from .planning import Plan, make_plan
from .sending import Body, Sender
from .state import State

CONTROL_PATH = "/__control__"


class Control(Protocol):
    """What ``/__control__`` reads and changes."""

    def status(self) -> dict[str, Any]:
        """What GET answers."""

    def configure(self, settings: Mapping[str, Any]) -> None:
        """What POST does with its JSON."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the requests of one connection, from the moment it is made."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, state: State, control: Control, *connection: Any) -> None:
        self._state = state
        self._control = control
        super().__init__(*connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name http.server gives it
        """Keep stderr quiet; the log is ``SourceServer.requests``."""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] == CONTROL_PATH:
            self._send_json(200, self._control.status())
        else:
            self._serve()

    do_HEAD = do_GET  # noqa: N815 - http.server looks for this name

    def do_POST(self) -> None:
        if self.path.partition("?")[0] == CONTROL_PATH:
            self._configure()
        else:
            self._serve()

    do_PUT = do_DELETE = do_PATCH = do_POST  # noqa: N815 - http.server looks for these names

    def _configure(self) -> None:
        try:
            self._control.configure(json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0")))))
        except (TypeError, ValueError, KeyError, OSError) as error:
            self._send_json(400, {"error": f"{type(error).__name__}: {error}"})
        else:
            self._send_json(200, self._control.status())

    def _send_json(self, status: int, value: object) -> None:
        data = json.dumps(value).encode()
        head = self._head(status, [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
        self.connection.sendall(head + (b"" if self.command == "HEAD" else data))

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        logged = {name: headers[name] for name in LOGGED_HEADERS if name in headers}
        entry = Entry(self.command, self.path, logged, self.client_address[1])
        self._state.entries.append(entry)
        try:
            self._answer(entry, headers)
        finally:
            entry.finished = True

    def _answer(self, entry: Entry, headers: dict[str, str]) -> None:
        with self._state.meter.lock:
            version, live = self._state.version, self._state.live
        self._state.pause(live.behaviour.delay_seconds)
        plan = self._refusal(live) or make_plan(headers, version, live.behaviour)
        chunked = live.behaviour.chunked and plan.has_body
        entry.status = plan.status
        self.connection.sendall(self._head(plan.status, [*plan.headers, *_framing(plan, chunked=chunked)]))
        if self.command == "GET" and plan.has_body:
            self._send_body(entry, Body.of(version.content, plan, live, chunked=chunked), live)

    def _send_body(self, entry: Entry, body: Body, live: Live) -> None:
        Sender(self.connection, self._state, entry).send(body, live.behaviour.stall_seconds)
        if body.cut:
            self.close_connection = True
            if live.behaviour.cut_reset:
                reset_on_close(self.connection)

    def _refusal(self, live: Live) -> Plan | None:
        """An answer that comes before any look at the content."""
        behaviour = live.behaviour
        if self.command not in ("GET", "HEAD"):
            self.close_connection = True  # a request body, if any, stays unread
            return Plan(405, (("Allow", "GET, HEAD"),))
        if behaviour.storm_requests and live.take("storm"):
            retry = behaviour.storm_retry_after
            return Plan(behaviour.storm_status, () if retry is None else (("Retry-After", str(retry)),))
        if behaviour.refuse_head and self.command == "HEAD":
            return Plan(405, (("Allow", "GET"),))
        if behaviour.redirect_loop:
            host, port = self.connection.getsockname()
            return Plan(302, (("Location", f"http://{host}:{port}{self.path}"),))
        return None

    def _head(self, status: int, headers: Sequence[tuple[str, str]]) -> bytes:
        try:
            phrase = http.HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unassigned"
        lines = [f"HTTP/1.1 {status} {phrase}", f"Date: {formatdate(usegmt=True)}", "Server: storagekit-source"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines += ["Connection: close"] if self.close_connection else []
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _framing(plan: Plan, *, chunked: bool) -> list[tuple[str, str]]:
    if plan.status == 304:
        return []
    if not plan.has_body:
        return [("Content-Length", "0")]
    length = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(plan.length))
    return [("Content-Type", "application/octet-stream"), length]
