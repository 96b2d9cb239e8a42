"""HTTP sources, the pure part: which version is it, how is it pinned, what may be shown, what does a status mean."""

from __future__ import annotations

import http.client
import socket
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagekit._clock import Cancel
from storagekit._http import HTTPSource
from storagekit._http_failures import failure_of
from storagekit._http_rules import (
    Piece,
    Pin,
    Validators,
    identify,
    piece_of,
    pin_headers,
    pins_for,
    public_url,
    same_version,
    status_failure,
    validators_of,
    whole_of,
)
from storagekit._http_wire import Garbled
from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import StorageError, UnsupportedSourceError

NOON = "Fri, 01 May 2026 12:00:00 GMT"
LATER = {s: f"Fri, 01 May 2026 12:0{s // 60}:{s % 60:02} GMT" for s in (0, 30, 59, 60, 61, 300)}
URL = "https://host/a.tar"

FULL = Validators(10, '"e"', NOON, settled=True)
TAGGED = Validators(10, '"e"')
WEAKLY = Validators(10, 'W/"e"')
DATED = Validators(10, None, NOON, settled=True)
FRESH = Validators(10, None, NOON)
BARE = Validators(10)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, BARE),
        ({"ETag": '"e"'}, TAGGED),
        ({"ETag": 'W/"e"'}, WEAKLY),
        ({"ETag": '"e"', "Last-Modified": NOON, "Date": LATER[60]}, FULL),
        ({"Last-Modified": NOON, "Date": LATER[300]}, DATED),
        ({"Last-Modified": NOON, "Date": LATER[59]}, FRESH),
        ({"Last-Modified": LATER[300], "Date": NOON}, Validators(10, None, LATER[300])),
        ({"Last-Modified": "yesterday", "Date": NOON}, Validators(10, None, "yesterday")),
        ({"Last-Modified": NOON, "Date": "today"}, FRESH),
    ],
)
def test_validators_are_read_from_the_headers(headers: dict[str, str], expected: Validators) -> None:
    assert expected == validators_of(headers, 10)


@pytest.mark.parametrize(("seconds", "settled"), [(0, False), (30, False), (59, False), (60, True), (61, True)])
def test_a_change_in_the_last_minute_may_not_be_the_last(seconds: int, *, settled: bool) -> None:
    assert settled == validators_of({"Last-Modified": NOON, "Date": LATER[seconds]}, 10).settled


def test_without_a_date_our_own_clock_decides() -> None:
    assert validators_of({"Last-Modified": "Sat, 01 Jan 2000 00:00:00 GMT"}, 10).settled
    assert not validators_of({"Last-Modified": "Tue, 01 Jan 2999 00:00:00 GMT"}, 10).settled


@pytest.mark.parametrize(("etag", "strong"), [('"e"', '"e"'), ('""', '""'), ('W/"e"', None), ("", None), (None, None)])
def test_a_weak_etag_says_nothing_about_bytes(etag: str | None, strong: str | None) -> None:
    assert strong == Validators(10, etag).strong_etag


@pytest.mark.parametrize(
    ("known", "seen", "same"),
    [
        (FULL, FULL, True),
        (FULL, Validators(10, '"e"'), True),  # a 206 may leave out Last-Modified
        (TAGGED, FULL, True),
        (FULL, Validators(10, '"f"', NOON), False),
        (FULL, Validators(10, None, NOON), False),  # but not the ETag
        (FULL, Validators(10, 'W/"e"', NOON), False),
        (FULL, Validators(11, '"e"', NOON), False),
        (FULL, Validators(10, '"e"', LATER[30]), False),
        (DATED, FRESH, True),
        (DATED, Validators(10, '"e"', NOON), False),
        (BARE, BARE, True),
        (BARE, Validators(11), False),
        (BARE, Validators(None), True),  # a chunked answer has no length
        (Validators(None), BARE, True),
        (WEAKLY, Validators(10, 'W/"f"'), False),
    ],
)
def test_an_answer_of_another_version_is_noticed(known: Validators, seen: Validators, *, same: bool) -> None:
    assert same == same_version(known, seen)


