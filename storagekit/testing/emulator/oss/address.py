"""Which bucket and key a request is about: by virtual host, by a domain of the user's own, or by path.

``bucket.oss.test/key`` is the rule; a CNAME stands for one bucket. A path may name the bucket only where the host is
an IP address or ``localhost``; at the endpoint's own name OSS answers 403 SecondLevelDomainForbidden.
"""

from __future__ import annotations

from collections.abc import Mapping

from storagekit.testing.emulator.hosts import decoded_path, host_of, is_bucket_name, takes_paths
from storagekit.testing.emulator.operations.store import Address
from storagekit.testing.emulator.oss.dialect import OSS
from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request


def parse_address(request: Request, domain: str, cnames: Mapping[str, str]) -> Address:
    """Return what the request is about. Raises Refusal where host, bucket or key cannot be."""
    host = host_of(request)
    path = decoded_path(request.path[1:])
    if host in cnames:
        return _checked(Address(cnames[host], path, virtual=True))
    if host.endswith(f".{domain}"):
        return _checked(Address(host.removesuffix(f".{domain}"), path, virtual=True))
    bucket, _, key = path.partition("/")
    if host == domain:
        if bucket:
            raise Refusal(
                "SecondLevelDomainForbidden",
                "The bucket you are attempting to access must be addressed using OSS third level domain.",
            )
        return Address()
    if not takes_paths(host):
        raise Refusal("InvalidRequest", f"The domain name {host} is not {domain}, not below it and no CNAME.")
    return _checked(Address(bucket, key))


def _checked(address: Address) -> Address:
    if address.bucket and (not is_bucket_name(address.bucket) or "." in address.bucket):
        raise Refusal("InvalidBucketName", "The specified bucket is not valid.", BucketName=address.bucket)
    OSS.check_key(address.key)
    return address
