"""Run every check against one server in one setting; one line of JSON each, then one that sums up."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from obs import const

from tests.integration.obs_sdk import buckets, copies, files, listing, objects, reading, refusals, uploads, urls
from tests.integration.obs_sdk.bench import CHECKS, Bench, Setting, version
from tests.integration.sdk_checks import resolve_to_loopback

assert all((buckets, copies, files, listing, objects, reading, refusals, uploads, urls))  # imported: registered


def main() -> None:
    """Standard input: `{"domain": "obs.test", "setting": {...}}`."""
    order = json.load(sys.stdin)
    resolve_to_loopback(order["domain"])
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Setting(**order["setting"]), Path(scratch))
        CHECKS.run(bench, version(), {"sdk": const.OBS_SDK_VERSION})
        bench.client.close()


if __name__ == "__main__":
    main()
