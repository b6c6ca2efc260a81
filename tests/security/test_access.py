"""Who asks for what is not theirs, at every address there is: another member, another site.

For another workspace, `test_tenants_never_meet` does it with every role.
"""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client

from hoursmith_console.workspaces.models import Member
from mcpbridge.models import AuditEvent, TokenBlock
from tests.hoursmith_console.conftest import PASSWORD
from tests.page_urls import account_routes, console_routes, filled
from tests.security.conftest import Browse, World, content_of
from tests.security.forms import FIELDS

pytestmark = pytest.mark.django_db(databases="__all__")
# The help is the same for everybody.
KEYED = [route for route in console_routes() if "<" in route and not route.startswith("help/")]


def everything_but_the_record() -> dict[str, list[Any]]:
    """All rows of all tables in which a change would be one; sessions and counts come and go."""
    fleeting = {"session", "consolesession", "sharedcount", "logentry", "user"}
    models: list[type[Model]] = [model for model in apps.get_models() if model._meta.model_name not in fleeting]
    return {
        model._meta.label: sorted(model._default_manager.using("default").values_list(), key=repr)
        for model in models
        if model._meta.app_label != "sandbox"
    }


def test_in_forms_without_a_key_those_of_another_workspace_change_nothing(foreign: World, trusted: Browse) -> None:
    visitor, token = trusted("owner"), foreign.cast.tokens["outsider"]
    events = AuditEvent.objects.filter(org_id=token.org_id).count()
    blocks = TokenBlock.objects.count()
    given = {
        **FIELDS,
        "token": f"{token.env}_{token.prefix}",
        "tokens": str(token.pk),
        "prefix": f"hsk_{token.env}_{token.prefix}",
        "key": str(token.pk),
        "env": token.env,
        "workspace": str(foreign.cast.other.pk),
        "member": str(foreign.cast.people["outsider"].pk),
        "owner": str(foreign.cast.people["outsider"].pk),
        "connection": foreign.keys["connections/"],
        "found_in": "somewhere",
        "kind": "leaked",
    }
    for route in (route for route in console_routes() if "<" not in route):
        answer = visitor.post(filled(route), given)
        assert answer.status_code < 500, route
        assert b"ZQforeign" not in content_of(answer), route
    assert AuditEvent.objects.filter(org_id=token.org_id).count() == events
    assert TokenBlock.objects.count() == blocks


def test_a_member_finds_of_a_colleagues_records_nothing(hostile: World, trusted: Browse) -> None:
    visitor = trusted("member")
    before = everything_but_the_record()
    for route in KEYED:
        address = hostile.address(route)
        for answer in (visitor.get(address), visitor.post(address, FIELDS)):
            assert answer.status_code in (403, 404, 405), f"{route}: {answer.status_code}"
    assert everything_but_the_record() == before


def test_the_same_keys_open_for_whose_they_are(hostile: World, trusted: Browse) -> None:
    visitor = trusted("owner")
    found = {route: visitor.get(hostile.address(route)).status_code for route in KEYED}
    # Else the tests above would pass on keys that fit nothing.
    assert set(found.values()) <= {200, 204, 302, 405}, found
    assert list(found.values()).count(200) >= 10


def test_no_form_is_taken_from_another_site(hostile: World) -> None:
    visitor = Client(enforce_csrf_checks=True)
    user = hostile.cast.people["owner"].user
    assert isinstance(user, User)
    visitor.force_login(user)
    visitor.get("/accounts/sessions/")
    before = everything_but_the_record()
    for route in [*console_routes(), *account_routes()]:
        address = hostile.address(route) if route in KEYED else filled(route)
        for headers in ({}, {"Origin": "https://evil.example"}, {"HX-Request": "true"}, {"X-CSRFToken": "x" * 32}):
            answer = visitor.post(address, FIELDS, headers=headers)
            refused = answer.status_code in (403, 404, 405) or _only_reads(answer)
            assert refused, f"{route}: {answer.status_code}"
    assert everything_but_the_record() == before


