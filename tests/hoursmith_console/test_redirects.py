"""Old page addresses lead to the new ones, query string included."""

import re

import pytest
from django.test import Client
from django.urls import resolve, reverse

from hoursmith_console.redirects import REDIRECTS


@pytest.mark.parametrize(("old", "name"), REDIRECTS.items())
def test_an_old_address_leads_to_the_new_one(client: Client, old: str, name: str) -> None:
    values = dict.fromkeys(re.findall(r"<\w+:(\w+)>", old), 7)
    address = "/" + re.sub(r"<\w+:\w+>", "7", old)
    answer = client.get(f"{address}?token=live_4f8a2c1bdedf")
    target = reverse(name, kwargs=values)
    assert (answer.status_code, answer["Location"]) == (301, f"{target}?token=live_4f8a2c1bdedf")
    assert resolve(target).view_name == name
    assert client.post(address).status_code == 405
