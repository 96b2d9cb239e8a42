"""What ``cp`` does where neither side is an object: a URL to a file, or a file or standard input to a signed URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storagekit.cli._connection import Connection
from storagekit.cli._output import Output
from storagekit.cli._streams import standard_input
from storagekit.cli._transfer import Wishes, file_for, line_of, reader_of, say_what_would_be, saying_how_to_go_on, shown
from storagekit.cli._uri import LocalPath, Location, WebURL
from storagekit.errors import ConfigurationError


def refuse_options(
    connection: Connection, *, checkpoint: str | None, storage_class: str | None, recursive: bool
) -> None:
    """Raise ConfigurationError for options of a service, where there is none."""
    given = {
        "--profile": connection.profile,
        "--endpoint-url": connection.endpoint_url,
        "--region": connection.region,
        "--checkpoint": checkpoint,
        "--storage-class": storage_class,
        "--recursive": recursive,
    }
    for name, value in given.items():
        if value:
            raise ConfigurationError(f"{name} means nothing for a copy without a service", hint="Leave it out")


@dataclass(frozen=True)
class WebTransfer:
    """One copy. ``bounds`` are ``workers``, ``memory`` and ``max_speed``, None where not given."""

    source: Location
    target: Location
    output: Output
    wishes: Wishes
    bounds: Mapping[str, Any]

    def run(self) -> None:
        """Copy, and say the result."""
        if isinstance(self.source, WebURL):
            self._download(self.source)
        elif isinstance(self.target, WebURL):
            self._upload(self.target)

    def _download(self, source: WebURL) -> None:
        from storagekit.urls import download_from_url

        wishes, path = self.wishes, file_for(self.target, source.name)
        if wishes.content_type is not None:
            raise ConfigurationError("--content-type is for what is sent to a URL", hint="Leave it out")
        if wishes.dry_run:
            self._say_what_would_be(str(path))
            return
        with saying_how_to_go_on(self.output), self.output.progress(str(path)) as listener:
            result = download_from_url(
                source.url,
                path,
                resume=wishes.resume and not wishes.restart,
                chunk_size=wishes.part_size,
                verify=wishes.verify,
                size=wishes.size,
                sha256=wishes.sha256,
                on_progress=listener,
                **{name: value for name, value in self.bounds.items() if value is not None},
            )
        self.output.result(dict(result), line_of(str(path), result))

    def _upload(self, target: WebURL) -> None:
        from storagekit.urls import upload_to_url

        self._refuse_what_one_put_has_not()
        if self.wishes.dry_run:
            self._say_what_would_be(shown(target))
            return
        data = Path(self.source.path) if isinstance(self.source, LocalPath) else standard_input()
        with self.output.progress(shown(target)) as listener:
            result = upload_to_url(
                target.url,
                data,
                content_type=self.wishes.content_type,
                size=self.wishes.size,
                sha256=self.wishes.sha256,
                max_speed=self.bounds["max_speed"],
                on_progress=listener,
            )
        if result.proof != "put":
            self.output.note("the service named no checksum of what it stored: only its word says that it is the same")
        self.output.result(dict(result), line_of(shown(target), result))

    def _refuse_what_one_put_has_not(self) -> None:
        if self.wishes.verify:
            raise ConfigurationError("--verify cannot read back what a URL took", hint="Leave it out")
        for name, value in (("--part-size", self.wishes.part_size), *self.bounds.items()):
            if value is not None and name != "max_speed":
                option = name if name.startswith("--") else f"--{name}"
                raise ConfigurationError(f"{option} means nothing for a URL, which takes one PUT", hint="Leave it out")

    def _say_what_would_be(self, target: str) -> None:
        from storagekit._clock import Cancel

        size = self.wishes.size
        if isinstance(self.source, (LocalPath, WebURL)):
            opened = reader_of(self.source).open(Cancel())
            size = opened.size
            opened.close()
        say_what_would_be(self.output, shown(self.source), target, size)
