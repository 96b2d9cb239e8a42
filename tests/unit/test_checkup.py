"""What a checkup makes of each failure: the sentence, the class that decides the exit code, and what is not tried."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from email.utils import formatdate
from http.client import BadStatusLine, RemoteDisconnected
from typing import Any

import pytest

from storagekit import errors
from storagekit._checkup import NEEDS, examine, verdict, verdicts, without_settings
from storagekit._checkup.finding import Finding, Status, Step, failed, ok
from storagekit._checkup.refusals import plain
from storagekit._checkup.service import driver_settings, store_of
from storagekit._checkup.subject import Address, Subject, parse_address
from storagekit._checkup.wire import Answer
from storagekit.cli._exit import exit_code
from storagekit.driver import Body, Code, DriverError, DriverSpec, Failure, Setting
from storagekit.drivers.memory import MemoryDriver
from storagekit.types import ObjectPage, PutResult, Upload, WriteOptions

HERE = Address("minio.example.org", 9000, secure=True)
NOON = ssl.cert_time_to_seconds("May  1 12:00:00 2026 GMT")
CERTIFICATE: Mapping[str, Any] = {
    "subject": ((("commonName", "old.example.net"),),),
    "issuer": ((("organizationName", "Example Org"),), (("commonName", "Example CA"),)),
    "subjectAltName": (("DNS", "*.example.net"), ("DNS", "example.net"), ("email", "root@example.net")),
    "notBefore": "Apr  1 12:00:00 2026 GMT",
    "notAfter": "Apr 30 12:00:00 2026 GMT",
}


# --- the address ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "use_ssl", "expected"),
    [
        ("127.0.0.1:9000", None, ("127.0.0.1", 9000, False)),
        ("localhost", None, ("localhost", 80, False)),
        ("s3.localhost:1", None, ("s3.localhost", 1, False)),
        ("minio.example.org", None, ("minio.example.org", 443, True)),
        ("minio.example.org:9000", "false", ("minio.example.org", 9000, False)),
        ("127.0.0.1:9000", "Yes", ("127.0.0.1", 9000, True)),
        ("http://minio.example.org", None, ("minio.example.org", 80, False)),
        ("HTTPS://127.0.0.1/", "true", ("127.0.0.1", 443, True)),
        ("[::1]:9000", None, ("::1", 9000, False)),
        ("https://[2001:db8::1]", None, ("2001:db8::1", 443, True)),
    ],
)
def test_an_endpoint_is_read_as_its_driver_reads_it(
    endpoint: str, use_ssl: str | None, expected: tuple[str, int, bool]
) -> None:
    from storagekit.transport.endpoint import parse_endpoint
    from storagekit.transport.settings import boolean

    address = parse_address(endpoint, use_ssl)

    assert address is not None
    assert expected == (address.host, address.port, address.secure)
    assert (
        parse_endpoint(endpoint, name="ENDPOINT", use_ssl=None if use_ssl is None else boolean(use_ssl))[1]
        == address.secure
    )


@pytest.mark.parametrize("endpoint", ["sftp://host:22", "http://", "http://host:many", "http://[::1"])
def test_an_endpoint_of_another_kind_is_left_to_its_driver(endpoint: str) -> None:
    assert None is parse_address(endpoint, None)


def test_an_address_is_written_as_an_endpoint_is() -> None:
    assert "https://[::1]:9000" == Address("::1", 9000, secure=False).url(secure=True)
    assert [True, True, False] == [Address(host, 1, secure=True).is_number for host in ("::1", "10.0.0.1", "ten")]


# --- name and connection ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "sentence", "code"),
    [
        (socket.gaierror(socket.EAI_NONAME, ""), "x.invalid is not known to this machine's name servers", 5),
        (
            socket.gaierror(socket.EAI_AGAIN, ""),
            "this machine's name servers do not answer when asked for x.invalid",
            5,
        ),
        (TimeoutError(), "this machine's name servers did not answer within 10 s when asked for x.invalid", 5),
        (UnicodeError("label too long"), "x.invalid cannot be a host name", 2),
    ],
)
def test_a_name_that_is_not_resolved(error: Exception, sentence: str, code: int) -> None:
    found = verdicts.name_failure("x.invalid", error)

    assert (sentence, code) == (found.message, exit_code(found))
    assert found.hint


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), "nothing listens on minio.example.org:9000"),
        (TimeoutError("timed out"), "minio.example.org:9000 does not answer within 10 s"),
        (OSError(errno.ETIMEDOUT, ""), "minio.example.org:9000 does not answer within 10 s"),
        (OSError(errno.EHOSTUNREACH, ""), "there is no way from this machine to minio.example.org:9000"),
        (OSError(errno.ENETUNREACH, ""), "there is no way from this machine to minio.example.org:9000"),
        (OSError(errno.EMFILE, "Too many open files"), "no connection to minio.example.org:9000: Too many open files"),
    ],
)
def test_a_connection_that_does_not_come_about(error: OSError, sentence: str) -> None:
    found = verdicts.connection_failure(HERE, error)

    assert (sentence, 5, "network") == (found.message, exit_code(found), found.code)
    assert found.hint


def test_a_proxy_that_is_set_up_is_said_not_to_be_used() -> None:
    assert "" == verdicts.proxy_remark({"HTTPS_PROXY": "", "PATH": "/bin"})
    remark = verdicts.proxy_remark({"https_proxy": "http://user:hush@proxy:3128"})
    assert "; directly: https_proxy is set, and not used for storage" == remark


# --- TLS --------------------------------------------------------------------------------------------------------------


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason.lower().replace('_', ' ')} (_ssl.c:1006)")
    error.reason = reason
    return error


def refused_certificate(number: int, message: str = "said OpenSSL") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = number, message
    return error


@pytest.mark.parametrize(
    ("error", "plainly"),
    [
        (tls_error("WRONG_VERSION_NUMBER"), True),
        (tls_error("RECORD_LAYER_FAILURE"), True),
        (tls_error("TLSV1_ALERT_PROTOCOL_VERSION"), False),
        (refused_certificate(10), False),
        (tls_error("UNEXPECTED_EOF_WHILE_READING"), None),
        (ConnectionResetError(), None),
        (TimeoutError(), None),
    ],
)
def test_whether_plain_http_is_spoken_is_seen_from_the_handshake_or_asked(
    error: Exception, plainly: bool | None
) -> None:
    assert plainly is verdicts.speaks_plainly(error)


@pytest.mark.parametrize(
    ("number", "certificate", "sentence"),
    [
        (10, CERTIFICATE, "the server's certificate expired on 2026-04-30, 24 h ago"),
        (10, {}, "the server's certificate expired"),
        (
            9,
            {**CERTIFICATE, "notBefore": "May  4 12:00:00 2026 GMT"},
            "the certificate begins on 2026-05-04, 3 d from now",
        ),
        (62, CERTIFICATE, "the server's certificate is for *.example.net, example.net, not for minio.example.org"),
        (64, CERTIFICATE, "the server's certificate is for *.example.net, example.net, not for minio.example.org"),
        (
            62,
            {"subject": CERTIFICATE["subject"]},
            "the server's certificate is for old.example.net, not for minio.example.org",
        ),
        (62, {}, "the server's certificate is for another name, not for minio.example.org"),
        (18, CERTIFICATE, "the server's certificate is signed by itself, and not trusted here"),
        (19, CERTIFICATE, "the server's certificate is issued by Example CA, whom /etc/ca.pem does not hold"),
        (20, {}, "the server's certificate is issued by an authority without a name, whom /etc/ca.pem does not hold"),
        (23, CERTIFICATE, "the server's certificate is not accepted: said OpenSSL"),
    ],
)
def test_a_certificate_that_is_not_accepted(number: int, certificate: Mapping[str, Any], sentence: str) -> None:
    found = verdicts.certificate_failure(HERE, refused_certificate(number), certificate, "/etc/ca.pem", NOON)

    assert (sentence, 5) == (found.message, exit_code(found))
    assert found.hint


def test_of_many_names_three_are_shown() -> None:
    many = {"subjectAltName": [("DNS", f"{letter}.example.net") for letter in "abcde"]}
    found = verdicts.certificate_failure(HERE, refused_certificate(62), many, "", NOON)
    assert "for a.example.net, b.example.net, c.example.net and 2 more, not" in found.message


@pytest.mark.parametrize(
    ("days", "status", "left"),
    [(90, Status.OK, "90 d"), (14, Status.OK, "14 d"), (13, Status.WARNING, "13 d"), (1, Status.WARNING, "24 h")],
)
def test_an_accepted_certificate_says_how_long_it_lasts(days: int, status: Status, left: str) -> None:
    end = ssl.cert_time_to_seconds(CERTIFICATE["notAfter"])

    found = verdicts.certificate_finding("TLSv1.3", CERTIFICATE, end - days * verdicts.DAY_S)

    assert (status, f"TLSv1.3, the certificate is accepted and has {left} left") == (found.status, found.sentence)
    assert {"tls": "TLSv1.3", "certificate_days": days, "certificate_issuer": "Example CA"} == found.facts
    assert (status is Status.WARNING) == bool(found.hint)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (tls_error("TLSV1_ALERT_PROTOCOL_VERSION"), "minio.example.org:9000 offers no TLS 1.2 or newer"),
        (tls_error("UNSUPPORTED_PROTOCOL"), "minio.example.org:9000 offers no TLS 1.2 or newer"),
        (TimeoutError(), "minio.example.org:9000 does not end the TLS handshake within 10 s"),
        (
            tls_error("SSLV3_ALERT_HANDSHAKE_FAILURE"),
            "the TLS handshake with minio.example.org:9000 broke: sslv3 alert handshake failure",
        ),
        (
            ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
            "the TLS handshake with minio.example.org:9000 broke: Connection reset by peer",
        ),
    ],
)
def test_a_handshake_that_breaks(error: Exception, sentence: str) -> None:
    found = verdicts.handshake_failure(HERE, error)
    assert (sentence, 5) == (found.message, exit_code(found))


def test_the_wrong_scheme_is_a_matter_of_configuration() -> None:
    http, https = verdicts.write_http(HERE), verdicts.write_https(HERE)

    assert [2, 2] == [exit_code(http), exit_code(https)]
    assert "Write http://minio.example.org:9000 as" in str(http)
    assert "Write https://minio.example.org:9000 as" in str(https)


# --- HTTP and the clock -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TimeoutError(), "minio.example.org:9000 takes a connection, but does not answer within 10 s"),
        (BadStatusLine("220 smtp"), "what listens on minio.example.org:9000 does not answer in HTTP"),
        (RemoteDisconnected("closed"), "what listens on minio.example.org:9000 does not answer in HTTP"),
        (
            tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
            "the connection to minio.example.org:9000 broke: tlsv13 alert certificate required",
        ),
    ],
)
def test_a_server_that_does_not_answer_in_http(error: Exception, sentence: str) -> None:
    found = verdicts.http_failure(HERE, error)
    assert (sentence, 5) == (found.message, exit_code(found))


@pytest.mark.parametrize(
    ("status", "location", "expected"),
    [
        (301, "https://minio.example.org/", True),
        (307, "https://aws.example.com/s3/", False),
        (301, "http://minio.example.org/console", False),
        (200, "https://minio.example.org/", False),
        (301, "", False),
    ],
)
def test_a_redirect_to_tls_is_one_to_the_same_host(status: int, location: str, expected: bool) -> None:
    plain_address = Address("minio.example.org", 80, secure=False)
    assert expected == verdicts.redirected_to_tls(plain_address, Answer(status, {"location": location}))


def test_what_a_server_says_of_itself_cannot_command_a_terminal() -> None:
    assert "[31mnginx" == verdicts.printable("\x1b[31mnginx\n")
    assert 60 == len(verdicts.printable("n" * 1000))
    hostile = {"issuer": ((("commonName", "\x1b]0;title\x07CA"),),), "subjectAltName": (("DNS", "a\x1bb"),)}
    assert ("]0;titleCA", ["ab"]) == (verdicts.issuer_of(hostile), verdicts.names_of(hostile))


@pytest.mark.parametrize("ahead", [0.0, 1020.0, -1020.0, 3600.5])
def test_the_offset_is_counted_from_the_middle_of_the_request(ahead: float) -> None:
    server = NOON + 0.5  # a Date is cut to seconds: half a second more is right on average
    date = formatdate(NOON, usegmt=True)
    assert ahead == verdicts.clock_offset(date, server + ahead - 2, server + ahead + 2)


@pytest.mark.parametrize("date", [None, "", "tomorrow"])
def test_without_a_date_the_clock_is_a_warning(date: str | None) -> None:
    offset = verdicts.clock_offset(date, 0, 1)
    assert (None, Status.WARNING) == (offset, verdicts.clock_finding(offset).status)


@pytest.mark.parametrize(
    ("offset", "status", "words"),
    [
        (0.2, Status.OK, "agree to a second"),
        (-299.0, Status.OK, "agree to 299 s"),
        (300.0, Status.WARNING, "5 min ahead of the service's"),
        (-900.0, Status.WARNING, "15 min behind the service's"),
        (-1020.0, Status.FAILED, "17 min behind the service's: signatures are refused beyond 15 min"),
        (901.0, Status.FAILED, "15 min ahead of the service's"),
        (7 * 86_400.0, Status.FAILED, "7 d ahead of the service's"),
    ],
)
def test_a_clock_warns_from_5_minutes_and_fails_beyond_15(offset: float, status: Status, words: str) -> None:
    found = verdicts.clock_finding(offset)

    assert (status, True) == (found.status, words in found.sentence)
    assert offset == found.facts["clock_offset_s"]
    if found.error:
        assert (4, "clock_skew") == (exit_code(found.error), found.error.code)


# --- refusals ---------------------------------------------------------------------------------------------------------


class Refusing(MemoryDriver):
    """The memory backend, some of whose operations are refused."""

    def __init__(self, refusals: Mapping[str, Failure], *, damages: bool = False) -> None:
        super().__init__()
        self.create_bucket("data")
        self.refusals = refusals
        self.damages = damages
        self.calls: list[str] = []

    def _refuse(self, operation: str) -> None:
        self.calls.append(operation)
        if operation in self.refusals:
            raise DriverError(self.refusals[operation])

    def list(self, bucket: str, *args: Any, **kwargs: Any) -> ObjectPage:
        self._refuse("list")
        return super().list(bucket, *args, **kwargs)

    def list_buckets(self) -> Sequence[str]:
        self._refuse("list_buckets")
        return sorted(super().list_buckets())

    def bucket_exists(self, bucket: str) -> bool:
        self._refuse("bucket_exists")
        return super().bucket_exists(bucket)

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        self._refuse("put")
        result = super().put(bucket, key, body, options)
        if self.damages:
            super().put(bucket, key, store_body(b"something else"), options)
        return result

    def read(self, bucket: str, key: str, *args: Any, **kwargs: Any) -> Any:
        self._refuse("read")
        return super().read(bucket, key, *args, **kwargs)

    def delete(self, bucket: str, key: str) -> None:
        self._refuse("delete")
        super().delete(bucket, key)

    def create_upload(self, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        self._refuse("create_upload")
        return super().create_upload(bucket, key, options, part_size)

    def abort_upload(self, upload: Upload) -> None:
        self._refuse("abort_upload")
        super().abort_upload(upload)


def store_body(data: bytes) -> Any:
    from storagekit._body import MemoryBody
    from storagekit._clock import Cancel
    from storagekit._meter import Meter
    from storagekit.types import Progress

    return MemoryBody(memoryview(data), None, Meter(Progress(0, len(data))), Cancel())


def subject_of(driver: MemoryDriver, bucket: str | None = "data", *, signs: bool = True) -> Subject:
    origins = {"access_key": "VENDOR_KEY", "secret_key": "argument"}
    return Subject("memory", bucket, store_of(driver, "memory"), {"secret_key": "hush"}, origins, signs)


def steps_of(driver: MemoryDriver, bucket: str | None = "data", *, signs: bool = True) -> dict[str, Finding]:
    steps = examine(subject_of(driver, bucket, signs=signs), lambda: NOON, "t0k3n", {})
    return {step.name: step.finding for step in steps}


def statuses(found: Mapping[str, Finding]) -> dict[str, str]:
    """Return those that did not simply succeed, the network's steps left out."""
    return {
        name: finding.status.value
        for name, finding in found.items()
        if finding.status not in (Status.OK, Status.NOT_NEEDED)
    }


