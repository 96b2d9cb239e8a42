"""The steps of a checkup below the driver, to the endpoint of a backend that has one.

Each is one method that does its I/O (``_checkup/wire.py``) and has the outcome judged (``_checkup/verdicts.py``). What
it found is kept for the next one.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from http.client import HTTPException

from storagekit._checkup import verdicts, wire
from storagekit._checkup.finding import Finding, failed, not_needed, ok
from storagekit._checkup.subject import Address
from storagekit.errors import ConfigurationError


class Network:
    """The way to one address. The methods are called in their order, each after the success of the one before."""

    def __init__(
        self, address: Address, ca_file: str | None, now: Callable[[], float], environment: Mapping[str, str]
    ) -> None:
        self._address = address
        self._ca_file = ca_file
        self._now = now
        self._environment = environment
        self._addresses = [address.host]
        self._ip = ""
        self._context: ssl.SSLContext | None = None
        self._offset: float | None = None

    def name(self) -> Finding:
        """Look the host's name up."""
        host = self._address.host
        if self._address.is_number:
            return not_needed(f"{host} is an address, not a name")
        try:
            self._addresses = wire.look_up(host, self._address.port)
        except (OSError, UnicodeError) as error:
            return failed(verdicts.name_failure(host, error))
        return ok(f"{host} is {', '.join(self._addresses)}", addresses=", ".join(self._addresses))

    def connection(self) -> Finding:
        """Open a connection, and close it."""
        remark = verdicts.proxy_remark(self._environment)
        try:
            self._ip = wire.reach(self._addresses, self._address.port)
        except OSError as error:
            problem = verdicts.connection_failure(self._address, error)
            if remark:
                problem.advise(f"It was tried {remark.lstrip('; ')}")
            return failed(problem)
        return ok(f"{self._address} takes connections{remark}", address=self._ip)

    def tls(self) -> Finding:
        """Shake hands, with the authorities that the drivers trust."""
        if not self._address.secure:
            return not_needed("the endpoint is plain HTTP")
        try:
            self._context = wire.trusted(self._ca_file)
        except OSError as error:
            problem = f"the certificate authorities in {self._ca_file} cannot be read: {error.strerror or error}"
            return failed(ConfigurationError(problem, hint="Correct ca_file or SSL_CERT_FILE"))
        try:
            agreed = wire.shake_hands(self._address, self._ip, self._context)
        except OSError as error:
            return self._no_handshake(error)
        return verdicts.certificate_finding(agreed.version, agreed.certificate, self._now())

    def _no_handshake(self, error: OSError) -> Finding:
        if isinstance(error, ssl.SSLCertVerificationError):
            found = wire.certificate(self._address, self._ip)
            authorities = self._ca_file or "certifi's list"
            return failed(verdicts.certificate_failure(self._address, error, found, authorities, self._now()))
        plain = verdicts.speaks_plainly(error)
        if plain or (plain is None and self._answers_plainly()):
            return failed(verdicts.write_http(self._address))
        return failed(verdicts.handshake_failure(self._address, error))

    def _answers_plainly(self) -> bool:
        try:
            return wire.ask(self._address, self._ip, None).status > 0
        except (OSError, HTTPException):
            return False

    def http(self) -> Finding:
        """Ask for ``/`` without a signature: whatever is answered, it is HTTP, and says what time it is."""
        before = self._now()
        try:
            answer = wire.ask(self._address, self._ip, self._context)
        except (OSError, HTTPException) as error:
            return failed(self._write_https() or verdicts.http_failure(self._address, error))
        self._offset = verdicts.clock_offset(answer.headers.get("date"), before, self._now())
        if verdicts.redirected_to_tls(self._address, answer) or answer.status == 400:
            problem = self._write_https()
            if problem is not None:
                return failed(problem)
        server = verdicts.printable(answer.headers.get("server", ""))
        said = f"{server} answers" if server else "a server without a name answers"
        return ok(f"{said} (status {answer.status})", server=server, status=answer.status)

    def _write_https(self) -> ConfigurationError | None:
        """Return the error for a plain endpoint where TLS is spoken, or None where it is not."""
        if self._address.secure:
            return None
        try:
            wire.shake_hands(self._address, self._ip, wire.untrusting())
        except OSError:
            return None
        return verdicts.write_https(self._address)

    def clock(self) -> Finding:
        """Compare this machine's clock with the time that the answer said."""
        return verdicts.clock_finding(self._offset)
