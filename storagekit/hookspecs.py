"""The hooks of storagekit: one.

A plugin is a module with an entry point in the group ``storagekit`` whose name is the backend it brings:

    # pyproject.toml of the plugin
    [project.entry-points.storagekit]
    webdav = "storagekit_webdav"

    # storagekit_webdav/__init__.py
    from storagekit import hookimpl
    from storagekit.driver import DriverSpec

    @hookimpl
    def storagekit_drivers():
        return [DriverSpec(backend="webdav", summary="Any WebDAV server", factory=_make)]

Importing the module must be cheap: no vendor SDK, which the factory imports. Each hook has a section with an example
that runs in docs/reference/plugins.md.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from storagekit.driver import DriverSpec

hookspec = pluggy.HookspecMarker("storagekit")


@hookspec
def storagekit_drivers() -> Iterable[DriverSpec]:  # type: ignore[empty-body]  # a hook specification has no body
    """Return the drivers that this plugin brings: at least one, each of another name.

    Called once in a process, when somebody asks for a backend that the plugin may bring. A name is lower-case letters,
    digits, ``+``, ``.`` and ``-``, as it stands in URIs. The values are kept and listed by ``storagekit backends``; a
    factory runs only when somebody uses its backend. Whatever the hook raises makes the plugin a broken one, which is
    reported by its name and harms no other.
    """