@pytest.mark.parametrize(
    ("known", "pins"),
    [
        (FULL, (Pin.IF_MATCH, Pin.IF_RANGE, Pin.COMPARE)),
        (TAGGED, (Pin.IF_MATCH, Pin.COMPARE)),
        (DATED, (Pin.IF_RANGE, Pin.COMPARE)),
        (WEAKLY, (Pin.COMPARE,)),
        (FRESH, (Pin.COMPARE,)),
        (BARE, (Pin.COMPARE,)),
    ],
)
def test_pins_are_what_the_validators_allow_strongest_first(known: Validators, pins: tuple[Pin, ...]) -> None:
    assert pins == pins_for(known)


@pytest.mark.parametrize(
    ("pin", "headers"),
    [(Pin.IF_MATCH, {"If-Match": '"e"'}), (Pin.IF_RANGE, {"If-Range": NOON}), (Pin.COMPARE, {})],
)
def test_a_pin_is_a_header(pin: Pin, headers: dict[str, str]) -> None:
    assert headers == pin_headers(pin, FULL)


@pytest.mark.parametrize(
    ("known", "strong"),
    [
        (FULL, True),
        (TAGGED, True),
        (DATED, True),
        (WEAKLY, False),
        (FRESH, False),
        (BARE, False),
        (Validators(None, '"e"'), False),  # nothing to compare the length with
    ],
)
def test_an_identity_is_as_strong_as_its_validators(known: Validators, *, strong: bool) -> None:
    assert strong == identify(URL, known).strong


def test_a_weak_identity_is_the_url_so_that_a_later_run_finds_the_upload() -> None:
    assert identify(URL, WEAKLY) == identify(URL, FRESH) == identify(f"{URL}?signature=x", Validators(11))
    assert identify(URL, WEAKLY).digest != identify("https://host/b.tar", WEAKLY).digest


def test_the_etag_counts_before_the_date() -> None:
    assert identify(URL, FULL).digest == identify(URL, TAGGED).digest
    assert identify(URL, FULL).digest != identify(URL, DATED).digest


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://host/b.tar", TAGGED),
        ("http://host/a.tar", TAGGED),
        ("https://host:8443/a.tar", TAGGED),
        (URL, Validators(11, '"e"')),
        (URL, Validators(10, '"f"')),
    ],
)
def test_another_place_size_or_version_is_another_source(url: str, known: Validators) -> None:
    assert identify(URL, TAGGED).digest != identify(url, known).digest


secrets = st.text(min_size=0, max_size=20).map(lambda text: quote("s3cret" + text, safe=""))


@given(secrets, secrets, secrets, secrets)
def test_no_secret_of_a_url_is_shown_or_identifies_it(user: str, password: str, query: str, fragment: str) -> None:
    secret = f"https://{user}:{password}@host:8443/a/b.tar?X-Amz-Signature={query}#{fragment}"
    plain = "https://host:8443/a/b.tar"
    assert plain == public_url(secret) == identify(secret, TAGGED).shown == identify(secret, BARE).shown
    assert identify(plain, TAGGED) == identify(secret, TAGGED)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host", "http://host"),
        ("http://host?a=1", "http://host"),
        ("http://user@host/x", "http://host/x"),
        ("http://us%40er:p@host/x@y", "http://host/x@y"),
        ("http://a@b@host/x", "http://host/x"),
        ("http://[::1]:80/x;p=1?q", "http://[::1]:80/x;p=1"),
    ],
)
def test_what_may_be_shown_of_a_url(url: str, shown: str) -> None:
    assert shown == public_url(url)


