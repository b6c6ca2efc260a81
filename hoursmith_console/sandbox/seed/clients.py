"""Clients of the demo workspace. Only Globex has neither projects nor invoices and can be deleted."""

from datetime import datetime, timedelta
from decimal import Decimal

from hoursmith_console.sandbox.models import Client, Organization
from hoursmith_console.sandbox.seed.seeded_random import SeededRandom

# name, contact, town, country, currency, hourly rate, tax in percent, days to pay
_CLIENTS = (
    ("Alder & Finch", "Priya Nair", "London", "United Kingdom", "GBP", 95, 20, 30),
    ("Bluebird Bakery", "Tom Hale", "Bristol", "United Kingdom", "GBP", 70, 20, 14),
    ("Café Zürich", "Nora Keller", "Zürich", "Switzerland", "CHF", 120, 8, 30),
    ("Delta Logistics", "Marek Wolny", "Gdańsk", "Poland", "EUR", 85, 23, 30),
    ("Evergreen Homes", "Sofia Marin", "Valencia", "Spain", "EUR", 80, 21, 14),
    ("Fjord Analytics", "Ingrid Dahl", "Bergen", "Norway", "EUR", 110, 25, 30),
    ("Harbour Clinic", "Dr. Amir Sadek", "Hamburg", "Germany", "EUR", 100, 19, 14),
    ("Initech", "Bill Lumbergh", "Austin", "United States", "USD", 130, 0, 45),
    ("Juniper Press", "Claire Dubois", "Lyon", "France", "EUR", 75, 20, 30),
    ("Łódź Film School", "Zofia Kamińska", "Łódź", "Poland", "EUR", 65, 23, 30),
    ("Meridian Energy", "Jonas Brandt", "Rotterdam", "Netherlands", "EUR", 115, 21, 30),
)
_IDLE = ("Globex", "Hank Scorpio", "Cypress Creek", "United States", "USD", 140, 0, 30)


def create_clients(*, org: Organization, now: datetime) -> list[Client]:
    """Create the clients; return those with projects, which excludes Globex."""
    rng = SeededRandom("clients")
    made = []
    for number, facts in enumerate((*_CLIENTS, _IDLE)):
        created = (now - timedelta(days=700 - 45 * number)).replace(hour=10, minute=3 * number, second=0, microsecond=0)
        made.append(_client(rng, org, facts, created, poor=number % 4 == 0))
    Client.objects.bulk_create(made)
    return made[: len(_CLIENTS)]


def _client(
    rng: SeededRandom,
    org: Organization,
    facts: tuple[str, str, str, str, str, int, int, int],
    at: datetime,
    *,
    poor: bool,
) -> Client:
    name, contact, town, country, currency, rate, tax, terms = facts
    domain = f"{''.join(letter for letter in name.lower() if 'a' <= letter <= 'z')}.example"
    return Client(
        id=rng.uuid(),
        org=org,
        created_at=at,
        updated_at=at + timedelta(days=rng.randrange(30)),
        name=name,
        contact_name=contact,
        email=f"{contact.split()[-1].lower()}@{domain}" if contact.isascii() else f"hello@{domain}",
        phone=None if poor else f"+00 555 {rng.randrange(1000, 9999)}",
        website=f"https://{domain}",
        currency=currency,
        notes="Prefers a call to an e-mail." if poor else None,
        billing_line1=f"{rng.randrange(1, 120)} Station Road",
        billing_city=town,
        billing_country=country,
        default_rate=Decimal(rate),
        default_tax_rate=Decimal(tax),
        default_payment_terms=terms,
        require_po_number=currency == "USD",
        billing_email=f"accounts@{domain}",
    )