def verdict_on(found: Mapping[str, Finding]) -> errors.StorageError:
    error = verdict([Step(name, finding) for name, finding in found.items()])
    assert error is not None
    return error


MAY_NOT, ALL_WORK = "these credentials may not ", "list, put and get work"
KEY = ".storagekit/check/t0k3n"
DENIED = Failure(Code.ACCESS_DENIED, "Access Denied", status=403, vendor_code="AccessDenied")
NO_MORE = dict.fromkeys(["bucket", "list", "put", "get", "delete", "parts"], "not tried")


def test_where_all_is_well_nothing_is_left_and_the_network_is_not_needed() -> None:
    driver = Refusing({})

    found = steps_of(driver)

    assert ({}, list(NEEDS)) == (statuses(found), list(found))
    assert ["list", "put", "read", "delete", "create_upload", "abort_upload"] == driver.calls
    assert () == driver.list("data").objects
    assert () == driver.list_uploads("data").uploads
    assert None is verdict([Step(name, finding) for name, finding in found.items()])


def test_a_backend_without_secrets_has_no_credentials_to_check() -> None:
    assert Status.NOT_NEEDED is steps_of(Refusing({}), signs=False)["credentials"].status


@pytest.mark.parametrize(
    ("failure", "sentence", "hint"),
    [
        (
            Failure(Code.BAD_CREDENTIALS, "x", vendor_code="InvalidAccessKeyId"),
            "the access key is not known there (InvalidAccessKeyId)",
            "Check the access key (from VENDOR_KEY): ",
        ),
        (
            Failure(Code.BAD_CREDENTIALS, "x", vendor_code="SignatureDoesNotMatch"),
            "the secret key does not fit the access key (SignatureDoesNotMatch)",
            "Copy both keys again, ",
        ),
        (
            Failure(Code.BAD_CREDENTIALS, "x", vendor_code="Unheard"),
            "the service does not take these credentials (Unheard)",
            "Check access key (from VENDOR_KEY) and secret key",
        ),
        (
            Failure(Code.BAD_CREDENTIALS, "x", status=403),
            "the service does not take these credentials (status 403)",
            "Check",
        ),
        (Failure(Code.BAD_CREDENTIALS, "x"), "the service does not take these credentials", "Check"),
        (
            Failure(Code.EXPIRED_CREDENTIALS, "x", vendor_code="ExpiredToken"),
            "the temporary credentials have expired (ExpiredToken)",
            "Get new ones",
        ),
        (
            Failure(Code.EXPIRED_CREDENTIALS, "x", vendor_code="InvalidTokenId"),
            "the session token is not valid, or no longer (InvalidTokenId)",
            "Get new",
        ),
        (
            Failure(Code.CLOCK_SKEW, "x", vendor_code="RequestTimeTooSkewed"),
            "the service finds this machine's clock wrong by more than 15 min (RequestTimeTooSkewed)",
            "Set",
        ),
    ],
)
def test_credentials_that_are_refused_end_the_check(failure: Failure, sentence: str, hint: str) -> None:
    found = steps_of(Refusing({"list": failure}))

    assert {**NO_MORE, "credentials": "failed"} == statuses(found)
    assert "credentials failed" == found["parts"].sentence
    error = verdict_on(found)
    assert (sentence, True, 4) == (error.message, (error.hint or "").startswith(hint), exit_code(error))


