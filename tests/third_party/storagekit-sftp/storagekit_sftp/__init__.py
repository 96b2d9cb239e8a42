"""storagekit on any SSH server: buckets are directories, reached over SFTP.

This module only announces the backend; paramiko is imported by the factory, when somebody uses it.
"""

from __future__ import annotations

from collections.abc import Mapping

from storagekit import hookimpl
from storagekit.driver import Driver, DriverSpec, Setting

SETTINGS = (
    Setting("endpoint", ("SFTP_ENDPOINT",), required=True, help="Host, or host:port, of the SSH server"),
    Setting("username", ("SFTP_USERNAME",), help="Login name; without it, the name you are logged in with here"),
    Setting("password", ("SFTP_PASSWORD",), secret=True, help="Password, or passphrase of the key"),
    Setting("key_file", ("SFTP_KEY_FILE",), help="Private key; without it, those of the agent and of ~/.ssh"),
    Setting("known_hosts", ("SFTP_KNOWN_HOSTS",), help="Host keys to trust; without it, ~/.ssh/known_hosts"),
    Setting("root", ("SFTP_ROOT",), help="Directory of the buckets; without it, 'storagekit' in the login directory"),
)


def _make(settings: Mapping[str, str]) -> Driver:
    from storagekit_sftp.driver import SftpDriver

    return SftpDriver.from_settings(settings)


@hookimpl
def storagekit_drivers() -> list[DriverSpec]:
    """Return the one driver of this distribution."""
    return [
        DriverSpec(
            backend="sftp",
            summary="Directories of an SSH server, over SFTP",
            factory=_make,
            settings=SETTINGS,
            install_hint="storagekit-sftp",
            requires=("paramiko",),
        )
    ]
