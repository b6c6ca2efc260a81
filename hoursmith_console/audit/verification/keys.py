"""The public keys behind the checkpoints, for whoever verifies an export. There is nothing secret about them."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from mcpbridge.audit.keyring import published_keys


@require_safe
@cache_control(public=True, max_age=60)
def key(request: HttpRequest) -> JsonResponse:
    """All keys that ever signed, each with its announcement by the one before, and the id of the last one."""
    return JsonResponse(published_keys(), json_dumps_params={"indent": 1})