@pytest.mark.parametrize(
    ("failure", "sentence", "code"),
    [
        (
            Failure(Code.WRONG_ENDPOINT, "expecting 'eu-1'", vendor_code="AuthorizationHeaderMalformed"),
            "the region is not the service's: expecting 'eu-1' (AuthorizationHeaderMalformed)",
            2,
        ),
        (
            Failure(Code.WRONG_ENDPOINT, "go there", vendor_code="PermanentRedirect"),
            "the bucket lives at another endpoint (PermanentRedirect)",
            2,
        ),
        (Failure(Code.WRONG_ENDPOINT, "go there"), "the region or endpoint is not the bucket's: go there", 2),
        (Failure(Code.THROTTLED, "Slow down"), "a signed request failed: Slow down", 5),
        (Failure(Code.UNKNOWN, "KeyError: 'x'"), "a signed request failed: KeyError: 'x'", 1),
    ],
)
def test_any_other_refusal_of_the_first_signed_request_is_told_as_it_is(
    failure: Failure, sentence: str, code: int
) -> None:
    found = steps_of(Refusing({"list": failure}))

    assert {**NO_MORE, "credentials": "failed"} == statuses(found)
    assert (sentence, code) == (verdict_on(found).message, exit_code(verdict_on(found)))


def test_a_missing_bucket_shows_good_credentials_and_how_to_make_it() -> None:
    found = steps_of(Refusing({}), "absent")

    assert {**NO_MORE, "bucket": "failed"} == statuses(found)
    error = verdict_on(found)
    assert ("there is no bucket memory://absent at this place", 3) == (error.message, exit_code(error))
    assert "storagekit mb memory://absent" in str(error)


