"""``storagekit config``: the group of ``show``, ``set`` and ``check``."""

from __future__ import annotations

import typer

from storagekit.cli import config_check, config_set, config_show

app = typer.Typer(help="Show, change and check the configuration.", no_args_is_help=True)
app.command("show")(config_show.run)
app.command("set")(config_set.run)
app.command("check")(config_check.run)
