"""What TLS trouble means: by OpenSSL's number, by its words, by what a server says to a plain request."""

from __future__ import annotations

import ssl
from http.client import BadStatusLine

import pytest

from storagekit import errors
from storagekit._guard import translate
from storagekit._retry import RETRYABLE
from storagekit.driver import Code
from storagekit.transport import Peer, TLSProblem, tls_failure, tls_problem, tls_wanted, wants_tls

SERVICE = Peer()
SOURCE = Peer("the source", "URL", "SSL_CERT_FILE")


def refused(number: int, message: str = "said OpenSSL.") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = number, message
    return error


def broken(words: str) -> ssl.SSLError:
    return ssl.SSLError(1, f"[SSL: {words.upper().replace(' ', '_')}] {words} (_ssl.c:992)")


@pytest.mark.parametrize(
    ("error", "problem", "code", "detail", "hint"),
    [
        (refused(10), TLSProblem.EXPIRED, Code.UNTRUSTED, "has expired", "Have it renewed"),
        (refused(9), TLSProblem.NOT_YET_VALID, Code.UNTRUSTED, "is not valid yet", "Set this machine's clock"),
        (refused(62), TLSProblem.OTHER_HOST, Code.UNTRUSTED, "for another host: said OpenSSL", "Write the URL with"),
        (refused(64), TLSProblem.OTHER_HOST, Code.UNTRUSTED, "for another host: said OpenSSL", "Write the URL with"),
        (refused(18), TLSProblem.SELF_SIGNED, Code.UNTRUSTED, "signed by itself", "name its file with SSL_CERT_FILE"),
        (refused(2), TLSProblem.UNKNOWN_AUTHORITY, Code.UNTRUSTED, "not trusted here", "file with SSL_CERT_FILE"),
        (refused(19), TLSProblem.UNKNOWN_AUTHORITY, Code.UNTRUSTED, "not trusted here", "file with SSL_CERT_FILE"),
        (refused(20), TLSProblem.UNKNOWN_AUTHORITY, Code.UNTRUSTED, "not trusted here", "file with SSL_CERT_FILE"),
        (refused(21), TLSProblem.UNKNOWN_AUTHORITY, Code.UNTRUSTED, "not trusted here", "file with SSL_CERT_FILE"),
        (refused(23), TLSProblem.NOT_ACCEPTED, Code.UNTRUSTED, "is not accepted: said OpenSSL", "replaced"),
        (broken("unsupported protocol"), TLSProblem.OLD, Code.UNTRUSTED, "no TLS 1.2 or newer", "updated"),
        (broken("tlsv1 alert protocol version"), TLSProblem.OLD, Code.UNTRUSTED, "no TLS 1.2", "updated"),
        (broken("wrong version number"), TLSProblem.PLAIN, Code.WRONG_ENDPOINT, "not speak TLS", "http:// in the URL"),
        (broken("record layer failure"), TLSProblem.PLAIN, Code.WRONG_ENDPOINT, "not speak TLS", "http:// in the URL"),
        (broken("unknown protocol"), TLSProblem.PLAIN, Code.WRONG_ENDPOINT, "not speak TLS", "http:// in the URL"),
    ],
)
def test_a_handshake_that_needs_somebody_to_act_says_so_and_is_not_tried_again(
    error: ssl.SSLError, problem: TLSProblem, code: Code, detail: str, hint: str
) -> None:
    failure = tls_failure(error, SOURCE)

    assert (problem, code) == (tls_problem(error), failure.code)
    assert detail in failure.detail
    assert hint in (failure.hint or "")
    assert failure.detail.startswith("the source")
    assert code not in RETRYABLE


@pytest.mark.parametrize("error", [ssl.SSLEOFError(8, "EOF occurred"), broken("sslv3 alert handshake failure")])
def test_a_handshake_that_breaks_is_the_network(error: ssl.SSLError) -> None:
    failure = tls_failure(error, SERVICE)

    assert (TLSProblem.BROKEN, Code.NETWORK, None) == (tls_problem(error), failure.code, failure.hint)
    assert f"the TLS connection to the service broke: {type(error).__name__}" == failure.detail


def test_a_certificate_without_a_number_is_not_accepted_either() -> None:
    assert TLSProblem.NOT_ACCEPTED is tls_problem(ssl.SSLCertVerificationError(1, "certificate verify failed"))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"Client sent an HTTP request to an HTTPS server.\n", True),
        (b"<center>The plain HTTP request was sent to HTTPS port</center>", True),
        (b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />", True),
        (b"<Error><Code>InvalidArgument</Code></Error>", False),
        (b"", False),
        (BadStatusLine("\x15\x03\x01\x00\x02\x02F"), True),
        (BadStatusLine("220 mail.example.org ESMTP"), False),
    ],
)
def test_a_server_says_that_it_wants_tls(said: bytes | BadStatusLine, expected: bool) -> None:
    assert expected is wants_tls(said)


def test_a_failures_own_advice_wins_over_that_of_its_code() -> None:
    error = translate(tls_wanted(SERVICE, 400), errors.Context("minio"), 1)

    assert isinstance(error, errors.ConfigurationError)
    assert ("wrong_endpoint", 400, "Write https:// in the endpoint") == (error.code, error.status, error.hint)
