"""Which rows of which tables belong to a workspace: found by following the models, so that new ones are found too."""

import functools
from collections import deque
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.db.models import CharField, ForeignKey, Model, Q

from hoursmith_console.sandbox.models import Organization

# What belongs to nobody or to whoever signs in: names of models, each with the reason.
NOBODYS = {
    "auth.Permission": "Django's own; nothing asks for one",
    "auth.Group": "Django's own; there is none",
    "contenttypes.ContentType": "Django's own",
    "sessions.Session": "a browser's",
    "socialaccount.SocialApp": "the providers stand in the settings",
    "mcpbridge.SigningKey": "the installation's",
    "accounts.SharedCount": "counts of all workers",
    "tokens.ClaimAttempt": "counts of all workers; no page shows them",
    "sandbox.RateCounter": "Hoursmith's",
    "sandbox.Person": "Hoursmith's",
}
# Come and go with each request of whoever makes it.
FLEETING = {"sessions.Session", "accounts.ConsoleSession", "accounts.SharedCount", "sandbox.RateCounter"}
# Names a prefix that need not be one's own: what a person found somewhere, and what somebody tried to use.
NAMED_FREELY = {"leaked_tokens.LeakReport", "mcpbridge.RejectedCredential"}


@functools.cache
def models() -> list[type[Model]]:
    """Return every model with a table of its own."""
    return [model for model in apps.get_models() if model._meta.managed]


@functools.cache
def org_path(model: type[Model]) -> str | None:
    """Return the lookup that leads from `model` to the id of its workspace, the shortest there is."""
    waiting: deque[tuple[type[Model], str]] = deque([(model, "")])
    while waiting:
        at, path = waiting.popleft()
        if at is Organization:
            return f"{path}id"
        if at is User:
            return f"{path}memberships__workspace__org_id"
        columns = at._meta.concrete_fields
        if any(column.name == "org_id" for column in columns):
            return f"{path}org_id"
        waiting.extend(
            (column.related_model, f"{path}{column.name}__")
            for column in columns
            if isinstance(column, ForeignKey) and not column.null and path.count("__") < 4
        )
    return None


def prefix_columns(model: type[Model]) -> list[str]:
    """Return the columns of `model` in which the prefix of a token stands."""
    columns = [column for column in model._meta.concrete_fields if isinstance(column, CharField)]
    return [column.name for column in columns if column.name == "prefix" or column.name.endswith("_prefix")]


def rows_of(
    org_id: str, prefixes: Iterable[str], but: Iterable[User], among: Iterable[type[Model]]
) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of the workspace, by the name of their model `among` these; accounts of `but` are left out."""
    found = {}
    shared = [user.pk for user in but]
    for model in among:
        label, path = model._meta.label, org_path(model)
        if path is None and label not in NOBODYS and not prefix_columns(model):
            raise AssertionError(f"Say in `NOBODYS` whose {label} is, or let a column lead to its workspace.")
        if label in NOBODYS or label in FLEETING:
            continue
        rows = model._default_manager.filter(Q(**{path: org_id}) if path else Q(prefix__in=list(prefixes)))
        if path and "memberships" in path:
            rows = rows.exclude(**{f"{path.partition('memberships')[0]}id__in": shared})
        found[label] = sorted(rows.distinct().values_list(), key=repr)
    return found


def strangers_with(org_id: str, prefixes: Iterable[str], among: Iterable[type[Model]]) -> dict[str, list[Any]]:
    """Return the keys of rows of other workspaces, of models `among` these, that name a token of this one."""
    found = {}
    for model in among:
        path = org_path(model)
        if path is None or model._meta.label in NAMED_FREELY:
            continue
        for column in prefix_columns(model):
            rows = model._default_manager.filter(**{f"{column}__in": list(prefixes)}).exclude(**{path: org_id})
            if keys := list(rows.values_list("pk", flat=True)):
                found[f"{model._meta.label}.{column}"] = keys
    return found
