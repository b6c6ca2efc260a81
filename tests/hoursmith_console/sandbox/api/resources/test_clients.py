"""Clients: their fields, and when one cannot be deleted."""

from collections.abc import Callable
from typing import Any

import pytest

from hoursmith_console.sandbox.models import Client
from tests.hoursmith_console.sandbox.fixtures import World, code, fields

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("no_limits")]

FULL = {
    "name": "Łódź Film School",
    "contactName": "Zofia",
    "email": "zofia@film.example",
    "phone": "+00 555 1234",
    "website": "https://film.example",
    "currency": "EUR",
    "notes": "line one\nline two",
    "billingAddress": "Somewhere",
    "billingLine1": "1 Station Road",
    "billingLine2": "Floor 2",
    "billingCity": "Łódź",
    "billingRegion": "Łódź",
    "billingPostalCode": "90-001",
    "billingCountry": "Poland",
    "taxNumber": "PL000",
    "defaultRate": "65.50",
    "defaultPaymentTerms": 30,
    "defaultTaxRate": "23.00",
    "requirePoNumber": True,
    "billingEmail": "accounts@film.example",
}


def test_every_field_comes_back_as_it_was_given(world: World) -> None:
    made = world.owner.post("/clients", FULL).json()["data"]
    assert {name: made[name] for name in FULL} == FULL
    assert made["orgId"] == str(world.org.pk)
    assert made["createdAt"] == made["updatedAt"]
    assert made["createdAt"].endswith("Z")
    assert made["deletedAt"] is None
    assert world.owner.get(f"/clients/{made['id']}").json()["data"] == made


def test_only_the_name_is_needed(world: World) -> None:
    made = world.owner.post("/clients", {"name": "New"}).json()["data"]
    assert set(made) == {*FULL, "id", "orgId", "createdAt", "updatedAt", "deletedAt"}
    assert made["requirePoNumber"] is False
    assert made["currency"] is None


def test_a_change_leaves_the_rest_null_clears_and_an_empty_text_is_null(
    world: World, serve_at: Callable[[float], Any]
) -> None:
    clock = serve_at(1_774_000_000.0004)
    made = world.owner.post("/clients", FULL).json()["data"]
    clock.now += 0.0015
    changed = world.owner.patch(f"/clients/{made['id']}", {"phone": None, "notes": "", "currency": "usd"}).json()[
        "data"
    ]
    assert (changed["phone"], changed["notes"], changed["currency"]) == (None, None, "USD")
    untouched = set(FULL) - {"phone", "notes", "currency"}
    assert {name: changed[name] for name in untouched} == {name: FULL[name] for name in untouched}
    assert (made["createdAt"], made["updatedAt"]) == ("2026-03-20T09:46:40.000Z",) * 2
    assert (changed["createdAt"], changed["updatedAt"]) == ("2026-03-20T09:46:40.000Z", "2026-03-20T09:46:40.001Z")


@pytest.mark.parametrize(
    ("sent", "kept"), [(65, "65.00"), (65.5, "65.50"), ("65.5", "65.50"), (0, "0.00"), ("0.10", "0.10"), (None, None)]
)
def test_money_is_taken_as_number_or_text_and_given_as_text(world: World, sent: Any, kept: str | None) -> None:
    made = world.owner.post("/clients", {"name": "New", "defaultRate": sent}).json()["data"]
    assert made["defaultRate"] == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", None),
        ("name", ""),
        ("email", "nobody"),
        ("email", "a b@c"),
        ("currency", "EURO"),
        ("currency", "12"),
        ("defaultRate", "1,5"),
        ("defaultRate", 1.005),
        ("defaultRate", -1),
        ("defaultRate", True),
        ("defaultRate", "1e3"),
        ("defaultRate", 10**12),
        ("defaultTaxRate", 100.01),
        ("defaultPaymentTerms", 1.5),
        ("defaultPaymentTerms", "30"),
        ("defaultPaymentTerms", -1),
        ("requirePoNumber", "yes"),
        ("requirePoNumber", None),
        ("id", "x"),
        ("orgId", "x"),
        ("createdAt", "2026-01-01T00:00:00Z"),
        ("Name", "x"),
    ],
)
def test_what_does_not_fit_is_named(world: World, name: str, value: Any) -> None:
    address = f"/clients/{world.client.pk}"
    before = world.owner.get(address).content
    assert list(fields(world.owner.patch(address, {name: value, "phone": "7"}))) == [name]
    assert world.owner.get(address).content == before


def test_a_client_with_active_projects_or_invoices_stays(world: World) -> None:
    address = f"/clients/{world.client.pk}"
    for project in (world.site, world.shop):
        assert code(world.owner.delete(address)) == (409, "conflict")
        world.owner.post(f"/projects/{project.pk}/archive")
    assert code(world.owner.delete(address)) == (409, "conflict")
    world.invoice.delete()
    assert world.owner.delete(address).status_code == 204
    assert code(world.owner.delete(address)) == (404, "not_found")


def test_a_deleted_clients_projects_stay_archived(world: World) -> None:
    project = world.make(type(world.site), client=world.idle_client, name="Old")
    address = f"/projects/{project.pk}"
    world.owner.post(f"{address}/archive")
    assert world.owner.delete(f"/clients/{world.idle_client.pk}").status_code == 204
    assert world.owner.get(address).status_code == 200
    assert code(world.owner.patch(address, {"status": "ACTIVE"})) == (409, "conflict")
    assert fields(world.owner.patch(f"/projects/{world.site.pk}", {"clientId": str(world.idle_client.pk)}))
    assert Client.objects.filter(name="Globex").exists()