def test_a_name_that_no_bucket_can_have_says_nothing_about_credentials_so_another_request_is_sent() -> None:
    driver = Refusing({"list": Failure(Code.INVALID_NAME, "too short")})

    found = steps_of(driver, "x")

    assert ["list", "list_buckets"] == driver.calls
    assert {**NO_MORE, "bucket": "failed"} == statuses(found)
    assert 2 == exit_code(verdict_on(found))


def test_without_a_bucket_the_check_ends_behind_the_credentials_and_names_the_buckets() -> None:
    found = steps_of(Refusing({}), None)

    assert NO_MORE == statuses(found)
    assert "no bucket was named; there are 1: data" == found["bucket"].sentence
    assert "no bucket was named" == found["delete"].sentence


@pytest.mark.parametrize(
    ("refused", "failing", "sentence"),
    [
        (
            {"put"},
            {"put": "failed", "delete": "not tried"},
            MAY_NOT + "write to memory://data: put was refused (AccessDenied); list and get work",
        ),
        (
            {"put", "read"},
            {"put": "failed", "get": "failed", "delete": "not tried"},
            MAY_NOT + "write to memory://data: put was refused (AccessDenied); list works",
        ),
        (
            {"list"},
            {"list": "failed"},
            MAY_NOT + "list memory://data: list was refused (AccessDenied); put and get work",
        ),
        (
            {"list", "bucket_exists"},
            {"bucket": "warning", "list": "failed"},
            MAY_NOT + "list memory://data: list was refused (AccessDenied); put and get work",
        ),
        (
            {"read"},
            {"get": "failed"},
            MAY_NOT + "read from memory://data: get was refused (AccessDenied); list and put work",
        ),
        (
            {"delete"},
            {"delete": "failed"},
            MAY_NOT
            + "delete in memory://data: delete was refused (AccessDenied), and the object "
            + KEY
            + " is left there; "
            + ALL_WORK,
        ),
        (
            {"create_upload"},
            {"parts": "failed"},
            MAY_NOT + "begin an upload in parts in memory://data: it was refused (AccessDenied); " + ALL_WORK,
        ),
        (
            {"abort_upload"},
            {"parts": "failed"},
            MAY_NOT
            + "abort an upload in parts: abort was refused (AccessDenied), and one of "
            + KEY
            + " is left there; "
            + ALL_WORK,
        ),
    ],
)
def test_each_permission_is_told_apart_and_the_rest_is_tried(
    refused: set[str], failing: dict[str, str], sentence: str
) -> None:
    found = steps_of(Refusing(dict.fromkeys(refused, DENIED)))

    assert failing == statuses(found)
    assert (sentence, 4) == (verdict_on(found).message, exit_code(verdict_on(found)))


