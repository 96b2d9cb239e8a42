"""What a connection that did not come about says of TLS: the same for drivers, HTTP sources and ``config check``. Pure.

Two kinds of trouble need somebody to act, and are never tried again:

* a certificate that is not accepted, or no TLS 1.2: ``Code.UNTRUSTED``. The handshake ends before a request is sent,
  so that neither a key nor a signature has left this machine;
* TLS where plain HTTP is spoken, or the other way round: ``Code.WRONG_ENDPOINT``, a setting or URL to correct.

Anything else that breaks in a handshake is ``Code.NETWORK``.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from http.client import BadStatusLine

from storagekit.driver import Code, Failure

_PLAIN = ("wrong version number", "unknown protocol", "record layer failure")
"""What OpenSSL says, release by release, when plain HTTP answers its greeting."""

_OLD = ("unsupported protocol", "alert protocol version")
"""What it says of a server that has nothing newer than TLS 1.1."""

_TLS_IS_WANTED = (
    b"HTTP request to an HTTPS server",  # Go, and so MinIO
    b"plain HTTP request was sent to HTTPS port",  # nginx
    b"speaking plain HTTP to an SSL-enabled server port",  # Apache
)
"""What servers answer, with status 400, to a plain request at their TLS port."""

_ALERT = "\x15\x03"
"""The first bytes of a TLS alert, which others answer in the place of HTTP."""


class TLSProblem(Enum):
    """Why a TLS handshake did not succeed."""

    PLAIN = auto()
    OLD = auto()
    EXPIRED = auto()
    NOT_YET_VALID = auto()
    OTHER_HOST = auto()
    SELF_SIGNED = auto()
    UNKNOWN_AUTHORITY = auto()
    NOT_ACCEPTED = auto()
    """A certificate with another defect."""
    BROKEN = auto()
    """No word on certificate or protocol: the connection broke."""


# OpenSSL's numbers for why a certificate was not accepted (x509_vfy.h).
_OF_CERTIFICATES: Mapping[int, TLSProblem] = {
    9: TLSProblem.NOT_YET_VALID,
    10: TLSProblem.EXPIRED,
    18: TLSProblem.SELF_SIGNED,
    62: TLSProblem.OTHER_HOST,
    64: TLSProblem.OTHER_HOST,  # of an IP address
    **dict.fromkeys((2, 19, 20, 21), TLSProblem.UNKNOWN_AUTHORITY),
}


def tls_problem(error: ssl.SSLError) -> TLSProblem:
    """Return what a failed handshake says."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _OF_CERTIFICATES.get(getattr(error, "verify_code", 0), TLSProblem.NOT_ACCEPTED)
    said = str(error).lower().replace("_", " ")
    if any(words in said for words in _PLAIN):
        return TLSProblem.PLAIN
    return TLSProblem.OLD if any(words in said for words in _OLD) else TLSProblem.BROKEN


@dataclass(frozen=True)
class Peer:
    """Who was asked, in the words of its users: what it is, where its address stands, what names authorities."""

    name: str = "the service"
    address: str = "endpoint"
    trust: str = "SSL_CERT_FILE or ca_file"


def tls_failure(error: ssl.SSLError, peer: Peer) -> Failure:
    """Return the failure for a handshake that did not succeed, with what to do about it."""
    problem = tls_problem(error)
    if problem is TLSProblem.BROKEN:
        return Failure(Code.NETWORK, f"the TLS connection to {peer.name} broke: {type(error).__name__}")
    code = Code.WRONG_ENDPOINT if problem is TLSProblem.PLAIN else Code.UNTRUSTED
    said = str(getattr(error, "verify_message", "")).rstrip(".")
    detail, hint = (
        text.format(peer=peer.name, address=peer.address, trust=peer.trust, said=said) for text in _WORDS[problem]
    )
    return Failure(code, detail, hint=hint)


_WORDS: Mapping[TLSProblem, tuple[str, str]] = {
    TLSProblem.PLAIN: (
        "{peer} does not speak TLS at this port",
        "Write http:// in the {address} if it may go unencrypted, or use the port where TLS is spoken",
    ),
    TLSProblem.OLD: ("{peer} offers no TLS 1.2 or newer", "Have the server updated"),
    TLSProblem.EXPIRED: (
        "{peer}'s certificate has expired",
        "Have it renewed; or if it is this machine's clock that is wrong, set it",
    ),
    TLSProblem.NOT_YET_VALID: (
        "{peer}'s certificate is not valid yet",
        "Set this machine's clock; or if it is right, have the certificate replaced",
    ),
    TLSProblem.OTHER_HOST: (
        "{peer}'s certificate is for another host: {said}",
        "Write the {address} with a name that the certificate is for, or have this name added to it",
    ),
    TLSProblem.SELF_SIGNED: (
        "{peer}'s certificate is signed by itself, and not trusted here",
        "If it is the server's, name its file with {trust}",
    ),
    TLSProblem.UNKNOWN_AUTHORITY: (
        "{peer}'s certificate is of an authority that is not trusted here",
        "Name that authority's file with {trust}",
    ),
    TLSProblem.NOT_ACCEPTED: ("{peer}'s certificate is not accepted: {said}", "Have the certificate replaced"),
}


def wants_tls(answer: bytes | BadStatusLine) -> bool:
    """Tell whether what came back for a plain request says that TLS is spoken there.

    ``answer`` is the body of a status 400, or what ``http.client`` raises for what is no HTTP.
    """
    if isinstance(answer, BadStatusLine):
        return str(answer).startswith(_ALERT)  # the line that is none
    return any(words in answer for words in _TLS_IS_WANTED)


def tls_wanted(peer: Peer, status: int | None = None) -> Failure:
    """Return the failure for a plain request where TLS is spoken."""
    detail, hint = f"{peer.name} speaks TLS at this port, not plain HTTP", f"Write https:// in the {peer.address}"
    return Failure(Code.WRONG_ENDPOINT, detail, status=status, hint=hint)
