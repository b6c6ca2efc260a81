"""The demo workspace and its members. Their ids never change, so that audit entries stay valid after a reset."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from hoursmith_console.sandbox.models import Member, Organization, Person, Plan, Role

DOMAIN = "northwind.example"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, DOMAIN)
ORG_ID = uuid.uuid5(_NAMESPACE, "workspace")


@dataclass(frozen=True, slots=True)
class SeedMember:
    """A member of the demo workspace."""

    name: str
    role: Role

    @property
    def email(self) -> str:
        return f"{self.name.split()[0].lower()}@{DOMAIN}"

    @property
    def user_id(self) -> uuid.UUID:
        return uuid.uuid5(_NAMESPACE, f"user {self.email}")

    @property
    def member_id(self) -> uuid.UUID:
        return uuid.uuid5(_NAMESPACE, f"member {self.email}")


MEMBERS = (
    SeedMember("Ana Lindqvist", Role.OWNER),
    SeedMember("Ben Okafor", Role.ADMIN),
    SeedMember("Carla Reyes", Role.MANAGER),
    SeedMember("Dmitri Novak", Role.MEMBER),
    SeedMember("Elif Demir", Role.MEMBER),
    SeedMember("Finn Gallagher", Role.MEMBER),
)


def create_members(*, now: datetime) -> tuple[Organization, list[Person]]:
    """Create the workspace and its members."""
    founded = (now - timedelta(days=900)).replace(hour=9, minute=0, second=0, microsecond=0)
    org = Organization.objects.create(
        id=ORG_ID,
        name="Northwind Studio",
        plan=Plan.AGENCY,
        default_currency="EUR",
        invoice_prefix="NW-",
        legal_name="Northwind Studio GmbH",
        tax_id="DE000000000",
        business_email=f"office@{DOMAIN}",
        business_website=f"https://{DOMAIN}",
        created_at=founded,
    )
    people = []
    for number, part in enumerate(MEMBERS):
        person, _ = Person.objects.get_or_create(id=part.user_id, defaults={"name": part.name, "email": part.email})
        joined = founded + timedelta(days=45 * number, minutes=17 * number)
        Member.objects.create(id=part.member_id, org=org, user=person, role=part.role, created_at=joined)
        people.append(person)
    return org, people
