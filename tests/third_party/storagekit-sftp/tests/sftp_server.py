"""A real SSH server for tests, on a free port of loopback: OpenSSH's sshd where there is one, else asyncssh's.

Neither needs root: it runs as the user who runs the tests, with a host key and a login key of its own.
``python sftp_server.py DIRECTORY`` prints the environment variables of a server and keeps it up until its input ends.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko

PATIENCE_S = 20.0


@contextmanager
def sftp_server(directory: Path, kind: str | None = None) -> Iterator[dict[str, str]]:
    """Yield the settings of a server that answers; its keys and files are below ``directory``.

    ``kind`` is ``sshd`` or ``asyncssh``; without it, the environment's STORAGEKIT_SFTP_SERVER, or whichever is there.
    """
    sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    kind = kind or os.environ.get("STORAGEKIT_SFTP_SERVER") or ("sshd" if sshd else "asyncssh")
    for name in ("host_key", "login_key"):
        key = paramiko.RSAKey.generate(2048)
        key.write_private_key_file(str(directory / name))
        (directory / f"{name}.pub").write_text(f"{key.get_name()} {key.get_base64()}\n")
    port = _free_port()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {(directory / 'host_key.pub').read_text()}")
    command = _sshd(sshd or "sshd", directory, port) if kind == "sshd" else _asyncssh(directory, port)
    with (directory / "server.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait(process, port, directory / "server.log")
            yield {
                "endpoint": f"127.0.0.1:{port}",
                "username": getpass.getuser(),
                "key_file": str(directory / "login_key"),
                "known_hosts": str(directory / "known_hosts"),
                "root": str(directory / "root"),
            }
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _sshd(sshd: str, directory: Path, port: int) -> list[str]:
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # compiled into sshd, and asked for only of root
    lines = [
        f"ListenAddress 127.0.0.1:{port}",
        f"HostKey {directory}/host_key",
        f"AuthorizedKeysFile {directory}/login_key.pub",
        f"PidFile {directory}/sshd.pid",
        "Subsystem sftp internal-sftp",
        "PasswordAuthentication no",
        "UsePAM no",
        "StrictModes no",  # a temporary directory is writable for others
        "PermitRootLogin yes",
    ]
    (directory / "sshd_config").write_text("\n".join([*lines, ""]))
    return [sshd, "-D", "-e", "-f", str(directory / "sshd_config")]


def _asyncssh(directory: Path, port: int) -> list[str]:
    serve = f"""
import asyncio, asyncssh
async def main():
    server = await asyncssh.listen("127.0.0.1", {port}, server_host_keys=[{str(directory / "host_key")!r}],
        authorized_client_keys={str(directory / "login_key.pub")!r}, sftp_factory=True)
    await server.wait_closed()
asyncio.run(main())
"""
    return [sys.executable, "-c", serve]


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when the server greets. Raises RuntimeError, with its log, where it does not."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as probe:
                if probe.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the SSH server does not answer: {log.read_text()}")


if __name__ == "__main__":
    with sftp_server(Path(sys.argv[1])) as settings:
        print(*(f"SFTP_{name.upper()}={value}" for name, value in settings.items()), sep="\n", flush=True)
        sys.stdin.read()
