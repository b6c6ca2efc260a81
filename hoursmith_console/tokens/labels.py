"""Label tokens with their owner and page, for rows and sentences on any page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.tokens.blocks import BlockLabel, blocks_of
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.querysets import rows_of_tokens, visible_tokens
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedToken, TokenIdentity, TokenRef


@dataclass(frozen=True, slots=True)
class TokenLabel:
    """Label of a token. `page` is the key of its page, None if the viewer may not see one; `block` is in force."""

    env: str
    prefix: str
    page: int | None
    owner: Member | None
    block: BlockLabel | None = None

    @property
    def masked(self) -> str:
        """The masked token."""
        return f"hsk_{self.env}_{self.prefix}_••••"

    @property
    def nameless(self) -> "TokenLabel":
        """The label without its owner and block; a chip needs no more, and its rendering can be shared."""
        return replace(self, owner=None, block=None)

    @property
    def address(self) -> str:
        """The token as URLs name it: `live_4f8a2c1bdedf`."""
        return f"{self.env}_{self.prefix}"

    @property
    def public(self) -> str:
        """The token up to its prefix, for copying."""
        return f"hsk_{self.env}_{self.prefix}"


def linked_token(token: ObservedToken) -> SafeString:
    """Return a visible token, masked, as a link to its page."""
    address = reverse("console:tokens:detail", args=[token.pk])
    return format_html('<a href="{}"><code>{}</code></a>', address, token.masked_token)


def token_labels(viewer: Viewer, rows: Iterable[TokenIdentity]) -> Mapping[TokenRef, TokenLabel]:
    """Return a label for the token of each of `rows`, in three queries."""
    refs = {ref_of(row) for row in rows}
    prefixes = [prefix for _, prefix in refs]
    pages = {(env, prefix): pk for env, prefix, pk in _pages(viewer, prefixes)}
    owners, blocks = token_owners(viewer, prefixes), blocks_of(viewer.org_id, refs)
    return {ref: TokenLabel(*ref, page=pages.get(ref), owner=owners.get(ref), block=blocks.get(ref)) for ref in refs}


def visible_token_or_none(viewer: Viewer, ref: TokenRef) -> TokenLabel | None:
    """Return the label of a token that the viewer may see: used in their sight, or claimed there; else None."""
    label = token_labels(viewer, [ObservedToken(env=ref[0], prefix=ref[1])])[ref]
    return label if _is_visible(viewer, label) else None


def tokens_claimed_by(viewer: Viewer, member: Member) -> QuerySet[ObservedToken]:
    """Return the visible tokens that `member` has claimed and that were used here."""
    claims = TokenClaim.objects.filter(member=member).order_by().values_list("env", "prefix")
    return visible_tokens(viewer).filter(rows_of_tokens(claims))


def visible_refs(viewer: Viewer, refs: Iterable[TokenRef]) -> set[TokenRef]:
    """Return those of `refs` whose tokens the viewer may see, in three queries."""
    wanted = set(refs)
    labels = token_labels(viewer, [ObservedToken(env=env, prefix=prefix) for env, prefix in wanted])
    return {ref for ref, label in labels.items() if _is_visible(viewer, label)}


def _is_visible(viewer: Viewer, label: TokenLabel) -> bool:
    if label.page is not None:
        return True
    return label.owner is not None and (viewer.member.sees_workspace or label.owner.pk == viewer.member.pk)


def token_owners(viewer: Viewer, prefixes: Iterable[str]) -> Mapping[TokenRef, Member]:
    """Return the owners of tokens with these prefixes, as claimed in the viewer's workspace."""
    return owners_in(viewer.member.workspace_id, prefixes)


def owners_in(workspace_id: int, prefixes: Iterable[str]) -> Mapping[TokenRef, Member]:
    """Return the owners of tokens with these prefixes, as claimed in the workspace."""
    claims = TokenClaim.objects.filter(prefix__in=list(prefixes), member__workspace_id=workspace_id)
    return {ref_of(claim): claim.member for claim in claims.select_related("member").order_by()}


def ref_of(row: TokenIdentity) -> TokenRef:
    """Return the token of `row`."""
    return TokenRef(row.env, row.prefix)


def _pages(viewer: Viewer, prefixes: list[str]) -> Iterable[tuple[str, str, int]]:
    return visible_tokens(viewer).order_by().filter(prefix__in=prefixes).values_list("env", "prefix", "pk")
