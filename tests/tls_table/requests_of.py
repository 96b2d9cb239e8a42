"""One request per line of standard input, in this interpreter and with the SDK that is installed in it.

Started by ``tests.tls_table``, which owns the servers: a line names who asks, and where. The answers are one JSON list:
what each request ended with, empty where an answer came.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

KEYS = {"access_key": "key", "secret_key": "secret"}


def by_sdk(endpoint: str, **options: Any) -> Any:
    from obs import ObsClient

    access, secret = KEYS.values()
    return ObsClient(access, secret, server=endpoint, max_retry_count=0, timeout=10, **options)


def ask(client: Any) -> None:
    client.getObject("bucket", "key", loadStreamInMemory=True)
    client.close()


def with_patch(endpoint: str, ca_file: str) -> None:
    from storagekit_obs import apply_ssl_patch

    ask(apply_ssl_patch(by_sdk(endpoint), ca_file=ca_file))


def with_driver(endpoint: str, ca_file: str) -> None:
    from storagekit_obs.driver import ObsDriver

    driver = ObsDriver.from_settings({**KEYS, "endpoint": endpoint, "ca_file": ca_file, "path_style": "true"})
    with driver.read("bucket", "key", 0, 10) as reader:
        reader.readinto(memoryview(bytearray(10)))


def with_oss_driver(endpoint: str, ca_file: str) -> None:
    from storagekit_oss.driver import OssDriver

    driver = OssDriver.from_settings({**KEYS, "endpoint": endpoint, "ca_file": ca_file, "region": "region-1"})
    with driver.read("bucket", "key", 0, 10) as reader:
        reader.readinto(memoryview(bytearray(10)))


def by_oss2(endpoint: str, verify: str | bool) -> None:
    import oss2

    session = oss2.Session()
    session.session.verify, session.session.trust_env = verify, False
    keys = oss2.AuthV4(*KEYS.values())
    oss2.Bucket(keys, endpoint, "bucket", session=session, region="region-1", enable_crc=False).get_object("key").read()


Ask = Callable[[str, str], None]
"""Makes a request to an endpoint; told the file of the authority."""

WHO: dict[str, dict[str, Ask]] = {
    "obs": {
        "storagekit": with_driver,
        "`apply_ssl_patch`": with_patch,
        "SDK, `ssl_verify=` file": lambda endpoint, ca_file: ask(by_sdk(endpoint, ssl_verify=ca_file)),
        "SDK, defaults": lambda endpoint, _: ask(by_sdk(endpoint)),
    },
    "oss": {
        "storagekit": with_oss_driver,
        "oss2, `verify=` file": by_oss2,
        "oss2, defaults": lambda endpoint, _: by_oss2(endpoint, verify=True),
    },
}
"""Who asks, by backend."""


def ends_with(backend: str, who: str, endpoint: str, ca_file: str) -> str:
    """Make the request; returns the error in one line."""
    try:
        WHO[backend][who](endpoint, ca_file)
    except Exception as error:  # noqa: BLE001  # whatever it is belongs into the table
        return f"{type(error).__name__}: {error}".replace("\n", " ")
    return ""


def main() -> None:
    warnings.simplefilter("ignore")  # the SDK's own
    lines = [line.rstrip("\n").split("\t") for line in sys.stdin]
    print(json.dumps([ends_with(*line) for line in lines]))


if __name__ == "__main__":
    main()
