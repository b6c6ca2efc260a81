"""Base class of the API's resources: list, show, create, change, archive and delete.

A resource module declares its fields, list and roles, and adds its own rules: `visible` for visibility, `check` for
conditions between fields (422), `guard_*` for conditions on the record's state (409).
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
    """A kind of record. `noun` is its singular name, `path` the path of its list."""

    noun: ClassVar[str]
    plural: ClassVar[str]
    path: ClassVar[str]
    schema: ClassVar[str]
    model: type[Row]
    fields: ClassVar[Sequence[Field]]
    listing: ClassVar[Listing]
    readers: ClassVar[frozenset[Role]] = STAFF
    writers: ClassVar[frozenset[Role]] = STAFF

    # visibility

    def visible(self, auth: AuthContext) -> QuerySet[Row]:
        """Return the records visible to the caller, including archived ones."""
        return self.model._default_manager.filter(org_id=auth.org_id)

    def listed(self, auth: AuthContext, query: ListQuery) -> QuerySet[Row]:
        """Return the records of a list, without archived ones."""
        return self.visible(auth).filter(deleted_at__isnull=True)

    def find(self, context: RequestContext, *, lock: bool = False) -> Row:
        """Return the record in the path. Raises NotFoundError if the caller may not see it."""
        rows = self.visible(context.auth)
        if lock:
            rows = rows.select_for_update(of=("self",))
        row = rows.filter(pk=context.record_id).first()
        if row is None:
            raise NotFoundError
        return row

    def render(self, row: Row, auth: AuthContext) -> dict[str, Any]:
        """Return `row` with the fields that the caller may see."""
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

    # hooks for resources

    def with_related(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """Return `rows` with the related rows that `render` needs, in a fixed number of queries."""
        return rows

    def assign(self, row: Row, context: RequestContext) -> None:
        """Set the body's values on `row`."""
        for attr, value in context.values.items():
            setattr(row, attr, value)

    def check(self, row: Row, context: RequestContext, faults: dict[str, str]) -> None:
        """Add invalid combinations and references of fields to `faults`."""

    def guard_change(self, row: Row, context: RequestContext) -> None:
        """Raise ConflictError if the state of `row` forbids the change."""

    def guard_delete(self, row: Row) -> None:
        """Raise ConflictError if the state of `row` forbids deleting it."""

    def stored(self, row: Row, context: RequestContext) -> None:
        """Run after `row` was saved, in the same transaction."""

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
