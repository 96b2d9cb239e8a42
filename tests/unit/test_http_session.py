"""Requests of an HTTP source: redirects, and who gets to see the caller's headers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storagekit._http_session import Requester
from storagekit.driver import Code, DriverError
from storagekit.errors import RequestRefusedError, UnsupportedSourceError
from storagekit.testing.hostile.lies import redirect
from storagekit.testing.hostile.server import HostileServer
from storagekit.testing.hostile.site import Site
from storagekit.testing.hostile.wire import Answer, Request

PRIVATE = {"Authorization": "Bearer s3cret", "X-Token": "s3cret"}


@pytest.fixture
def other() -> Iterator[HostileServer]:
    with HostileServer(Site()) as server:
        yield server


def get(server: HostileServer, url: str | None = None, headers: dict[str, str] | None = None) -> int:
    requester = Requester(url or server.url, headers or {}, 5.0)
    try:
        with requester.get({}) as answer:
            return answer.status_code
    finally:
        requester.close()


def shown_to(server: HostileServer) -> list[str]:
    return [text for request in server.requests for text in request.headers.values()]


def test_private_headers_go_along_on_their_own_host() -> None:
    with HostileServer(Site(lies=(redirect({"/object.bin": (302, "/a"), "/a": (307, "http://{host}/b")}),))) as server:
        assert 200 == get(server, headers=PRIVATE)

        assert [1, 1, 1] == [sum("s3cret" in text for text in r.headers.values()) // 2 for r in server.requests]


def test_private_headers_never_leave_their_host_and_never_come_back(other: HostileServer) -> None:
    def script(request: Request) -> Answer:
        if request.path == "/object.bin":
            return Answer(302, (("Location", other.url),))
        if request.path == "/back":
            return Answer(302, (("Location", "/last"),))
        return Answer(200, body=b"x")

    with HostileServer(script) as server:
        back = server.url.replace("object.bin", "back")
        other.script = lambda _: Answer(302, (("Location", back),))

        assert 200 == get(server, headers=PRIVATE)

        assert not any("s3cret" in text for text in shown_to(other))
        assert [True, False, False] == ["x-token" in request.headers for request in server.requests]
        assert ["/object.bin", "/back", "/last"] == [request.path for request in server.requests]


def test_user_and_password_of_the_url_go_to_its_host_only(other: HostileServer) -> None:
    with HostileServer(Site(lies=(redirect({"/object.bin": (302, other.url)}),))) as server:
        url = server.url.replace("http://", "http://us%40er:hush@")

        assert 200 == get(server, url)

        assert "Basic dXNAZXI6aHVzaA==" == server.requests[0].headers["authorization"]
        assert not any("authorization" in request.headers for request in other.requests)


def test_user_and_password_stay_across_a_redirect_on_the_same_host() -> None:
    with HostileServer(Site(lies=(redirect({"/object.bin": (302, "http://{host}/b")}),))) as server:
        get(server, server.url.replace("http://", "http://user:hush@"))

        assert [True, True] == ["authorization" in request.headers for request in server.requests]


def test_a_password_of_netrc_does_not_replace_a_header(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    file = f"{tmp_path}/netrc"
    with open(file, "w", encoding="utf-8") as netrc:  # noqa: PTH123
        netrc.write("machine 127.0.0.1 login wrong password wrong\n")
    monkeypatch.setenv("NETRC", file)
    with HostileServer(Site()) as server:
        get(server, headers=PRIVATE)

        assert PRIVATE["Authorization"] == server.requests[0].headers["authorization"]


@pytest.mark.parametrize("location", ["http://host/a", "HTTP://host/a", "//host/a"])
def test_from_https_to_http_is_refused(location: str) -> None:
    requester = Requester("https://host/object", {}, 5.0)
    if location.startswith("//"):
        assert "https://host/a" == requester._target("https://host/object", location)
    else:
        with pytest.raises(RequestRefusedError, match="https to plain http"):
            requester._target("https://host/object", location)
    requester.close()


@pytest.mark.parametrize("location", ["ftp://host/a", "file:///etc/passwd", "javascript:x", "data:,x", "http://[::1/a"])
def test_to_what_is_no_http_url_is_refused(location: str) -> None:
    with HostileServer(lambda _: Answer(302, (("Location", location),))) as server:
        with pytest.raises(UnsupportedSourceError):
            get(server)

        assert 1 == len(server.requests)


def test_redirects_without_end_are_given_up() -> None:
    with HostileServer(lambda request: Answer(302, (("Location", request.path + "x"),))) as server:
        with pytest.raises(DriverError) as caught:
            get(server)

        assert Code.REFUSED is caught.value.failure.code
        assert 21 == len(server.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_redirect_keeps_range_and_condition(status: int) -> None:
    with HostileServer(Site(lies=(redirect({"/object.bin": (status, "b")}),))) as server:
        requester = Requester(server.url, {}, 5.0)
        with requester.get({"Range": "bytes=5-9", "If-Match": '"x"'}) as answer:
            assert 412 == answer.status_code
        requester.close()

        assert ["bytes=5-9", '"x"'] == [server.requests[1].headers[name] for name in ("range", "if-match")]
