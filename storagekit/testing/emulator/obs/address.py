"""Which bucket and key a request is about: by virtual host, or by path where OBS allows that.

``bucket.obs.test/key`` is the rule. A path may name the bucket only where the host is an IP address or ``localhost``;
at the endpoint's own name OBS answers 403 VirtualHostDomainRequired.
"""

from __future__ import annotations

from storagekit.testing.emulator.hosts import check_key, decoded_path, host_of, is_bucket_name, takes_paths
from storagekit.testing.emulator.operations.store import Address
from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request


def parse_address(request: Request, domain: str) -> Address:
    """Return what the request is about. Raises Refusal where host, bucket or key cannot be."""
    host = host_of(request)
    path = decoded_path(request.path[1:])
    if host.endswith(f".{domain}"):
        return _checked(Address(host.removesuffix(f".{domain}"), path, virtual=True))
    bucket, _, key = path.partition("/")
    if host == domain:
        if bucket:
            raise Refusal(
                "VirtualHostDomainRequired", "Virtual host domain is required when accessing a specific bucket."
            )
        return Address()
    if not takes_paths(host):
        raise Refusal("BadDomainName", f"The domain name {host} is not {domain} and not below it.")
    return _checked(Address(bucket, key))


def _checked(address: Address) -> Address:
    if address.bucket and not is_bucket_name(address.bucket):
        raise Refusal("InvalidBucketName", f"The bucket name {address.bucket} is not valid.")
    check_key(address.key)
    return address
