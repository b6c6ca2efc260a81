"""What all resources of the API have in common: find, list, show, create, change, archive, delete.

A resource module declares its fields, its list and who may do what, and adds the rules of its own: `visible`
for sight, `check` for what the fields must be together (422), `guard_*` for what a record's state forbids (409).
"""

import uuid
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from django.db.models import QuerySet

from hoursmith_console.sandbox.api.auth_context import STAFF, AuthContext
from hoursmith_console.sandbox.api.errors import NotFoundError, ValidationFaultError
from hoursmith_console.sandbox.api.fields import Field
from hoursmith_console.sandbox.api.lists import Listing, ListQuery, page
from hoursmith_console.sandbox.api.operations import Operation, Page, RequestContext, Shape
from hoursmith_console.sandbox.models import Role
from hoursmith_console.sandbox.models.records import Record

Row = TypeVar("Row", bound=Record)


class Resource(Generic[Row]):
    """One kind of record. `noun` names one of them, `path` all of them."""

    noun: ClassVar[str]
    plural: ClassVar[str]
    path: ClassVar[str]
    schema: ClassVar[str]
    model: type[Row]
    fields: ClassVar[Sequence[Field]]
    listing: ClassVar[Listing]
    readers: ClassVar[frozenset[Role]] = STAFF
    writers: ClassVar[frozenset[Role]] = STAFF

    # sight

    def visible(self, auth: AuthContext) -> QuerySet[Row]:
        """The records that exist for `auth`, archived ones among them."""
        return self.model._default_manager.filter(org_id=auth.org_id)

    def listed(self, auth: AuthContext, query: ListQuery) -> QuerySet[Row]:
        """The records that a list begins with: archived ones are left out."""
        return self.visible(auth).filter(deleted_at__isnull=True)

    def find(self, context: RequestContext, *, lock: bool = False) -> Row:
        """The record in the path; raises NotFoundError outside the caller's sight."""
        rows = self.visible(context.auth)
        if lock:
            rows = rows.select_for_update(of=("self",))
        row = rows.filter(pk=context.record_id).first()
        if row is None:
            raise NotFoundError
        return row

    def render(self, row: Row, auth: AuthContext) -> dict[str, Any]:
        """`row` as `auth` may see it."""
        return {
            field.name: field.render(row)
            for field in self.fields
            if not field.write_only and not (field.hidden_from_members and auth.is_limited)
        }

    # operations

    def list(self, context: RequestContext) -> Page:
        rows = self.with_related(self.listed(context.auth, context.query))
        found, cursor = page(rows, self.listing, context.query)
        return Page([self.render(row, context.auth) for row in found], cursor, context.query.limit)

    def get(self, context: RequestContext) -> dict[str, Any]:
        return self.render(self.find(context), context.auth)

    def create(self, context: RequestContext) -> dict[str, Any]:
        row = self.model(id=uuid.uuid4(), org_id=context.auth.org_id, created_at=context.now)
        self._store(row, context, creating=True)
        return self.render(row, context.auth)

    def change(self, context: RequestContext) -> dict[str, Any]:
        row = self.find(context, lock=True)
        self._store(row, context, creating=False)
        return self.render(row, context.auth)

    def delete(self, context: RequestContext) -> None:
        row = self.find(context, lock=True)
        self.guard_delete(row)
        row.deleted_at = context.now
        row.save(update_fields=["deleted_at"])

    def _store(self, row: Row, context: RequestContext, *, creating: bool) -> None:
        faults: dict[str, str] = {}
        self.assign(row, context)
        self.check(row, context, faults)
        if faults:
            raise ValidationFaultError(faults)
        self.guard_change(row, context)
        row.updated_at = context.now
        row.save(force_insert=creating)
        self.stored(row, context)

    # what a resource adds

    def with_related(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """`rows` with what `render` needs of other tables, in a fixed number of queries."""
        return rows

    def assign(self, row: Row, context: RequestContext) -> None:
        """Put what the body sets onto `row`."""
        for attr, value in context.values.items():
            setattr(row, attr, value)

    def check(self, row: Row, context: RequestContext, faults: dict[str, str]) -> None:
        """Add to `faults` what the fields must not be together, or must not refer to."""

    def guard_change(self, row: Row, context: RequestContext) -> None:
        """Raise ConflictError where the state of `row` forbids to change it so."""

    def guard_delete(self, row: Row) -> None:
        """Raise ConflictError where the state of `row` forbids to delete it."""

    def stored(self, row: Row, context: RequestContext) -> None:
        """Carry on after `row` was saved, in the same transaction."""

    # declarations

    def list_operation(self, **more: Any) -> Operation:
        return Operation(
            name=f"list_{self.plural}",
            summary=f"List {self.plural.replace('_', ' ')}, one page at a time.",
            method="GET",
            path=self.path,
            roles=self.readers,
            run=self.list,
            record=self.schema,
            shape=Shape.PAGE,
            listing=self.listing,
            **more,
        )

    def get_operation(self) -> Operation:
        return self._on_one("get", "Show", "GET", self.readers, self.get)

    def create_operation(self, **more: Any) -> Operation:
        return Operation(
            name=f"create_{self.noun}",
            summary=f"Create {self._article}.",
            method="POST",
            path=self.path,
            roles=self.writers,
            run=self.create,
            record=self.schema,
            status=201,
            fields=self.fields,
            **more,
        )

    def change_operation(self, **more: Any) -> Operation:
        return self._on_one(
            "update", "Change", "PATCH", more.pop("roles", self.writers), self.change, fields=self.fields, **more
        )

    def delete_operation(self, **more: Any) -> Operation:
        return self._on_one(
            "delete", "Delete", "DELETE", self.writers, self.delete, status=204, shape=Shape.NOTHING, **more
        )

    def archive_operation(self, run: Any) -> Operation:
        return self._on_one("archive", "Archive", "POST", self.writers, run, suffix="/archive", fields=())

    def _on_one(
        self, verb: str, word: str, method: str, roles: frozenset[Role], run: Any, suffix: str = "", **more: Any
    ) -> Operation:
        return Operation(
            name=f"{verb}_{self.noun}",
            summary=f"{word} {self._article}.",
            method=method,
            path=f"{self.path}/{{id}}{suffix}",
            roles=roles,
            run=run,
            record=self.schema,
            **more,
        )

    @property
    def _article(self) -> str:
        words = self.noun.replace("_", " ")
        return f"an {words}" if words[0] in "aeiou" else f"a {words}"
