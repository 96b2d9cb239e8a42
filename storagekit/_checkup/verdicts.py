"""What a failure below the driver means, in one sentence each: names, connections, TLS, HTTP, the clock. Pure."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from storagekit._checkup.finding import Finding, failed, ok, warning
from storagekit._checkup.subject import Address
from storagekit._checkup.wire import TIMEOUT_S, Answer
from storagekit._units import show_age
from storagekit.driver import Code
from storagekit.errors import ConfigurationError, Context, CredentialsError, ServiceError, StorageError
from storagekit.transport import TLSProblem, tls_problem

DAY_S = 86_400
CLOCK_WARNS_S = 5 * 60
CLOCK_FAILS_S = 15 * 60
"""Every service refuses a signature that is older or newer than 15 minutes."""

CERTIFICATE_WARNS_DAYS = 14
"""An automatic renewal is tried 30 days before the end: with 14 left it has failed several times."""

_WRONG_ENDPOINT = Context(code=Code.WRONG_ENDPOINT.value)

_WITHIN = f"within {TIMEOUT_S:.0f} s"


# --- name and connection ----------------------------------------------------------------------------------------------


def name_failure(host: str, error: Exception) -> StorageError:
    """Return the error for a name that was not resolved."""
    if isinstance(error, UnicodeError):
        return ConfigurationError(f"{host} cannot be a host name", hint="Correct the endpoint")
    if isinstance(error, TimeoutError):
        problem = f"this machine's name servers did not answer {_WITHIN} when asked for {host}"
    elif isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        problem = f"this machine's name servers do not answer when asked for {host}"
    else:
        unknown = f"{host} is not known to this machine's name servers"
        return _out_of_reach(unknown, "Check the spelling of the endpoint")
    return _out_of_reach(problem, "Check this machine's network, and /etc/resolv.conf")


def connection_failure(address: Address, error: OSError) -> StorageError:
    """Return the error for a connection that did not come about."""
    if error.errno == errno.ECONNREFUSED:
        hint = "Is the server started, and is the port right?"
        return _out_of_reach(f"nothing listens on {address}", hint)
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        hint = "Is the address right, and does a firewall let this port through?"
        return _out_of_reach(f"{address} does not answer {_WITHIN}", hint)
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        hint = "Check this machine's network: is it connected, does it need a VPN?"
        return _out_of_reach(f"there is no way from this machine to {address}", hint)
    return _out_of_reach(f"no connection to {address}: {_reason(error)}", "Check endpoint and network")


def proxy_remark(environment: Mapping[str, str]) -> str:
    """Return a remark on a proxy that is set up and not used; empty where none is."""
    names = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    found = next((name for name in names if environment.get(name)), None)
    return f"; directly: {found} is set, and not used for storage" if found else ""


# --- TLS --------------------------------------------------------------------------------------------------------------


def speaks_plainly(error: Exception) -> bool | None:
    """Tell whether a failed handshake shows that plain HTTP is spoken; None where it does not tell."""
    if not isinstance(error, ssl.SSLError):
        return None
    problem = tls_problem(error)
    if problem is TLSProblem.BROKEN:
        return False if "alert" in str(error).lower() else None
    return problem is TLSProblem.PLAIN


def write_http(address: Address) -> ConfigurationError:
    """Return the error for an https endpoint where no TLS is spoken."""
    return ConfigurationError(
        f"the server speaks plain HTTP at {address}, not TLS",
        hint=f"Write {address.url(secure=False)} as the endpoint, or use the server's TLS port",
        context=_WRONG_ENDPOINT,
    )


def write_https(address: Address) -> ConfigurationError:
    """Return the error for an http endpoint where TLS is spoken."""
    url = address.url(secure=True)
    return ConfigurationError(
        f"the server speaks TLS at {address}, not plain HTTP",
        hint=f"Write {url} as the endpoint",
        context=_WRONG_ENDPOINT,
    )


def handshake_failure(address: Address, error: Exception) -> StorageError:
    """Return the error for a handshake that failed for no reason of the certificate's."""
    if isinstance(error, ssl.SSLError) and tls_problem(error) is TLSProblem.OLD:
        return _untrusted(f"{address} offers no TLS 1.2 or newer", "Have the server updated")
    if isinstance(error, TimeoutError):
        return _out_of_reach(f"{address} does not end the TLS handshake {_WITHIN}", "Is it a TLS port?")
    hint = "Is it a TLS port, and does something on the way look into TLS?"
    return _out_of_reach(f"the TLS handshake with {address} broke: {_reason(error)}", hint)


def certificate_failure(
    address: Address, error: ssl.SSLCertVerificationError, certificate: Mapping[str, Any], authorities: str, now: float
) -> StorageError:
    """Return the error for a certificate that was not accepted. ``authorities`` is the file of those trusted."""
    reason = tls_problem(error)
    if reason in (TLSProblem.EXPIRED, TLSProblem.NOT_YET_VALID):
        return _untimely(certificate, now, expired=reason is TLSProblem.EXPIRED)
    if reason is TLSProblem.OTHER_HOST:
        names = _some(names_of(certificate)) or "another name"
        hint = f"Write the endpoint with the name that the certificate is for, or have {address.host} added to it"
        return _untrusted(f"the server's certificate is for {names}, not for {address.host}", hint)
    if reason is TLSProblem.SELF_SIGNED:
        problem = "the server's certificate is signed by itself, and not trusted here"
        return _untrusted(problem, "Name it with ca_file or SSL_CERT_FILE, if it is the server's")
    if reason is TLSProblem.UNKNOWN_AUTHORITY:
        problem = f"the server's certificate is issued by {issuer_of(certificate)}, whom {authorities} does not hold"
        hint = "Name the file of that authority with ca_file or SSL_CERT_FILE"
        return _untrusted(problem, hint)
    problem = f"the server's certificate is not accepted: {error.verify_message}"
    return _untrusted(problem, "Have the certificate replaced")


