"""Names tokens on other areas' pages: whose they are and where their own page is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.db.models import QuerySet

from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.querysets import rows_of_tokens, visible_tokens
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedToken, TokenIdentity

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TokenLabel:
    """A token as a row or a sentence names it. `page` is the key of its page, None where it has none in sight."""

    env: str
    prefix: str
    page: int | None
    owner: Member | None

    @property
    def masked(self) -> str:
        """The token as people may see it."""
        return f"hsk_{self.env}_{self.prefix}_••••"

    @property
    def nameless(self) -> "TokenLabel":
        """The same without its owner: equal for everybody, and all that a chip shows."""
        return replace(self, owner=None)

    @property
    def public(self) -> str:
        """The part that identifies and does not open, for copying."""
        return f"hsk_{self.env}_{self.prefix}"


def token_labels(viewer: Viewer, rows: Iterable[TokenIdentity]) -> Mapping[Key, TokenLabel]:
    """A card for the token of each of `rows`, in two queries however many rows there are."""
    keys = {key_of(row) for row in rows}
    prefixes = [prefix for _, prefix in keys]
    pages = {(env, prefix): pk for env, prefix, pk in _pages(viewer, prefixes)}
    owners = token_owners(viewer, prefixes)
    return {key: TokenLabel(*key, page=pages.get(key), owner=owners.get(key)) for key in keys}


def visible_token_or_none(viewer: Viewer, key: Key) -> TokenLabel | None:
    """The token that the viewer may act on: seen at work in their sight, or known to be somebody's there."""
    card = token_labels(viewer, [ObservedToken(env=key[0], prefix=key[1])])[key]
    return card if _is_visible(viewer, card) else None


def tokens_claimed_by(viewer: Viewer, member: Member) -> QuerySet[ObservedToken]:
    """Return the tokens in the viewer's sight that are known to be `member`'s and were used here."""
    claims = TokenClaim.objects.filter(member=member).order_by().values_list("env", "prefix")
    return visible_tokens(viewer).filter(rows_of_tokens(claims))


def visible_keys(viewer: Viewer, keys: Iterable[Key]) -> set[Key]:
    """Return those of `keys` whose tokens the viewer may see at work, or may know as somebody's; in two queries."""
    wanted = set(keys)
    cards = token_labels(viewer, [ObservedToken(env=env, prefix=prefix) for env, prefix in wanted])
    return {key for key, card in cards.items() if _is_visible(viewer, card)}


def _is_visible(viewer: Viewer, card: TokenLabel) -> bool:
    if card.page is not None:
        return True
    return card.owner is not None and (viewer.member.sees_workspace or card.owner.pk == viewer.member.pk)


def token_owners(viewer: Viewer, prefixes: Iterable[str]) -> Mapping[Key, Member]:
    """Whose tokens those with these prefixes are, as far as it is known in the viewer's workspace."""
    claims = TokenClaim.objects.filter(
        prefix__in=list(prefixes), member__workspace_id=viewer.member.workspace_id
    ).select_related("member")
    return {key_of(claim): claim.member for claim in claims.order_by()}


def key_of(row: TokenIdentity) -> Key:
    """What identifies the token of `row`."""
    return row.env, row.prefix


def _pages(viewer: Viewer, prefixes: list[str]) -> Iterable[tuple[str, str, int]]:
    return visible_tokens(viewer).order_by().filter(prefix__in=prefixes).values_list("env", "prefix", "pk")
