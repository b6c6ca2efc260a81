"""A prefix is public: what anybody can send with it is no evidence, on no page, and a digest is seen nowhere."""

import ast
import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from hoursmith_console.rotations.models import Rotation
from mcpbridge.core.token_digest import token_digests
from mcpbridge.models import ObservedToken
from tests.hoursmith_console.records import make_refusal
from tests.page_urls import console_routes
from tests.paths import ROOT
from tests.security.conftest import Browse, World, content_of
from tests.token_shapes import assembled_token

pytestmark = pytest.mark.django_db(databases="__all__")
FORGED = "Forged Assistant"


def pages(world: World, trusted: Browse) -> Iterator[tuple[str, str, str]]:
    """Every page that the owner and a member are shown: its route, who asks, and what it holds."""
    for person in ("owner", "member"):
        visitor = trusted(person)
        for route in console_routes():
            answer = visitor.get(world.address(route))
            if answer.status_code == 200:
                yield route, person, content_of(answer).decode(errors="replace")


def test_no_page_shows_a_forged_assistant_as_one_or_a_digest(hostile: World, trusted: Browse) -> None:
    """A request with a known prefix shows up as that of no assistant; what tells tokens apart is in no text."""
    slug = hostile.keys["connections/"]
    Rotation.objects.update(revoked_at=timezone.now() - timedelta(hours=1))
    for token in ObservedToken.objects.all():
        make_refusal(token, client_name=FORGED, connection=slug, matches_token=False)
    digest = token_digests(assembled_token())[0]
    ObservedToken.objects.update(token_digest=digest)
    walked = list(pages(hostile, trusted))
    shown = {route for route, _, text in walked if FORGED in text}
    assert {route for route in shown if "tokens" not in route and "troubleshoot" not in route} == set()
    (token_page,) = {
        text for route, person, text in walked if person == "owner" and FORGED in text and route.startswith("tokens/")
    }
    assert "prefix only" in token_page.partition(FORGED)[2][:300]
    answers = [trusted("owner").post("/audit/export/", {"format": form}) for form in ("jsonl", "csv", "ocsf", "cef")]
    texts = [text for _, _, text in walked] + [content_of(answer).decode() for answer in answers]
    assert len(texts) > 30
    for spelling in {digest.hex(), digest.hex().upper(), base64.b64encode(digest).decode(), repr(digest)[2:-1]}:
        assert not [text for text in texts if spelling in text]


def test_every_question_about_rejected_requests_says_whether_they_carried_the_token() -> None:
    found = 0
    for path in sorted((Path(ROOT) / "hoursmith_console").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            source = ast.unparse(function)
            if "RejectedCredential.objects" not in source:
                continue
            found += 1
            # Troubleshooting lists all requests at an address, most of which have no token.
            assert "matches_token" in source or path.parent.name == "diagnostics", f"{path.name}: {function.name}"
    assert found >= 7
