"""Read which tokens are selected: those ticked on a page, or all that match the filters in the address."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from hoursmith_console.core.keys import key_from
from hoursmith_console.core.lists.changelist import KeysetChangeList
from hoursmith_console.token_inventory.bulk.services import MAX_TOKENS
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.models import ObservedToken

if TYPE_CHECKING:
    from hoursmith_console.token_inventory.admin import TokenAdmin

TOKEN, EVERY, SHOWN = "token", "every", "shown"


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected tokens. `filters` describe them if they are all that match.

    `missing`: how many of the ticked ones the viewer does not see (any more). `shown`: how many matched when they were
    selected; None if they were ticked.
    """

    tokens: Sequence[ObservedToken]
    filters: str = ""
    missing: int = 0
    shown: int | None = None

    @property
    def is_too_many(self) -> bool:
        """Whether there are more tokens than one job takes."""
        return len(self.tokens) > MAX_TOKENS

    @property
    def digest(self) -> str:
        """A short digest of which tokens are selected."""
        keys = ",".join(str(token.pk) for token in self.tokens)
        return hashlib.sha256(keys.encode()).hexdigest()[:16]

    @property
    def has_changed(self) -> bool:
        """Whether another number of tokens matches now than when they were selected."""
        return self.shown is not None and self.shown != len(self.tokens)


def selection_of(request: ConsoleRequest, admin: "TokenAdmin") -> Selection:
    """Return what the address selects, of the tokens that the viewer sees."""
    if request.GET.get(EVERY):
        changes = cast(KeysetChangeList, admin.get_changelist_instance(request))
        tokens = list(changes.queryset.order_by("pk")[: MAX_TOKENS + 1])
        shown = request.GET.get(SHOWN, "")
        return Selection(tokens, filters=changes.describe(), shown=key_from(shown) or 0 if shown else None)
    ticked = {key for text in request.GET.getlist(TOKEN)[:MAX_TOKENS] if (key := key_from(text))}
    tokens = list(visible_tokens(request.viewer).filter(pk__in=ticked).order_by("pk"))
    return Selection(tokens, missing=len(ticked) - len(tokens))
