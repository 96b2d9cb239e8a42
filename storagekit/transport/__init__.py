"""What drivers have in common below their SDKs. A plugin may import it; the core's own modules mostly do not.

* ``failures``: what a connection that did not come about says of TLS. ``codes``: what a service's error means.
* ``sockets``, ``connections``: connections that keep up with the line, and know when they are stale.
* ``sending``, ``reading``: bodies on their way out, and ranges that are checked on their way in.
* ``dialect``, ``headers``, ``answers``, ``xml``: what S3's relatives write and answer.
* ``endpoint``, ``settings``: what people configure.
"""

from storagekit.transport.failures import Peer, TLSProblem, tls_failure, tls_problem, tls_wanted, wants_tls

__all__ = ["Peer", "TLSProblem", "tls_failure", "tls_problem", "tls_wanted", "wants_tls"]