def test_a_url_that_is_none_is_an_error_of_ours() -> None:
    with pytest.raises(StorageError):
        HTTPSource("http://[::1/a.tar").open(Cancel())


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Code.REFUSED),
        (401, Code.ACCESS_DENIED),
        (403, Code.ACCESS_DENIED),
        (404, Code.NOT_FOUND),
        (410, Code.NOT_FOUND),
        (407, Code.ACCESS_DENIED),
        (408, Code.TIMEOUT),
        (416, Code.REFUSED),
        (451, Code.ACCESS_DENIED),
        (203, Code.REFUSED),
        (204, Code.REFUSED),
        (501, Code.REFUSED),
        (418, Code.REFUSED),
        (429, Code.THROTTLED),
        (500, Code.SERVER),
        (502, Code.SERVER),
        (503, Code.THROTTLED),
        (504, Code.SERVER),
        (302, Code.REFUSED),
    ],
)
def test_a_status_has_a_meaning(status: int, code: Code) -> None:
    expected = Failure(code, f"the source {URL} answered {status}", status=status)
    assert expected == status_failure(status, {}, URL)


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [("0", 0.0), ("120", 120.0), ("", None), ("-1", None), ("1.5", None), ("soon", None), ("²", None)],
)
def test_retry_after_is_read_in_seconds_or_not_at_all(wait: str, seconds: float | None) -> None:
    assert seconds == status_failure(503, {"Retry-After": wait}, URL).retry_after_s


@pytest.mark.parametrize(("wait", "seconds"), [(LATER[60], 60.0), (LATER[300], 300.0), (NOON, 0.0)])
def test_a_retry_after_date_counts_from_the_clock_of_its_server(wait: str, seconds: float) -> None:
    assert seconds == status_failure(503, {"Retry-After": wait, "Date": NOON}, URL).retry_after_s


def test_a_retry_after_that_is_past_is_no_wait() -> None:
    headers = {"Retry-After": NOON, "Date": LATER[300]}
    assert 0.0 == status_failure(503, headers, URL).retry_after_s


@pytest.mark.parametrize(
    ("headers", "total", "coding", "ends_itself"),
    [
        ({"Content-Length": "10"}, 10, None, True),
        ({"Content-Length": "10, 10"}, 10, None, True),
        ({"Content-Length": "0"}, 0, None, True),
        ({"Content-Length": "0", "Content-Encoding": "gzip"}, 0, None, True),
        ({"Content-Length": "10", "Content-Encoding": "identity"}, 10, None, True),
        ({"Content-Length": "10", "Content-Encoding": "gzip"}, None, "gzip", True),
        ({"Content-Length": "10", "Content-Encoding": "X-GZIP"}, None, "gzip", True),
        ({"Content-Encoding": "deflate", "Transfer-Encoding": "chunked"}, None, "deflate", True),
        ({"Transfer-Encoding": "chunked"}, None, None, True),
        ({"Transfer-Encoding": "Chunked", "Content-Length": "10"}, None, None, True),
        ({"Content-Encoding": "gzip"}, None, "gzip", False),  # a second member might be missing
        ({}, None, None, False),
    ],
)
def test_what_a_whole_answer_says_of_its_body(
    headers: dict[str, str], total: int | None, coding: str | None, *, ends_itself: bool
) -> None:
    whole = whole_of(headers, URL)
    assert (total, coding, ends_itself) == (whole.validators.total, whole.coding, whole.ends_itself)


