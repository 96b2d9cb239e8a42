"""Run every check against one server in one setting; one line of JSON each, then one that sums up."""

from __future__ import annotations

import json
import platform
import socket
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from obs import const

from tests.integration.obs_sdk import buckets, copies, files, listing, objects, reading, refusals, uploads, urls
from tests.integration.obs_sdk.bench import CHECKS, Bench, Check, Setting, version

assert all((buckets, copies, files, listing, objects, reading, refusals, uploads, urls))  # imported: registered


def main() -> None:
    """Standard input: `{"domain": "obs.test", "setting": {...}}`."""
    order = json.load(sys.stdin)
    resolve_to_loopback(order["domain"])
    told = {"python": platform.python_version(), "sdk": const.OBS_SDK_VERSION}
    known = {name: function for name, (since, function) in CHECKS.items() if since <= version()}
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Setting(**order["setting"]), Path(scratch))
        for name, function in known.items():
            began = time.monotonic()
            problem = run(bench, function)
            failed += problem is not None
            say(check=name, problem=problem, seconds=round(time.monotonic() - began, 3))
        bench.client.close()
    say(ran=len(known), failed=failed, not_in_this_version=sorted(set(CHECKS) - set(known)), **told)


def run(bench: Bench, function: Check) -> str | None:
    """None, or what was wrong and where."""
    try:
        bench.fresh_bucket()
        function(bench)
    except Exception as error:  # noqa: BLE001 - whatever the SDK raises is a finding, like a comparison that failed
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "obs_sdk" in frame.filename]
        place = ours[-1] if ours[-1].name not in ("status", "equal") or len(ours) < 2 else ours[-2]
        return f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
    return None


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def resolve_to_loopback(domain: str) -> None:
    """No DNS knows the domain: it and every name below it are this machine."""
    plain = socket.getaddrinfo

    def patched(host: Any, *arguments: Any, **keywords: Any) -> Any:
        ours = isinstance(host, str) and (host == domain or host.endswith(f".{domain}"))
        return plain("127.0.0.1" if ours else host, *arguments, **keywords)

    socket.getaddrinfo = patched


if __name__ == "__main__":
    main()
