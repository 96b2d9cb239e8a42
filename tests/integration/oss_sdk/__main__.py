"""Run every check with one SDK against one server in one setting; one line of JSON each, then one that sums up."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from pathlib import Path

from tests.integration.oss_sdk import buckets, copies, files, listing, objects, reading, refusals, uploads, urls
from tests.integration.oss_sdk.bench import CHECKS, Bench, Sdk, Setting
from tests.integration.sdk_checks import numbers, resolve_to_loopback

assert all((buckets, copies, files, listing, objects, reading, refusals, uploads, urls))  # imported: registered


def make(setting: Setting) -> Sdk:
    """Only one of them is there."""
    if setting.sdk == "oss2":
        from tests.integration.oss_sdk.by_oss2 import Oss2

        return Oss2(setting)
    from tests.integration.oss_sdk.by_v2 import V2

    return V2(setting)


def main() -> None:
    """Standard input: `{"domains": ["oss.test"], "setting": {...}}`."""
    warnings.simplefilter("ignore")  # oss2's, about utcnow: one for each request on Python 3.12 and newer
    order = json.load(sys.stdin)
    for domain in order["domains"]:
        resolve_to_loopback(domain)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Setting(**order["setting"]), make, Path(scratch))
        CHECKS.run(bench, numbers(bench.sdk.version), {"sdk": bench.sdk.version})


if __name__ == "__main__":
    main()
