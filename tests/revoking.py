"""Revokes tokens at the sandbox, as their owners do on Hoursmith's own page."""

from tests.faults.conftest import prefix_of
from tests.servers import Served

_REVOKE = """
import json
from hoursmith_console.sandbox.models import Token
from hoursmith_console.sandbox.services import revoke_token
owner = Token.objects.select_related("member").get(prefix={prefix!r}).member
who = dict(org_id=str(owner.org_id), user_ref=str(owner.user_id))
print(json.dumps(revoke_token(**who, env="live", prefix={prefix!r})))
"""


def revoke_at_hoursmith(served: Served, token: str) -> None:
    """Revoke `token` as its owner."""
    assert served.shell(_REVOKE.format(prefix=prefix_of(token))) is True
