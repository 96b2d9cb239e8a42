"""SSH connections that speak SFTP, and what their errors mean.

paramiko's ``SFTPClient`` serves one thread at a time, so each call takes a connection for itself and gives it back when
it is done. A connection on which something went wrong is closed, never given back: answers may still be on their way.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import paramiko

from storagekit.driver import Code, DriverError, Failure

PATIENCE_S = 60.0  # until a server that says nothing counts as lost

Connect = Callable[[], paramiko.SSHClient]


def connector(settings: Mapping[str, str]) -> Connect:
    """Return a function that opens one connection. A host whose key is not known is refused.

    Raises OSError and paramiko.SSHException where the files that ``settings`` name cannot be read.
    """
    host, _, port = settings["endpoint"].removeprefix("sftp://").partition(":")
    number, key, password = int(port or 22), None, settings.get("password")
    known = paramiko.HostKeys(settings["known_hosts"]) if settings.get("known_hosts") else None
    if settings.get("key_file"):
        passphrase: Any = password.encode() if password else None  # paramiko's stubs say text
        key = paramiko.PKey.from_path(settings["key_file"], passphrase)

    def connect() -> paramiko.SSHClient:
        ssh = paramiko.SSHClient()
        try:
            if known is None:
                ssh.load_system_host_keys()
            else:
                ssh.get_host_keys().update(known)
            ssh.connect(
                host,
                number,
                username=settings.get("username"),
                password=password,
                pkey=key,
                look_for_keys=key is None,
                allow_agent=key is None,
                timeout=PATIENCE_S,
            )
        except BaseException:
            ssh.close()
            raise
        return ssh

    return connect


class Sessions:
    """The connections of one driver: as many as it has calls at once."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connecting = threading.Lock()  # sshd drops logins at random when 10 are under way (MaxStartups)
        self._idle: list[tuple[paramiko.SSHClient, paramiko.SFTPClient]] = []  # append and pop are atomic

    @contextmanager
    def session(self) -> Iterator[paramiko.SFTPClient]:
        """Yield an SFTP session that nobody else uses."""
        ssh, sftp = self._take()
        try:
            yield sftp
        except DriverError:  # the server had answered
            self._idle.append((ssh, sftp))
            raise
        except BaseException:
            ssh.close()
            raise
        self._idle.append((ssh, sftp))

    def _take(self) -> tuple[paramiko.SSHClient, paramiko.SFTPClient]:
        with suppress(IndexError):
            while True:
                ssh, sftp = self._idle.pop()
                transport = ssh.get_transport()
                if transport is not None and transport.is_active():
                    return ssh, sftp
                ssh.close()  # the server hung up while it was idle
        with self._connecting:
            ssh = self._connect()
        try:
            sftp = ssh.open_sftp()
            if channel := sftp.get_channel():
                channel.settimeout(PATIENCE_S)
        except BaseException:
            ssh.close()
            raise
        return ssh, sftp

    def close(self) -> None:
        """Close the connections that are idle; no call is under way any more."""
        while self._idle:
            self._idle.pop()[0].close()


_LOST = (
    EOFError,
    ConnectionError,
    socket.gaierror,
    paramiko.SSHException,
    paramiko.SFTPError,
    paramiko.ssh_exception.NoValidConnectionsError,
)

_KINDS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Code, str], ...] = (  # the first that fits
    (paramiko.AuthenticationException, Code.BAD_CREDENTIALS, "the server accepts neither key nor password"),
    (paramiko.BadHostKeyException, Code.UNTRUSTED, "the server's host key is not the one that is known"),
    (TimeoutError, Code.TIMEOUT, f"the server did not answer for {PATIENCE_S:.0f} s"),
    (FileNotFoundError, Code.NOT_FOUND, "there is no such file on the server"),
    (PermissionError, Code.ACCESS_DENIED, "the server denies access to the file or directory"),
    (_LOST, Code.NETWORK, "the connection failed"),
)


def classify(error: BaseException) -> Failure:
    """Say what an exception of paramiko, or one of ours, means."""
    if isinstance(error, DriverError):
        return error.failure
    if isinstance(error, paramiko.SSHException) and "known_hosts" in str(error):
        return Failure(Code.UNTRUSTED, "the server's host key is not known", hint="Add it to known_hosts")
    for kind, code, detail in _KINDS:
        if isinstance(error, kind):
            return Failure(code, f"{detail}: {error}" if code is Code.NETWORK else detail, vendor_code=_name(error))
    if not isinstance(error, OSError):
        return Failure(Code.UNKNOWN, str(error))
    if error.errno is not None or "closed" in str(error):  # of the socket, or of paramiko's channel
        return Failure(Code.NETWORK, f"the connection failed: {error}")
    return Failure(Code.REFUSED, f"the server refused: {error}", vendor_code=_name(error))  # SFTP's "Failure"


def _name(error: BaseException) -> str:
    return type(error).__name__
