"""What waits for a browser that looks, and for one that is slow."""

import asyncio

from lalelu.page.live_routes import MOST_WAITING, Mailbox


def read(mailbox, count):
    async def look():
        return [await asyncio.wait_for(mailbox.get(), 5) for _ in range(count)]

    return asyncio.run(look())


def test_a_browser_that_is_slow_is_greeted_anew_and_hears_the_newest():
    mailbox = Mailbox(b"the first greeting")
    for number in range(1, MOST_WAITING):
        mailbox.put(b"%d" % number, lambda: b"not yet")
    mailbox.put(b"newest", lambda: b"another greeting")
    mailbox.put(b"after it", lambda: b"not again")
    assert read(mailbox, 3) == [b"another greeting", b"newest", b"after it"]


def test_a_full_mailbox_is_closed_too():
    mailbox = Mailbox(b"hello")
    for _ in range(MOST_WAITING - 1):
        mailbox.put(b"more", lambda: b"")
    mailbox.close()
    assert read(mailbox, 1) == [b""]
