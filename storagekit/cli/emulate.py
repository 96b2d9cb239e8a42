"""``storagekit emulate``: an object storage service on this machine, for trials and tests; one command for each."""

from __future__ import annotations

import os
import signal
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._output import Output
from storagekit.errors import ConfigurationError

if TYPE_CHECKING:
    from storagekit.testing.emulator import Account, Emulator

Port = Annotated[int, typer.Option(metavar="N", min=0, max=65_535, help="Port to listen on; 0 takes a free one.")]
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")]
Root = Annotated[
    Path | None,
    typer.Option(metavar="DIR", file_okay=False, help="Keep the data in this directory; without it, in memory."),
]
Domain = Annotated[str, typer.Option(metavar="NAME", help="Name of the endpoint; buckets are names below it.")]
Certificate = Annotated[
    Path | None,
    typer.Option(metavar="FILE", dir_okay=False, help="Speak TLS with this certificate and private key, both in PEM."),
]

app = typer.Typer(
    help="Run an object storage service on this machine, for trials and tests.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _all() -> None:
    """Run an object storage service on this machine, for trials and tests."""


_HELP = """Run {service} that verifies signatures, digests, clocks and limits as {vendor} does, until Ctrl-C.

    {key} and {secret} are the account, with {token} a temporary one; where they
    are not set there is an account for trials, which is shown.

    \b
    Examples:
      storagekit emulate {name} --port {port}
      storagekit emulate {name} --root ./buckets --json
    """


def _command_of(name: str, service: str, usual_port: int, account: tuple[str, str, str]) -> Callable[..., None]:
    """Return the command of one vendor's service; ``account`` are the variables of key, secret and token."""

    def emulate(
        port: Port = usual_port,
        host: Host = "127.0.0.1",
        root: Root = None,
        domain: Domain = f"{name}.test",
        certificate: Certificate = None,
        as_json: _options.Json = False,
    ) -> None:
        accounts = account_of(os.environ, *account)
        _serve(_emulator(name, port, host, root, domain, certificate, accounts), root, Output(as_json))

    key, secret, token = account
    words = {"service": service, "vendor": name.upper(), "key": key, "secret": secret, "token": token}
    emulate.__doc__ = _HELP.format(name=name, port=usual_port, **words)
    return command(emulate)


def account_of(environment: Mapping[str, str], key: str, secret: str, token: str) -> dict[str, Account] | None:
    """Return the account that variables of these names say, or None. Raises ConfigurationError for half of one."""
    from storagekit.testing.emulator import Account

    if not environment.get(key) and not environment.get(secret):
        return None
    if not environment.get(key) or not environment.get(secret):
        raise ConfigurationError(f"{key} and {secret} need each other", hint="Set both, or none of them")
    return {environment[key]: Account(environment[secret], environment.get(token) or None)}


def _emulator(
    vendor: str,
    port: int,
    host: str,
    root: Path | None,
    domain: str,
    certificate: Path | None,
    accounts: dict[str, Account] | None,
) -> Emulator:
    from storagekit.drivers.local import LocalDriver
    from storagekit.testing.emulator import Emulator

    driver = LocalDriver(root) if root is not None else None
    tls = _context(certificate) if certificate is not None else None
    return Emulator(vendor, driver, accounts, domain=domain, tls=tls, host=host, port=port)


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"{certificate} is no certificate: {error}",
            hint="Put the certificate and its private key into one PEM file",
        ) from None
    return context


def _serve(emulator: Emulator, root: Path | None, output: Output) -> None:
    """Serve until SIGTERM, which is the end as it should be, or until Ctrl-C.

    A queue, not an event: a handler may run while this thread is inside ``Event.wait``, whose lock ``set`` waits for.
    """
    stop: SimpleQueue[None] = SimpleQueue()
    before = signal.signal(signal.SIGTERM, lambda *_: stop.put(None))
    try:
        _serve_until(stop, emulator, root, output)
    finally:
        signal.signal(signal.SIGTERM, before)


def _serve_until(stop: SimpleQueue[None], emulator: Emulator, root: Path | None, output: Output) -> None:
    try:
        emulator.start()
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {emulator.host}:{emulator.port}: {error.strerror}",
            hint="Choose another --port or --host",
        ) from None
    try:
        output.row("listening", _facts(emulator, root), "\n".join(_lines(emulator, root)))
        print(end="", flush=True)
        stop.get()
    finally:
        emulator.close()


def _facts(emulator: Emulator, root: Path | None) -> dict[str, object]:
    return {
        "endpoint": emulator.endpoint,
        "address": emulator.address,
        "port": emulator.port,
        "access_key": emulator.access_key,
        "root": root,
    }


def _lines(emulator: Emulator, root: Path | None) -> list[str]:
    from storagekit.testing.emulator.emulator import ACCESS_KEY, SECRET_KEY

    ours = emulator.access_key == ACCESS_KEY
    names = f"{emulator.domain} BUCKET.{emulator.domain}"
    return [
        f"endpoint    {emulator.endpoint}, with a bucket's name in front of it",
        f"or          {emulator.address}, with a bucket's name in the path",
        f"access key  {emulator.access_key}",
        f"secret key  {SECRET_KEY if ours else 'as in the environment'}",
        f"data        {'in ' + str(root) if root is not None else 'in memory: gone at the end'}",
        f"/etc/hosts  {emulator.host} {names}",
        "Ctrl-C ends it",
    ]


_OBS = ("OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY", "OBS_SECURITY_TOKEN")
_OSS = ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN")

app.command("obs")(_command_of("obs", "a Huawei OBS", 9100, _OBS))
app.command("oss")(_command_of("oss", "an Alibaba Cloud OSS", 9200, _OSS))