def _only_reads(answer: Any) -> bool:
    """A redirect to another way to sign in, before anything of the form was looked at."""
    return answer.status_code == 302 and answer["Location"].startswith("/accounts/")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example/", "///evil.example", "/\\evil.example", "\\\\evil.example",
        "http:evil.example", "https:///evil.example", "javascript:alert(1)", "/\t/evil.example", "\x01//evil.example",
        "https://testserver@evil.example/", "https://testserver.evil.example/", "%2f%2fevil.example",
        "/%09/evil.example", "https:evil.example", "data:text/html,x", " //evil.example",
    ],
)  # fmt: skip
def test_nobody_is_led_elsewhere_after_signing_in(hostile: World, target: str) -> None:
    person = hostile.cast.people["manager"]
    visitor = Client()
    answer = visitor.post(
        f"/accounts/login/?{_query(target)}", {"login": person.email, "password": PASSWORD, "next": target}
    )
    assert answer.status_code == 302
    assert _is_here(answer["Location"])
    answer = visitor.post(f"/accounts/reauthenticate/?{_query(target)}", {"password": PASSWORD, "next": target})
    assert answer.status_code != 302 or _is_here(answer["Location"])
    answer = visitor.post(f"/accounts/logout/?{_query(target)}", {"next": target})
    assert answer.status_code != 302 or _is_here(answer["Location"])


def _query(target: str) -> str:
    return urlencode({"next": target})


def _is_here(location: str) -> bool:
    """Whether a browser stays on this host: it takes backslashes for slashes and drops tabs and line breaks."""
    seen = location.translate({ord(mark): None for mark in "\t\r\n"}).replace("\\", "/").lstrip("\x00\x01 ")
    return (seen.startswith("/") and not seen.startswith("//")) or seen.startswith("%2f")


def test_fields_that_no_form_has_change_nothing(hostile: World, trusted: Browse) -> None:
    """Mass assignment: what a model has and its form does not ask for is not taken."""
    person, visitor = hostile.cast.people["manager"], trusted("manager")
    more = {
        "role": "OWNER", "workspace": str(hostile.cast.other.pk), "workspace_id": str(hostile.cast.other.pk),
        "is_staff": "on", "is_superuser": "on", "is_auditor": "on", "user": "1", "owner": "1", "org_id": "org-globex",
        "email": "root@example.com", "acked": "99", "encrypted_secret": "x", "created_by": "x", "slug": "mine",
        "password": "x", "id": "1", "pk": "1",
    }  # fmt: skip
    for route in (route for route in [*console_routes(), "accounts/sessions/"] if "<" not in route):
        visitor.post(filled(route), {**FIELDS, **more, "client": "claude-code"})
    person.refresh_from_db()
    assert (person.role, person.is_auditor, person.email) == ("MANAGER", False, "manager@example.com")
    assert person.workspace_id == hostile.cast.workspace.pk
    assert not User.objects.filter(is_staff=True).exists()
    assert not User.objects.filter(is_superuser=True).exists()
    assert Member.objects.filter(role="OWNER").count() == 2
    for connection in person.connections.all():
        assert connection.slug != "mine"
        assert connection.owner_id == person.pk


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "testserver:80@evil.example", "a b", ""])
def test_no_answer_is_made_for_a_host_that_is_not_ours(host: str, db: Any) -> None:
    for path in ("/", "/accounts/login/", "/audit/key"):
        answer = Client().get(path, headers={"host": host})
        assert answer.status_code == 400, path
        assert b"evil" not in answer.content


def test_what_proxies_are_said_to_have_rewritten_changes_no_address(client: Client, db: Any) -> None:
    for name in ("x-forwarded-host", "x-original-url", "x-rewrite-url", "x-forwarded-prefix", "forwarded", "x-host"):
        answer = client.get("/accounts/login/", headers={name: "evil.example"})
        assert b"evil" not in answer.content
        assert client.get("/", headers={name: "/audit/key"}).status_code == 302
