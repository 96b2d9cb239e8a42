"""What drivers have in common below HTTP: what a failed connection says, and sockets that keep up with the line.

``failures`` is imported by whoever reads errors; ``sockets`` by who makes connections.
"""

from storagekit.transport.failures import Peer, TLSProblem, tls_failure, tls_problem, tls_wanted, wants_tls

__all__ = ["Peer", "TLSProblem", "tls_failure", "tls_problem", "tls_wanted", "wants_tls"]
