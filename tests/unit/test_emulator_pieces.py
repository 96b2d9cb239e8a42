"""The emulator's pure pieces: requests, addresses, conditions, digests, XML, names."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from fastcrc import crc64
from hypothesis import given
from hypothesis import strategies as st

from storagekit.driver import Code, Failure
from storagekit.testing.bodies import pattern
from storagekit.testing.emulator import Account, Emulator, resolving, resolving_environment, xml
from storagekit.testing.emulator.accounts import as_accounts
from storagekit.testing.emulator.body import Announced, Incoming, announced_by, receive_chunked
from storagekit.testing.emulator.conditions import is_unchanged, parse_range
from storagekit.testing.emulator.crc64 import joined_crc64
from storagekit.testing.emulator.names import is_below
from storagekit.testing.emulator.obs.address import parse_address
from storagekit.testing.emulator.obs.dialect import OBS
from storagekit.testing.emulator.obs.service import route
from storagekit.testing.emulator.operations.store import Address
from storagekit.testing.emulator.refusal import STATUS, ClientGone, Refusal, refusal_of
from storagekit.testing.emulator.request import Request, parse_request
from storagekit.types import ObjectInfo

MD5 = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
SHA256 = hashlib.sha256(b"hello").hexdigest()


def request(target: str = "/", method: str = "GET", **headers: str) -> Request:
    return parse_request(method, target, [(name.replace("_", "-"), value) for name, value in headers.items()])


def code_of(run: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as caught:
        run()
    return caught.value.code


# --- requests ---------------------------------------------------------------------------------------------------------


def test_a_request_is_taken_apart_and_its_path_stays_as_it_was_sent() -> None:
    asked = request("//a%20b?uploads&prefix=x%2Fy+z&empty=&prefix=2", X_Name=" v ")
    assert asked.path == "//a%20b"
    assert asked.query == (("uploads", ""), ("prefix", "x/y z"), ("empty", ""), ("prefix", "2"))
    assert (asked.param("prefix"), asked.param("none"), asked.header("x-name")) == ("x/y z", None, "v")


def test_the_whole_url_of_a_proxy_request_is_its_path() -> None:
    assert request("http://b.obs.test/k?a=1").path == "/k"
    assert request("http://b.obs.test").path == "/"


def test_headers_are_utf_8() -> None:
    assert request(x_obs_meta_a="wört".encode().decode("latin-1")).header("x-obs-meta-a") == "wört"


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "target", "address"),
    [
        ("obs.test", "/", Address()),
        ("OBS.test:9100", "/", Address()),
        ("data.obs.test:9100", "/", Address("data", "", virtual=True)),
        ("a.b.obs.test", "/k%2F%C3%A4", Address("a.b", "k/ä", virtual=True)),
        ("data.obs.test", "//x", Address("data", "/x", virtual=True)),
        ("127.0.0.1:9100", "/", Address()),
        ("127.0.0.1:9100", "/data", Address("data")),
        ("127.0.0.1", "/data/k/l", Address("data", "k/l")),
        ("localhost:1", "/data/", Address("data")),
        ("[::1]:9100", "/data/k", Address("data", "k")),
    ],
)
def test_host_and_path_say_bucket_and_key(host: str, target: str, address: Address) -> None:
    assert address == parse_address(request(target, Host=host), "obs.test")


@pytest.mark.parametrize(
    ("host", "target", "code"),
    [
        ("obs.test", "/data/key", "VirtualHostDomainRequired"),
        ("obs.test", "/data", "VirtualHostDomainRequired"),
        ("example.org", "/data", "BadDomainName"),
        ("notobs.test", "/", "BadDomainName"),
        ("Upper_case.obs.test", "/", "InvalidBucketName"),
        ("ab.obs.test", "/", "InvalidBucketName"),
        (f"{'a' * 64}.obs.test", "/", "InvalidBucketName"),
        ("a..b.obs.test", "/", "InvalidBucketName"),
        ("-ab.obs.test", "/", "InvalidBucketName"),
        ("10.0.0.1.obs.test", "/", "InvalidBucketName"),
        ("data.obs.test", "/..", "InvalidURI"),
        ("data.obs.test", "/a/../../b", "InvalidURI"),
        ("data.obs.test", "/%ff", "InvalidURI"),
        ("data.obs.test", f"/{'k' * 1025}", "KeyTooLong"),
        ("data.obs.test", f"/{'%C3%A4' * 513}", "KeyTooLong"),
        ("", "/", "InvalidRequest"),
    ],
)
def test_what_can_be_no_address_is_refused(host: str, target: str, code: str) -> None:
    assert code == code_of(lambda: parse_address(request(target, Host=host), "obs.test"))


@pytest.mark.parametrize("key", ["k" * 1024, "a/../b", "..a", "a..", ".hidden"])
def test_odd_keys_that_stay_inside_are_taken(key: str) -> None:
    assert parse_address(request(f"/{key}", Host="data.obs.test"), "obs.test").key == key


# --- routes -----------------------------------------------------------------------------------------------------------

BUCKET, OBJECT = Address("data"), Address("data", "key")


@pytest.mark.parametrize(
    ("method", "target", "address", "code"),
    [
        ("PUT", "/", Address(), "MethodNotAllowed"),
        ("POST", "/", BUCKET, "MethodNotAllowed"),
        ("DELETE", "/?uploads", BUCKET, "MethodNotAllowed"),
        ("OPTIONS", "/", OBJECT, "MethodNotAllowed"),
        ("GET", "/?acl", OBJECT, "NotImplemented"),
        ("GET", "/?versionId=1", OBJECT, "NotImplemented"),
        ("PUT", "/?lifecycle", BUCKET, "NotImplemented"),
        ("POST", "/?append&position=0", OBJECT, "InvalidArgument"),
        ("POST", "/?uploads&uploadId=1", OBJECT, "InvalidArgument"),
    ],
)
def test_what_there_is_not_is_refused(method: str, target: str, address: Address, code: str) -> None:
    assert code == code_of(lambda: route(request(target, method), address, OBS))


def test_overrides_and_unknown_parameters_change_no_route() -> None:
    plain = route(request("/"), OBJECT, OBS)
    assert plain is route(request("/?response-content-type=a&x=1"), OBJECT, OBS)


# --- conditions -------------------------------------------------------------------------------------------------------

INFO = ObjectInfo("key", 100, "abc", datetime(2030, 1, 1, 12, 0, 0, 500_000, tzinfo=timezone.utc))
BEFORE, THEN, AFTER = (f"Tue, 01 Jan 2030 {clock} GMT" for clock in ("11:59:59", "12:00:00", "12:00:01"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"If_Match": '"abc"'},
        {"If_Match": "abc"},
        {"If_Match": '"x", "abc"'},
        {"If_Match": "*"},
        {"If_None_Match": '"x"'},
        {"If_Modified_Since": BEFORE},
        {"If_Modified_Since": "nonsense"},
        {"If_Unmodified_Since": THEN},
        {"If_Match": "abc", "If_Unmodified_Since": BEFORE},
        {"If_None_Match": "x", "If_Modified_Since": AFTER},
    ],
)
def test_conditions_that_hold(headers: dict[str, str]) -> None:
    assert not is_unchanged(request(**headers), INFO, OBS)


@pytest.mark.parametrize(
    "headers",
    [{"If_None_Match": "abc"}, {"If_None_Match": "*"}, {"If_Modified_Since": THEN}, {"If_Modified_Since": AFTER}],
)
def test_what_the_client_has_already_is_not_sent_again(headers: dict[str, str]) -> None:
    assert is_unchanged(request(**headers), INFO, OBS)


@pytest.mark.parametrize("headers", [{"If_Match": "x"}, {"If_Unmodified_Since": BEFORE}])
def test_conditions_that_do_not_hold(headers: dict[str, str]) -> None:
    assert code_of(lambda: is_unchanged(request(**headers), INFO, OBS)) == "PreconditionFailed"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        (None, None),
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 10)),
        ("bytes=90-1000", (90, 10)),
        ("bytes=-10", (90, 10)),
        ("bytes=-1000", (0, 100)),
        ("bytes=99-99", (99, 1)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=1-2,4-5", None),
        ("lines=1-2", None),
    ],
)
def test_ranges(text: str | None, span: tuple[int, int] | None) -> None:
    assert span == parse_range(text, 100)


@pytest.mark.parametrize("text", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_of_nothing_is_refused(text: str) -> None:
    assert code_of(lambda: parse_range(text, 100)) == "InvalidRange"


# --- bodies -----------------------------------------------------------------------------------------------------------


def incoming(data: bytes, size: int | None = None) -> Incoming:
    return Incoming(io.BytesIO(data), len(data) if size is None else size)


@pytest.mark.parametrize(
    ("announced", "code"),
    [
        (Announced(md5=bytes(16)), "BadDigest"),
        (Announced(crc64=1), "BadDigest"),
        (Announced(sha256="0" * 64), "XAmzContentSHA256Mismatch"),
    ],
)
@pytest.mark.parametrize("data", [b"", b"hello", bytes(3 << 20)], ids=["empty", "small", "blocks"])
def test_a_wrong_digest_is_found_before_the_last_byte_is_given(announced: Announced, code: str, data: bytes) -> None:
    body, got = incoming(data), []

    def all_of_it() -> None:
        body.expect(announced)
        while block := body.read():
            got.append(len(block))

    assert code == code_of(all_of_it)
    assert sum(got) < len(data) or not data


def test_right_digests_are_taken() -> None:
    headers = {"content_md5": MD5, "x_obs_checksum_crc64ecma": str(crc64.xz(b"hello")), "x_amz_content_sha256": SHA256}
    body = incoming(b"hello")
    body.expect(announced_by(request(**headers), "x-obs-"))
    assert body.whole() == b"hello"
    assert body.crc == crc64.xz(b"hello")


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("content_md5", "nonsense", "InvalidDigest"),
        ("content_md5", "aGVsbG8=", "InvalidDigest"),
        ("x_obs_checksum_crc64ecma", "0x12", "InvalidDigest"),
        ("x_obs_checksum_crc64ecma", str(1 << 64), "InvalidDigest"),
        ("x_amz_content_sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "XAmzContentSHA256Mismatch"),
    ],
)
def test_what_can_be_no_digest_is_refused(name: str, value: str, code: str) -> None:
    assert code == code_of(lambda: announced_by(request(**{name: value}), "x-obs-"))


def test_a_body_that_breaks_off_is_nobodys() -> None:
    body = incoming(b"hel", 5)
    assert bytes(body.read()) == b"hel"
    with pytest.raises(ClientGone):
        body.read()
    assert isinstance(body.failed, ClientGone)


def test_what_is_left_of_a_body_is_received_without_a_look_at_its_digest() -> None:
    stream = io.BytesIO(b"hello" + b"next")
    body = Incoming(stream, 5)
    body.expect(Announced(md5=bytes(16)))
    body.drain()
    assert stream.read() == b"next"


def test_a_document_that_is_too_long_is_refused() -> None:
    assert code_of(lambda: incoming(b"hello").whole(4)) == "EntityTooLarge"


def test_a_chunked_body_is_received_as_a_whole() -> None:
    file, size = receive_chunked(io.BytesIO(b"5;x=1\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: 1\r\n\r\nnext"))
    with file:
        assert (file.read(), size) == (b"hello!", 6)


@pytest.mark.parametrize("sent", [b"", b"zz\r\n", b"5\r\nhel", b"2\r\nhello\r\n0\r\n\r\n"])
def test_a_chunked_body_that_breaks_off_is_nobodys(sent: bytes) -> None:
    with pytest.raises(ClientGone):
        receive_chunked(io.BytesIO(sent))


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_the_crc_of_the_whole_comes_from_those_of_the_pieces(pieces: list[bytes]) -> None:
    assert joined_crc64((len(one), crc64.xz(one)) for one in pieces) == crc64.xz(b"".join(pieces))


def test_the_crc_of_large_pieces() -> None:
    one, other = pattern(1 << 20, 1), pattern(700_001, 2)
    assert joined_crc64([(len(one), crc64.xz(one)), (len(other), crc64.xz(other))]) == crc64.xz(one + other)


# --- XML, refusals ----------------------------------------------------------------------------------------------------


def test_xml_comes_back_as_it_was_written() -> None:
    key = "<&>\"' ä 😀\t\r\n"
    data = xml.render(("Root", [("Key", key), ("Empty", "")]), "http://example.org/")
    root = xml.parse(data, "Root")
    assert xml.text_of(root, "Key") == key
    assert b'<Root xmlns="http://example.org/">' in data


def test_what_xml_cannot_hold_is_replaced() -> None:
    assert xml.text_of(xml.parse(xml.render(("R", [("K", "a\x01b")])), "R"), "K") == "a\ufffdb"


@pytest.mark.parametrize("data", [b"", b"<a>", b"<Other/>", b"no"])
def test_xml_that_is_none_or_another_is_refused(data: bytes) -> None:
    assert code_of(lambda: xml.parse(data, "Root")) == "MalformedXML"


def test_every_failure_of_a_driver_has_a_word() -> None:
    assert {refusal_of(Failure(code)).code for code in Code} <= STATUS.keys()
    assert refusal_of(Failure(Code.UNKNOWN, "what")).status == 500


# --- accounts, names --------------------------------------------------------------------------------------------------


def test_a_plain_secret_is_an_account() -> None:
    assert as_accounts({"a": "s", "b": Account("t", token="u")}) == {"a": Account("s"), "b": Account("t", token="u")}


def test_an_emulator_of_nothing_there_is_is_refused() -> None:
    with pytest.raises(ValueError, match="obs"):
        Emulator("tape")


def test_names_resolve_inside_and_no_longer() -> None:
    before = socket.getaddrinfo
    with resolving("obs.test"), resolving("other.test"):
        for host in ("obs.test", "Data.OBS.test", "a.b.obs.test", "x.other.test", b"data.obs.test"):
            assert socket.getaddrinfo(host, 80)[0][4] == ("127.0.0.1", 80)
    assert socket.getaddrinfo is before


@pytest.mark.parametrize("host", ["notobs.test", "obs.test.org", "test", "", None, 5])
def test_other_names_are_left_alone(host: object) -> None:
    assert not is_below(host, "obs.test")


LOOK = "import socket; print(socket.getaddrinfo('data.obs.test', 80)[0][4][0])"


def child(program: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


def test_a_child_resolves_too() -> None:
    assert child(LOOK, resolving_environment("obs.test", resolving_environment("x.test"))) == "127.0.0.1"


def test_a_childs_own_sitecustomize_still_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.theirs = 'ran'\n")
    environment = resolving_environment("obs.test", {**os.environ, "PYTHONPATH": str(tmp_path)})
    assert child(f"{LOOK}; print(theirs)", environment).split() == ["127.0.0.1", "ran"]


def test_the_childs_directory_hides_no_module() -> None:
    directory = resolving_environment("obs.test")["PYTHONPATH"].split(os.pathsep)[0]
    assert [path.name for path in Path(directory).glob("*.py")] == ["sitecustomize.py"]
