"""One endpoint, declared: who may call it, what it takes, what it answers, and what it does."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from hoursmith_console.sandbox.api.auth_context import AuthContext
from hoursmith_console.sandbox.api.errors import NotFoundError
from hoursmith_console.sandbox.api.fields import Field
from hoursmith_console.sandbox.api.lists import EVERYTHING, Listing, ListQuery
from hoursmith_console.sandbox.api.values import ID, InvalidValueError
from hoursmith_console.sandbox.models import Role


@dataclass
class RequestContext:
    """One request that has come past every check which needs no record.

    `values` are what the body sets, by attribute; `query` is the list request where the operation is a list.
    """

    auth: AuthContext
    now: datetime
    segment: str
    values: dict[str, Any] = field(default_factory=dict)
    query: ListQuery = EVERYTHING

    @property
    def record_id(self) -> uuid.UUID:
        """The id in the path; raises NotFoundError for what cannot be one."""
        try:
            return ID.parse(self.segment)
        except InvalidValueError:
            raise NotFoundError from None


class Shape(Enum):
    """What `data` is in an answer."""

    RECORD = "record"
    RECORD_OR_NULL = "record or null"
    PAGE = "page"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Page:
    """One page of a list, rendered."""

    data: list[dict[str, Any]]
    next_cursor: str | None
    limit: int


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path. `run` returns the rendered record, a Page, or None.

    `forbids` raises ForbiddenError for what the role may not do to this one record. `fields` are those of the
    body; `ignores` names filters that have no effect for this caller.
    """

    name: str
    summary: str
    method: str
    path: str
    roles: frozenset[Role]
    run: Callable[[RequestContext], Any]
    record: str
    shape: Shape = Shape.RECORD
    status: int = 200
    fields: Sequence[Field] | None = None
    listing: Listing | None = None
    forbids: Callable[[RequestContext], None] | None = None
    ignores: Callable[[AuthContext], Sequence[str]] = lambda _: ()

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def creates(self) -> bool:
        """Whether absent fields take their defaults."""
        return self.status == 201

    @property
    def roles_in_order(self) -> list[Role]:
        """The roles that may call this, from maximum to minimum power."""
        return [role for role in Role if role in self.roles]
