"""Publish the public keys that sign checkpoints, for verifiers of exports. They are not secret."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from mcpbridge.audit.keyring import published_keys


@require_safe
@cache_control(public=True, max_age=60)
def key(request: HttpRequest) -> JsonResponse:
    """Return every signing key with its announcement by the previous one, and the id of the latest."""
    return JsonResponse(published_keys(), json_dumps_params={"indent": 1})
