"""``storagekit config check``: find out why it fails, one step at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._connection import Connection
from storagekit.cli._output import Output
from storagekit.cli._uri import Remote, parse_remote
from storagekit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storagekit._checkup.finding import Step
    from storagekit._checkup.subject import Subject

_STATUS_WIDTH, _NAME_WIDTH = 10, 11


@command
def run(
    connection: Connection,
    uri: Annotated[
        str, typer.Argument(metavar="URI", help="backend://bucket; what is left out comes from the configuration.")
    ] = "",
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
) -> None:
    """Make one real round trip and say, step by step, what works and what to do about what does not.

    One small object is put below .storagekit/check/ in the bucket, read back and deleted. Without a bucket the
    check ends with the credentials.

    \b
    Examples:
      storagekit config check minio://datasets
      storagekit config check local://datasets --json
      storagekit config check --profile production
    """
    from storagekit._checkup import verdict

    output = Output(as_json, quiet)
    steps = []
    for step in _steps(connection, _remote(uri)):
        steps.append(step)
        _show(output, step)
    error = verdict(steps)
    if error is not None:
        raise error
    _conclude(output, steps)


def _remote(uri: str) -> Remote | None:
    remote = parse_remote(uri) if uri else None
    if remote is not None and remote.key:
        raise ConfigurationError(f"{uri} names an object", hint=f"Write {remote.backend}://{remote.bucket}")
    return remote


def _steps(connection: Connection, remote: Remote | None) -> Iterator[Step]:
    """Yield the steps as they are done; the connections are closed behind the last one."""
    import os
    import time
    from contextlib import closing

    from storagekit._checkup import examine, without_settings
    from storagekit._clock import Clock

    try:
        subject = _subject(connection, remote)
    except ConfigurationError as error:
        yield from without_settings(error)
        return
    with closing(subject.store.driver):
        yield from examine(subject, time.time, Clock().token(), os.environ)


def _subject(connection: Connection, remote: Remote | None) -> Subject:
    """Resolve the configuration and make the driver. Raises ConfigurationError."""
    import os

    from storagekit._checkup.service import driver_settings, store_of
    from storagekit._checkup.subject import Subject
    from storagekit._profiles import load
    from storagekit.config import configure, overruled, texts
    from storagekit.plugins import Registry

    registry = Registry.create()
    found = configure(
        registry.find,
        load(connection.profile, os.environ, remote.backend if remote else None),
        os.environ,
        backend=remote.backend if remote else None,
        bucket=(remote.bucket or None) if remote else None,
        arguments={"endpoint": connection.endpoint_url, "region": connection.region},
    )
    backend, settings = found.backend.text, texts(found.settings)
    driver = registry.create_driver(backend, driver_settings(found.spec, settings))
    return Subject(
        backend=backend,
        bucket=found.bucket,
        store=store_of(driver, backend),
        settings=settings,
        origins={name: value.origin for name, value in found.settings.items()},
        signs=any(setting.secret for setting in found.spec.settings),
        overruling=tuple(value.origin for value in overruled(found.profile, found.settings)),
    )


def _show(output: Output, step: Step) -> None:
    """Say one step: a line, and below it what to do next."""
    if output.quiet and not output.as_json:
        return
    found = step.finding
    facts = {"step": step.name, "status": found.status.value, "message": found.sentence, "hint": found.hint}
    line = f"{found.status.value:<{_STATUS_WIDTH}}  {step.name:<{_NAME_WIDTH}}  {found.sentence}"
    below = f"\n{'':<{_STATUS_WIDTH}}  {'':<{_NAME_WIDTH}}  {found.hint}" if found.hint else ""
    output.row("step", {**facts, "facts": found.facts}, line + below)
    print(end="", flush=True)  # a step may take 10 s, and an error on standard error comes behind its step


def _conclude(output: Output, steps: list[Step]) -> None:
    """Say that all is well, or all that could be tried."""
    from storagekit._checkup.finding import Status

    counted = {status: sum(step.finding.status is status for step in steps) for status in Status}
    warnings = counted[Status.WARNING]
    line = "all is well" if not counted[Status.NOT_TRIED] else "all is well so far; name a bucket to try the rest"
    if warnings:
        line += f", with {warnings} warning{'s' if warnings > 1 else ''}"
    output.result({status.name.lower(): count for status, count in counted.items()}, line)