def test_what_comes_back_damaged_is_found_and_deleted() -> None:
    driver = Refusing({}, damages=True)

    found = steps_of(driver)

    assert {"get": "failed"} == statuses(found)
    assert ("what was read back differs: 14 bytes instead of the 30 that were put", 6) == (
        verdict_on(found).message,
        exit_code(verdict_on(found)),
    )
    assert () == driver.list("data").objects


def test_a_put_whose_answer_is_lost_is_deleted() -> None:
    driver = Refusing({"put": Failure(Code.TIMEOUT, "no answer")})

    assert {"put": "failed", "get": "failed"} == statuses(steps_of(driver))
    assert "delete" in driver.calls


def test_who_stops_in_the_middle_leaves_nothing() -> None:
    driver = Refusing({})
    steps = examine(subject_of(driver), lambda: NOON, "t0k3n", {})
    next(step for step in steps if step.name == "put")
    assert 1 == len(driver.list("data").objects)

    steps.close()  # type: ignore[attr-defined]  # it is a generator

    assert () == driver.list("data").objects


class Interrupted(Refusing):
    """Ctrl-C comes with the first call of one operation, before that is done."""

    at = ""

    def _refuse(self, operation: str) -> None:
        super()._refuse(operation)
        if operation == self.at and self.calls.count(operation) == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("operation", ["put", "read", "delete", "create_upload", "abort_upload"])
