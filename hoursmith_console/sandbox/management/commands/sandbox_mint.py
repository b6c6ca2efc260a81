"""`manage.py sandbox_mint --email E --name N [--scope read]`."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import router, transaction

from hoursmith_console.sandbox.console import console_member
from hoursmith_console.sandbox.management.sandbox_command import SandboxCommand, existing_workspace
from hoursmith_console.sandbox.models import Member, Organization, Scope, Token
from hoursmith_console.sandbox.services import NAME_LENGTH, MintedToken, UnknownMemberError, member_by_email, mint_token
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.services import claim_token
from mcpbridge.audit.console_events import TokenNamed, operator, record_event
from mcpbridge.audit.errors import AuditUnavailableError


class Command(SandboxCommand):
    help = "Create a sandbox token for a member and print it once, alone on stdout."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="email address of the token's owner")
        parser.add_argument("--name", required=True, help="name of the token")
        parser.add_argument("--scope", choices=Scope.values, default=Scope.WRITE, help="read: read-only token")

    def handle(self, *args: Any, **options: Any) -> None:
        org = existing_workspace()
        name = options["name"].strip()
        if not 0 < len(name) <= NAME_LENGTH:
            raise CommandError(f"--name must have 1 to {NAME_LENGTH} characters.")
        try:
            member = member_by_email(email=options["email"], org=org)
        except UnknownMemberError:
            raise CommandError(
                f"{org.name} has no member {options['email']}. Known: {', '.join(_addresses(org))}."
            ) from None
        scopes = [Scope.READ] if options["scope"] == Scope.READ else [Scope.READ, Scope.WRITE]
        try:
            minted = _mint(member, name, scopes)
        except AuditUnavailableError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(minted.plaintext)


def _mint(member: Member, name: str, scopes: list[Scope]) -> MintedToken:
    """Mint a token, claim it and record it in one transaction."""
    databases = router.db_for_write(Token), router.db_for_write(TokenClaim)
    with transaction.atomic(using=databases[0]), transaction.atomic(using=databases[1]):
        minted = mint_token(member=member, name=name, scopes=scopes)
        claim = claim_token(env=minted.env, prefix=minted.prefix, member=console_member(member), source="sandbox_mint")
        record_event(
            org_id=str(member.org_id),
            org_name=member.org.name,
            action="console.token_mint",
            actor=operator(),
            target_type="token",
            target_id=minted.prefix,
            target_label=name,
            token=TokenNamed(minted.env, minted.prefix, name),
            details={"for": claim.member.display_identity, "scopes": [str(scope) for scope in scopes]},
        )
    return minted


def _addresses(org: Organization) -> list[str]:
    members = Member.objects.filter(org=org, is_active=True)
    return list(members.order_by("user__email").values_list("user__email", flat=True))
