"""Read pages that follow a list live."""

import re
from html import unescape

from django.test import Client


def page_of(client: Client, address: str) -> str:
    """Return the page at `address`, with its character references resolved."""
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return unescape(answer.content.decode())


def poll_address(page: str) -> str:
    """Return the address that `page` asks every three seconds for new rows."""
    found = re.search(r'id="tail" class="tail" hx-get="([^"]+)" hx-trigger="every 3s"', page)
    assert found is not None
    return found[1]
