"""Declaration of an endpoint: roles, parameters, response and function."""

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
    """A request that passed all checks that need no record.

    `values` are the body's values, by attribute; `query` is the list request where the operation is a list.
    """

    auth: AuthContext
    now: datetime
    segment: str
    values: dict[str, Any] = field(default_factory=dict)
    query: ListQuery = EVERYTHING

    @property
    def record_id(self) -> uuid.UUID:
        """Return the id in the path. Raises NotFoundError if it is not a UUID."""
        try:
            return ID.parse(self.segment)
        except InvalidValueError:
            raise NotFoundError from None


class Shape(Enum):
    """Kind of `data` in a response."""

    RECORD = "record"
    RECORD_OR_NULL = "record or null"
    PAGE = "page"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Page:
    """A rendered page of a list."""

    data: list[dict[str, Any]]
    next_cursor: str | None
    limit: int


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path. `run` returns the rendered record, a Page, or None.

    `forbids` raises ForbiddenError if the role may not change this record. `fields` are the fields of the
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
        """Return whether absent fields take their defaults."""
        return self.status == 201

    @property
    def roles_in_order(self) -> list[Role]:
        """The roles that may call this, from maximum to minimum power."""
        return [role for role in Role if role in self.roles]
