"""The queue between the thread that reads and those that send."""

from __future__ import annotations

import threading

import pytest

from storagekit._clock import Cancel
from storagekit._feed import Feed
from storagekit.errors import TransferCancelled


def test_what_is_put_in_comes_out_in_order_until_it_is_closed() -> None:
    feed: Feed[int] = Feed(Cancel())
    taken: list[int] = []
    taker = threading.Thread(target=lambda: taken.extend(feed), daemon=True)
    taker.start()

    for number in range(100):
        feed.put(number)
    feed.close()
    taker.join(10)

    assert list(range(100)) == taken


def test_at_most_one_item_waits() -> None:
    feed: Feed[int] = Feed(Cancel())
    feed.put(1)
    second = threading.Thread(target=feed.put, args=(2,), daemon=True)
    second.start()
    second.join(0.05)
    assert second.is_alive()

    assert 1 == next(feed)
    second.join(10)
    assert 2 == next(feed)


def test_who_waits_in_vain_is_freed_by_a_stop() -> None:
    stop = Cancel()
    feed: Feed[int] = Feed(stop)
    feed.put(1)
    stop.set()

    with pytest.raises(TransferCancelled):
        feed.put(2)
    assert [1] == feed.drain()
    assert [] == list(feed)
