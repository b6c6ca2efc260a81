"""A member's browser at a served console."""

import re
from html import unescape
from typing import Self

import httpx

from tests.hoursmith_console.sign_in.people import code_now
from tests.servers import Served

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Visitor:
    """Keeps cookies, and sends forms as the page has them."""

    def __init__(self, served: Served) -> None:
        self._browser = httpx.Client(base_url=served.url, timeout=60)

    def sign_in(self, email: str, password: str, totp: str = "") -> None:
        """Sign in, with the code of an authenticator app that has the secret `totp` where one is given."""
        answer = self.send("/accounts/login/", login=email, password=password)
        if totp:
            answer = self.send(answer.headers["Location"], code=code_now(totp))
        assert answer.headers["Location"] == "/", answer.headers

    def send(self, address: str, to: str = "", **form: str) -> httpx.Response:
        """Fill in the form on the page at `address`, and send it there or `to` another address."""
        found = _TOKEN.search(self._browser.get(address).text)
        assert found is not None, address
        data = {**form, "csrfmiddlewaretoken": found[1]}
        answer = self._browser.post(to or address, data=data, headers={"Referer": f"{self._browser.base_url}{address}"})
        assert answer.status_code in (200, 302), f"{answer.status_code}: {answer.text[:2000]}"
        return answer

    def page(self, address: str) -> str:
        """Return the text of the page, without its elements."""
        answer = self._browser.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", answer.text)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()
