"""TLS for tests, good and bad: a private authority, certificates of every kind, TLS in front of any server.

>>> authority = Authority()
>>> with TLSFront("127.0.0.1", 9000, authority.issue("127.0.0.1").context()) as front:
...     download(front.endpoint, ca_file=authority.write(tmp_path / "ca.pem"))
...     assert front.handshakes == front.connections

How it works: ``trustme`` is the authority, ``cryptography`` signs what no authority would. ``TLSFront`` ends the TLS of
each connection and passes the bytes inside on to the server behind it, and back; what came out of TLS is counted, so a
test can tell that a client which did not accept the certificate sent nothing. A client that speaks plain HTTP gets the
``plain_answer``. MinIO speaks TLS by itself: ``Certificate.write`` makes what
``storagekit.testing.servers.start_minio(tmp_path, certs_dir=...)`` takes.
"""

from storagekit.testing.tls.certificates import Authority, Certificate, only_tls_1_1, self_signed
from storagekit.testing.tls.front import ALERT, GO, NGINX, TLSFront

__all__ = ["ALERT", "GO", "NGINX", "Authority", "Certificate", "TLSFront", "only_tls_1_1", "self_signed"]
