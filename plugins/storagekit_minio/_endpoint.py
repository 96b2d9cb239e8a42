"""Amazon's addresses."""

from __future__ import annotations

import re

_REGION_IN_HOST = re.compile(r"s3[.-](?:dualstack\.)?([a-z]{2,}-[a-z-]+-\d+)\.amazonaws")


def is_amazon(address: str) -> bool:
    """Tell whether an address is one of Amazon's."""
    return address.partition(":")[0].lower().endswith((".amazonaws.com", ".amazonaws.com.cn"))


def sts_of_amazon(address: str, region: str | None) -> str:
    """Return where Amazon gives temporary keys for a role: in the region given, or that of the endpoint."""
    host = address.partition(":")[0].lower()
    place = region or next(iter(_REGION_IN_HOST.findall(host)), None)
    suffix = "amazonaws.com.cn" if host.endswith(".cn") else "amazonaws.com"
    return f"https://sts.{place}.{suffix}" if place else f"https://sts.{suffix}"
