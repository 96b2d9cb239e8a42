"""Faults between a client and a real server: an HTTP-aware proxy for S3 and a byte-exact one for anything on TCP.

>>> with FaultProxy("http://127.0.0.1:9000", [Fault(is_complete(), DropAnswer())]) as proxy:
...     upload(endpoint=proxy.endpoint)  # the object is there, the client never heard of it
...     assert proxy.part_puts() == [1, 2, 3]

How ``FaultProxy`` works: each client connection has one thread and, on demand, one connection to the upstream server;
both are kept alive together (``link``). Heads and bodies pass as the bytes they are (Host too, so that SigV4 signatures
made for the proxy's address stay valid), in blocks of at most 256 KiB (``wire``); only framing is understood:
Content-Length, chunked, until close, no body (``framing``). While the client's body is awaited the upstream is watched
as well, so "100 Continue" passes when it comes and an early refusal reaches a client that is still sending.

Every request becomes a ``Transaction``. The first ``Fault`` whose predicate says yes has its action applied to it; an
action is any object with ``apply(transaction)`` and is composed of the transaction's steps: ``forward_request``,
``relay_answer``, ``swallow_answer``, ``read_body``, ``answer``, ``pause``, ``hang_up``. Without a fault the action is
``Forward``. What happened is kept as a frozen ``Exchange``.

A storm is a fault with ``times``: ``Fault(is_any(), Answer(503, retry_after=1), times=5)``.

``TCPProxy`` passes bytes between two sockets with one thread per direction, counts them, and cuts, stalls, delays or
falsifies after so many of them (``LinkFault``); ``when_up`` calls back at an exact count.
"""

from storagekit.testing.proxy.actions import (
    Answer,
    CutAnswer,
    CutRequest,
    Delay,
    DropAnswer,
    Forward,
    Garbage,
    Stall,
    Strike,
    When,
)
from storagekit.testing.proxy.fault_proxy import FaultProxy
from storagekit.testing.proxy.faults import Fault
from storagekit.testing.proxy.request import (
    Predicate,
    Request,
    is_abort,
    is_any,
    is_complete,
    is_create_upload,
    is_get_object,
    is_head,
    is_list_parts,
    is_part,
    is_put_object,
    matches,
)
from storagekit.testing.proxy.tcp_proxy import LinkFault, TCPProxy
from storagekit.testing.proxy.transaction import Action, Exchange, Transaction

__all__ = [
    "Action",
    "Answer",
    "CutAnswer",
    "CutRequest",
    "Delay",
    "DropAnswer",
    "Exchange",
    "Fault",
    "FaultProxy",
    "Forward",
    "Garbage",
    "LinkFault",
    "Predicate",
    "Request",
    "Stall",
    "Strike",
    "TCPProxy",
    "Transaction",
    "When",
    "is_abort",
    "is_any",
    "is_complete",
    "is_create_upload",
    "is_get_object",
    "is_head",
    "is_list_parts",
    "is_part",
    "is_put_object",
    "matches",
]