def test_an_interruption_anywhere_leaves_nothing(operation: str) -> None:
    driver = Interrupted({})
    driver.at = operation

    with pytest.raises(KeyboardInterrupt):
        steps_of(driver)

    assert () == driver.list("data").objects
    assert () == driver.list_uploads("data").uploads


def test_settings_that_cannot_be_had_leave_nothing_to_try() -> None:
    error = errors.ConfigurationError("no backend was chosen", hint="Set it")

    steps = list(without_settings(error))

    assert list(NEEDS) == [step.name for step in steps]
    assert ["failed", *["not tried"] * 12] == [step.finding.status.value for step in steps]
    assert error is verdict(steps)


def test_every_step_needs_one_before_it() -> None:
    names = list(NEEDS)
    assert [] == [name for name, needed in NEEDS.items() if needed and names.index(needed) >= names.index(name)]


def test_no_sentence_is_left_with_a_gap() -> None:
    gaps = re.compile(r"  |\(\)|\{|\}| [,;:.]|^\s|\s$")
    subject = subject_of(Refusing({}))
    for step in ("list", "put", "get", "delete", "parts", "abort", "bucket", "a signed request"):
        for code in Code:
            for vendor in (None, "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "PermanentRedirect"):
                error = errors.ServiceError("words", context=errors.Context(code=code.value, vendor_code=vendor))
                found = plain(error, step, subject, "k")
                assert not gaps.search(found.message), found.message
                assert not gaps.search(found.hint or ""), found.hint


def test_no_secret_is_in_the_repr_of_what_a_checkup_handles() -> None:
    assert "hush" not in repr(subject_of(Refusing({})))


def test_a_password_before_the_host_is_not_shown() -> None:
    subject = subject_of(Refusing({}))
    settings = {"endpoint": "https://me:hush@127.0.0.1:1"}
    steps = examine(replace(subject, settings=settings), lambda: NOON, "t0k3n", {})

    settings_step, *others = steps

    assert ("backend memory, endpoint 127.0.0.1:1", "127.0.0.1:1") == (
        settings_step.finding.sentence,
        settings_step.finding.facts["place"],
    )
    assert "hush" not in repr(others)


def test_a_driver_is_made_with_short_timeouts_where_it_has_such_and_none_were_given() -> None:
    def spec(*names: str) -> DriverSpec:
        return DriverSpec("x", "", lambda settings: MemoryDriver(), settings=tuple(Setting(name) for name in names))

    assert {"root": "r"} == driver_settings(spec("root"), {"root": "r"})
    assert {"read_timeout_s": "99", "connect_timeout_s": "10.0"} == driver_settings(
        spec("connect_timeout_s", "read_timeout_s"), {"read_timeout_s": "99"}
    )


def test_the_class_of_an_error_stays_so_that_the_exit_code_does() -> None:
    makers: list[Callable[..., errors.StorageError]] = [errors.ThrottledError, errors.CredentialsError]
    for kind in makers:
        error = kind("x", context=errors.Context(code="throttled", request_id="R1"))
        assert (kind, "R1") == (type(plain(error, "put", subject_of(Refusing({})))), error.request_id)


def test_a_finding_that_failed_shows_what_its_error_says() -> None:
    error = errors.ServiceError("no", hint="do this")
    assert (Status.FAILED, "no", "do this") == (failed(error).status, failed(error).sentence, failed(error).hint)
    assert {"a": 1} == ok("yes", a=1).facts
