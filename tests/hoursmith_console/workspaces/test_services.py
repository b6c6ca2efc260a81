"""Workspaces, members, accounts and claims: made once, kept current."""

import pytest
from django.contrib.auth.models import User

from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.services import token_claim
from hoursmith_console.workspaces.models import Member, Workspace
from hoursmith_console.workspaces.services import account_create, member_import, workspace_import
from tests.hoursmith_console.conftest import Cast

pytestmark = pytest.mark.django_db


def _import(workspace: Workspace, **changes: str) -> Member:
    facts = {"member_id": "m1", "user_ref": "u1", "name": "Ana", "email": "Ana@Example.com", "role": "MEMBER"}
    return member_import(workspace=workspace, **{**facts, **changes})


def test_an_imported_workspace_keeps_its_id_and_takes_the_new_name_and_plan() -> None:
    first = workspace_import(org_id="o1", name="Old", plan="studio")
    again = workspace_import(org_id="o1", name="New", plan="agency")
    assert (again.pk, again.name, again.plan) == (first.pk, "New", "agency")


def test_an_imported_member_keeps_their_account_and_takes_the_new_role() -> None:
    workspace = workspace_import(org_id="o1", name="Acme", plan="studio")
    member = _import(workspace)
    account_create(member=member, password="correct horse battery")
    again = _import(workspace, role="ADMIN", name="Ana Ruiz")
    assert (again.pk, again.role, again.name) == (member.pk, "ADMIN", "Ana Ruiz")
    assert again.user == User.objects.get(email="ana@example.com")


def test_an_imported_member_is_active_again() -> None:
    workspace = workspace_import(org_id="o1", name="Acme", plan="studio")
    Member.objects.filter(pk=_import(workspace).pk).update(is_active=False)
    assert _import(workspace).is_active


def test_an_account_is_made_once_and_keeps_its_password() -> None:
    member = _import(workspace_import(org_id="o1", name="Acme", plan="studio"))
    assert account_create(member=member, password="the first password") is True
    assert account_create(member=member, password="the second password") is False
    assert User.objects.get(email="ana@example.com").check_password("the first password")


def test_the_same_person_in_two_workspaces_has_one_account() -> None:
    first = _import(workspace_import(org_id="o1", name="Acme", plan="studio"))
    second = _import(workspace_import(org_id="o2", name="Globex", plan="studio"), email="ana@example.com")
    assert account_create(member=first, password="the first password") is True
    assert account_create(member=second, password="the second password") is False
    assert User.objects.get().check_password("the first password")
    assert set(User.objects.get().memberships.all()) == {first, second}


def test_the_first_claim_of_a_token_stands(cast: Cast) -> None:
    mine = token_claim(env="live", prefix="abcabcabcabc", member=cast.people["member"], source="minted")
    later = token_claim(env="live", prefix="abcabcabcabc", member=cast.people["outsider"], source="claimed")
    assert later == mine
    assert TokenClaim.objects.get(prefix="abcabcabcabc").member == cast.people["member"]


def test_the_same_prefix_in_another_environment_is_another_token(cast: Cast) -> None:
    token_claim(env="live", prefix="abcabcabcabc", member=cast.people["member"], source="minted")
    other = token_claim(env="test", prefix="abcabcabcabc", member=cast.people["manager"], source="minted")
    assert other.member == cast.people["manager"]
