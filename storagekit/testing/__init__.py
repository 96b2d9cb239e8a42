"""What storagekit tests itself with, for everybody who writes a driver or a program on top of it.

``conformance``: the suite that every driver passes. ``servers``: real S3 servers on loopback. ``http_source``: an
HTTP server that can be slow, lie and count its bytes. ``proxy``: faults between a client and a real server.
"""

from __future__ import annotations

try:
    import pytest
except ImportError:  # servers, sources and proxies are of use without pytest
    pass
else:
    pytest.register_assert_rewrite("storagekit.testing.conformance")
