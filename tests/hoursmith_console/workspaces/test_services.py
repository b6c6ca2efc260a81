"""Workspaces, members, accounts and claims: made once, kept current."""

import pytest
from django.contrib.auth.models import User

from hoursmith_console.accounts.addresses import AddressTakenError, normalize_email
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.services import claim_token
from hoursmith_console.workspaces.models import Member, Workspace
from hoursmith_console.workspaces.services import (
    MembershipError,
    create_account,
    import_member,
    import_workspace,
    link_account,
)
from tests.hoursmith_console.conftest import Cast, account_of

pytestmark = pytest.mark.django_db


def _import(workspace: Workspace, **changes: str) -> Member:
    facts = {"member_id": "m1", "user_ref": "u1", "name": "Ana", "email": "Ana@Example.com", "role": "MEMBER"}
    return import_member(workspace=workspace, **{**facts, **changes})


def test_an_imported_workspace_keeps_its_id_and_takes_the_new_name_and_plan() -> None:
    first = import_workspace(org_id="o1", name="Old", plan="studio")
    again = import_workspace(org_id="o1", name="New", plan="agency")
    assert (again.pk, again.name, again.plan) == (first.pk, "New", "agency")


def test_an_imported_member_keeps_their_account_and_takes_the_new_role() -> None:
    workspace = import_workspace(org_id="o1", name="Acme", plan="studio")
    member = _import(workspace)
    create_account(member=member, password="correct horse battery")
    again = _import(workspace, role="ADMIN", name="Ana Ruiz")
    assert (again.pk, again.role, again.name) == (member.pk, "ADMIN", "Ana Ruiz")
    assert again.user == User.objects.get(email="ana@example.com")


def test_an_imported_member_is_active_again() -> None:
    workspace = import_workspace(org_id="o1", name="Acme", plan="studio")
    Member.objects.filter(pk=_import(workspace).pk).update(is_active=False)
    assert _import(workspace).is_active


def test_an_account_is_made_once_and_keeps_its_password() -> None:
    member = _import(import_workspace(org_id="o1", name="Acme", plan="studio"))
    assert create_account(member=member, password="the first password") is True
    assert create_account(member=member, password="the second password") is False
    assert User.objects.get(email="ana@example.com").check_password("the first password")


def test_an_address_lets_no_account_into_a_second_workspace() -> None:
    first = _import(import_workspace(org_id="o1", name="Acme", plan="studio"))
    second = _import(import_workspace(org_id="o2", name="Globex", plan="studio"), email="ana@example.com")
    assert create_account(member=first, password="the first password") is True
    with pytest.raises(AddressTakenError):
        create_account(member=second, password="the second password")
    assert User.objects.get().check_password("the first password")
    assert [member.pk for member in Member.objects.filter(user=User.objects.get())] == [first.pk]


def test_an_account_joins_a_second_workspace_and_no_member_who_has_another() -> None:
    first = _import(import_workspace(org_id="o1", name="Acme", plan="studio"))
    second = _import(import_workspace(org_id="o2", name="Globex", plan="studio"))
    third = _import(first.workspace, user_ref="u2", member_id="m2", email="bo@example.com")
    create_account(member=first, password="the first password")
    create_account(member=third, password="the other password")
    link_account(member=second, user=account_of(first))
    assert set(account_of(first).memberships.all()) == {first, second}
    with pytest.raises(MembershipError, match="another account"):
        link_account(member=second, user=account_of(third))
    Member.objects.filter(pk=third.pk).update(user=None)
    with pytest.raises(MembershipError, match="already linked to Ana"):
        link_account(member=third, user=account_of(first))


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (" Ana@Example.COM ", "ana@example.com"),
        ("ÄRNE@example.com", "ärne@example.com"),
        ("straße@example.com", "straße@example.com"),
        # The Kelvin sign, which lower case would make a "k", and the capital İ of Turkish, which it would make two.
        ("mi\u212ae@example.com", "mi\u212ae@example.com"),
        ("\u0130da@example.com", "\u0130da@example.com"),
    ],
)
def test_addresses_are_compared_in_one_form_that_makes_no_two_mailboxes_one(written: str, stored: str) -> None:
    assert normalize_email(written) == stored
    assert normalize_email(stored) == stored
    workspace = import_workspace(org_id="o1", name="Acme", plan="studio")
    assert _import(workspace, email=written).email == stored


def test_names_from_hoursmith_are_one_line_and_fit_their_columns() -> None:
    workspace = import_workspace(org_id="o1", name="Acme\r\nBcc: all@example.com\0" + "x" * 300, plan="studio")
    assert workspace.name.startswith("Acme Bcc: all@example.com x")
    assert len(workspace.name) == 200
    assert _import(workspace, name="Ana\u2028\u202eRuiz").name == "Ana \ufffdRuiz"
    assert _import(workspace, name=" \n ").name == "ana"


def test_the_first_claim_of_a_token_stands(cast: Cast) -> None:
    mine = claim_token(env="live", prefix="abcabcabcabc", member=cast.people["member"], source="minted")
    later = claim_token(env="live", prefix="abcabcabcabc", member=cast.people["outsider"], source="claimed")
    assert later == mine
    assert TokenClaim.objects.get(prefix="abcabcabcabc").member == cast.people["member"]


def test_the_same_prefix_in_another_environment_is_another_token(cast: Cast) -> None:
    claim_token(env="live", prefix="abcabcabcabc", member=cast.people["member"], source="minted")
    other = claim_token(env="test", prefix="abcabcabcabc", member=cast.people["manager"], source="minted")
    assert other.member == cast.people["manager"]