def _untimely(certificate: Mapping[str, Any], now: float, *, expired: bool) -> StorageError:
    when = certificate.get("notAfter" if expired else "notBefore")
    at = ssl.cert_time_to_seconds(when) if when else None
    day = f" on {_day(at)}" if at else ""
    ago = f", {show_age(timedelta(seconds=abs(now - at)))} {'ago' if expired else 'from now'}" if at else ""
    problem = f"the server's certificate expired{day}{ago}" if expired else f"the certificate begins{day}{ago}"
    return _untrusted(problem, f"Have it renewed; or if today is not {_day(now)}, set this machine's clock")


def certificate_finding(version: str, certificate: Mapping[str, Any], now: float) -> Finding:
    """Return what there is to say of an accepted certificate."""
    when = certificate.get("notAfter")
    if not when:
        return ok(f"{version}, the certificate is accepted", tls=version)
    days = int((ssl.cert_time_to_seconds(when) - now) // DAY_S)
    sentence = f"{version}, the certificate is accepted and has {show_age(timedelta(seconds=days * DAY_S))} left"
    facts: dict[str, str | float] = {
        "tls": version,
        "certificate_days": days,
        "certificate_issuer": issuer_of(certificate),
    }
    if days < CERTIFICATE_WARNS_DAYS:
        return warning(sentence, "Have it renewed by whoever runs the server", **facts)
    return ok(sentence, **facts)


def names_of(certificate: Mapping[str, Any]) -> list[str]:
    """Return the names that a certificate is for."""
    names = [str(name) for kind, name in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    names = names or [value for name, value in _attributes(certificate, "subject") if name == "commonName"]
    return [printable(name) for name in names]


def issuer_of(certificate: Mapping[str, Any]) -> str:
    """Return the name of the authority that issued a certificate."""
    named = dict(_attributes(certificate, "issuer"))
    return printable(named.get("commonName") or named.get("organizationName") or "an authority without a name")


def _attributes(certificate: Mapping[str, Any], field: str) -> Iterator[tuple[str, str]]:
    return (pair for group in certificate.get(field, ()) for pair in group)


# --- HTTP and the clock -----------------------------------------------------------------------------------------------


def http_failure(address: Address, error: Exception) -> StorageError:
    """Return the error for a server that did not answer in HTTP."""
    if isinstance(error, TimeoutError):
        return _out_of_reach(f"{address} takes a connection, but does not answer {_WITHIN}", "Run again later")
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return _out_of_reach(f"the connection to {address} broke: {_reason(error)}", "Run again")
    hint = "Is it the port of the storage service?"
    return _out_of_reach(f"what listens on {address} does not answer in HTTP", hint)


def _out_of_reach(sentence: str, hint: str) -> ServiceError:
    return ServiceError(sentence, hint=hint, context=Context(code=Code.NETWORK.value))


def _untrusted(sentence: str, hint: str) -> ServiceError:
    return ServiceError(sentence, hint=hint, context=Context(code=Code.UNTRUSTED.value))


def redirected_to_tls(address: Address, answer: Answer) -> bool:
    """Tell whether a plain request was sent on to the same host over TLS."""
    target = urlsplit(answer.headers.get("location", ""))
    return 300 <= answer.status < 400 and target.scheme == "https" and target.hostname == address.host


def clock_offset(date: str | None, before: float, after: float) -> float | None:
    """Return by how many seconds this machine is ahead of the service; None where the service gives no time.

    A Date is cut to whole seconds, so half a second is added. The answer was written between ``before`` and ``after``.
    """
    try:
        server = parsedate_to_datetime(date or "").timestamp() + 0.5
    except (TypeError, ValueError):
        return None
    return (before + after) / 2 - server


def clock_finding(offset_s: float | None) -> Finding:
    """Return what a clock that is ahead by ``offset_s`` means."""
    if offset_s is None:
        return warning("the service does not say what time it is", "Compare this machine's clock with another one")
    facts = {"clock_offset_s": round(offset_s, 1)}
    if abs(offset_s) < CLOCK_WARNS_S:
        return ok(f"this machine's clock and the service's agree to {_seconds(offset_s)}", **facts)
    side = "ahead of" if offset_s > 0 else "behind"
    sentence = (
        f"this machine's clock is {show_age(timedelta(seconds=abs(offset_s)))} {side} the service's: "
        f"signatures are refused beyond {CLOCK_FAILS_S // 60} min"
    )
    hint = "Set this machine's clock, and let it be kept by NTP"
    if abs(offset_s) <= CLOCK_FAILS_S:
        return warning(sentence, hint, **facts)
    return failed(CredentialsError(sentence, hint=hint, context=Context(code=Code.CLOCK_SKEW.value)), **facts)


def _seconds(offset_s: float) -> str:
    return f"{abs(offset_s):.0f} s" if abs(offset_s) >= 1 else "a second"


def printable(text: str) -> str:
    """Return what a stranger said of itself, at most 60 characters and none that a terminal acts upon."""
    return "".join(character for character in text if character.isprintable())[:60]


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _reason(error: Exception) -> str:
    """One clause: OpenSSL's own word for TLS, the system's for the rest."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