@pytest.mark.parametrize("length", ["", "-1", "+1", "1_0", "0x10", "1.0", "ten", "10, 11", "10,", "²"])
def test_a_length_that_is_none_is_a_failure_of_the_server(length: str) -> None:
    with pytest.raises(DriverError) as caught:
        whole_of({"Content-Length": length}, URL)
    assert Code.SERVER is caught.value.failure.code


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "br", "Content-Length": "10"},
        {"Content-Encoding": "zstd", "Content-Length": "10"},
        {"Content-Encoding": "gzip, gzip", "Content-Length": "10"},
        {"Transfer-Encoding": "gzip, chunked"},
        {"Transfer-Encoding": "gzip"},
    ],
)
def test_what_cannot_be_decoded_says_what_to_do(headers: dict[str, str]) -> None:
    with pytest.raises(UnsupportedSourceError, match="Download the file first"):
        whole_of(headers, URL)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("bytes 5-9/20", Piece(5, 9, 20)),
        ("bytes 5-7/20", Piece(5, 7, 20)),  # less than was asked for
        ("bytes 5-9/*", Piece(5, 9, None)),
    ],
)
def test_a_part_may_be_what_was_asked_for_or_less(text: str, piece: Piece) -> None:
    assert piece == piece_of({"Content-Range": text}, 5, 9, URL)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Range": "bytes */20"},
        {"Content-Range": "bytes 4-9/20"},
        {"Content-Range": "bytes 6-9/20"},
        {"Content-Range": "bytes 5-10/20"},
        {"Content-Range": "bytes 5-4/20"},
        {"Content-Range": "bytes 5-9/9"},
        {"Content-Range": "lines 5-9/20"},
        {"Content-Range": "bytes 5-9/20", "Content-Length": "6"},
        {"Content-Range": "bytes 5-9/20", "Content-Length": "x"},
    ],
)
def test_a_part_that_is_another_is_a_failure_of_the_server(headers: dict[str, str]) -> None:
    with pytest.raises(DriverError) as caught:
        piece_of(headers, 5, 9, URL)
    assert Code.SERVER is caught.value.failure.code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError(), Code.TIMEOUT),
        (ConnectionResetError(), Code.NETWORK),
        (OSError(), Code.NETWORK),
        (ValueError(), Code.UNKNOWN),
    ],
)
def test_a_broken_connection_has_a_meaning(error: Exception, code: Code) -> None:
    assert code is failure_of(error).code


def test_what_the_libraries_raise_has_a_meaning() -> None:
    import requests
    import urllib3

    assert Code.NETWORK is failure_of(requests.exceptions.SSLError()).code
    assert Code.REFUSED is failure_of(requests.exceptions.InvalidURL()).code
    assert Code.TIMEOUT is failure_of(requests.exceptions.ReadTimeout()).code
    assert Code.TIMEOUT is failure_of(requests.exceptions.ConnectTimeout()).code
    assert Code.NETWORK is failure_of(requests.exceptions.ConnectionError()).code
    assert Code.NETWORK is failure_of(urllib3.exceptions.ProtocolError()).code
    assert Code.NETWORK is failure_of(urllib3.exceptions.IncompleteRead(1, 2)).code


def test_a_refused_connection_names_the_host_and_the_reason_and_no_query() -> None:
    import requests

    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    with requests.Session() as session, pytest.raises(requests.ConnectionError) as caught:
        session.trust_env = False
        session.get(f"http://{host}/path?signature=hush", timeout=5)

    assert f"the connection to {host} failed: Connection refused" == failure_of(caught.value).detail


def test_an_unknown_host_is_called_that() -> None:
    import requests
    import urllib3

    with urllib3.HTTPConnectionPool("h") as pool:
        chain = urllib3.exceptions.MaxRetryError(pool, "/?signature=s3cret", None)
    chain.__cause__ = urllib3.exceptions.HTTPError("s3cret")
    chain.__cause__.__cause__ = socket.gaierror(-2, "Name or service not known")
    error = requests.ConnectionError(chain, request=requests.Request("GET", "http://h/?signature=s3cret").prepare())

    assert "the connection to h failed: Name or service not known" == failure_of(error).detail


def test_the_first_cause_is_found_below_what_the_libraries_make_of_it() -> None:
    import requests
    import urllib3

    def wrapped(cause: Exception) -> Exception:
        return requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("aborted", cause))

    assert Code.STALE_CONNECTION is failure_of(wrapped(http.client.RemoteDisconnected("x"))).code
    assert Code.SERVER is failure_of(wrapped(http.client.BadStatusLine("x"))).code
    assert Code.SERVER is failure_of(wrapped(Garbled("x"))).code
    assert Code.NETWORK is failure_of(wrapped(http.client.IncompleteRead(b"x"))).code
    assert Code.NETWORK is failure_of(wrapped(ConnectionResetError())).code


def test_a_failure_never_shows_the_vendors_words() -> None:
    assert "s3cret" not in failure_of(ConnectionError(f"{URL}?signature=s3cret")).detail
