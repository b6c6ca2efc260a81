"""What is fuzzed: each target takes any bytes, and fails where a promise is broken.

`{TOKEN}` in the bytes becomes a whole token, so that a file of seeds holds none.
"""

import asyncio
import functools
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import httpx
from django.test import RequestFactory

from hoursmith_console.leaked_tokens.services import AT_MOST, parse_token_prefixes
from hoursmith_console.oauth.client_authentication import authenticated_client, form_of
from hoursmith_console.oauth.responses import OAuthError
from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.audit.export.csv import protected
from mcpbridge.audit.writer import AuditWriter
from mcpbridge.auth.credentials import credential_from_headers
from mcpbridge.auth.identity import IdentityCache
from mcpbridge.auth.rejected_tokens import RejectedTokens
from mcpbridge.auth.restrictions.store import Restrictions
from mcpbridge.calls.approvals.gate import ApprovalGate
from mcpbridge.calls.service import ToolCallService
from mcpbridge.core.credential import Credential, CredentialError, CredentialErrorCode
from mcpbridge.core.networks import parse_networks
from mcpbridge.grants.envelopes import Kind, unseal
from mcpbridge.grants.known_clients import known_by_redirect
from mcpbridge.grants.redirects import is_acceptable, is_loopback
from mcpbridge.grants.registration import read_registration
from mcpbridge.grants.requests import InvalidRequestError, RefusedRequestError, check_request
from mcpbridge.http.addresses import AllowedHosts, client_address
from mcpbridge.http.endpoint import McpHttpApp
from mcpbridge.protocol.client_info import ClientInfo, client_from_session_id, client_from_user_agent
from mcpbridge.protocol.server import HoursmithTools, build_server, context_from
from mcpbridge.redaction.masking import redact
from mcpbridge.secret_scan.patterns import is_suspect, secrets_in
from mcpbridge.upstream import Upstream
from tests.fuzz.logs import Disagreement, check_evidence, check_export
from tests.mcpbridge.fixtures import hoursmith
from tests.token_shapes import assembled_token

SECRET = "Zx9Kq2mW7vB4nT6yR8cL1sD3fG5hJ0pA"
TOKEN = assembled_token(secret=SECRET)
STATUSES = {200, 202, 400, 401, 403, 404, 405, 406, 408, 413, 415, 421, 429}
PROXIES = parse_networks(["10.0.0.0/8", "fd00::/8"])
AUDIENCE = AllowedHosts(["localhost", ".example.com", "[::1]"])


class Broken(Exception):
    """A promise that does not hold for these bytes."""


def promise(holds: object, what: str) -> None:
    """Raise Broken unless `holds`: an assertion that optimising does not take away."""
    if not holds:
        raise Broken(what)


def credentials(data: bytes) -> None:
    """Any header lines are one credential or one named fault, which repeats nothing."""
    lines = _with_token(data).split(b"\n")
    try:
        found = credential_from_headers([] if lines == [b""] else lines)
    except CredentialError as fault:
        promise(fault.code in CredentialErrorCode, "the fault has a name")
        promise(
            not fault.token.prefix or (len(fault.token.prefix) == 12 and fault.token.env in ("live", "test")),
            "a prefix is whole",
        )
        promise(SECRET not in f"{fault!r} {fault.explanation}", "a fault repeats nothing")
        return
    promise(isinstance(found, Credential) and found.token.encode() in lines[0], "a credential is what was sent")
    promise(found.secret not in repr(found), "a credential does not show itself")


def entry(data: bytes) -> None:
    """Any request gets one answer of a known status, which is JSON-RPC and holds no secret."""
    start, end = _exchange(data)
    status, answer = start["status"], bytes(end["body"])
    promise(status in STATUSES, f"status {status} is known")
    promise(SECRET.encode() not in answer + repr(start["headers"]).encode(), "no answer holds a secret")
    promise(not any(b"\n" in value or b"\r" in value for _, value in start["headers"]), "a header is one line")
    if answer:
        said = json.loads(answer)
        for each in said if isinstance(said, list) else [said]:
            promise(each["jsonrpc"] == "2.0" and ("result" in each) != ("error" in each), "an answer is JSON-RPC")
    else:
        promise(status == 202, "only a notification has no answer")


def answer_of(data: bytes) -> Any:
    """What the JSON of the answer to a request says."""
    return json.loads(_exchange(data)[1]["body"])


def addresses(data: bytes) -> None:
    """Where a request comes from is an address or the peer, and whose host it is for is decided without a fault."""
    text = data.decode("latin-1")
    lines = text.split("\n")
    for peer in ("10.0.0.1", "203.0.113.9", None):
        found = client_address(peer, lines, PROXIES)
        promise(len(found) <= 64, "an address is short")
        promise(peer == "10.0.0.1" or found == (peer or ""), "a stranger is not believed")
    for line in lines:
        if AUDIENCE.allows_host(line):
            host = line.lower().rpartition(":")[0] if ":" in line and not line.endswith("]") else line.lower()
            host = host.rstrip(".")
            promise(host in ("localhost", "example.com", "[::1]") or host.endswith(".example.com"), "a host of ours")
        AUDIENCE.allows_origin(line)


def labels(data: bytes) -> None:
    """What clients call themselves is one printable line without a secret; a session id that is not ours is nobody."""
    text = _with_token(data).decode("latin-1")
    found = client_from_user_agent(text)
    promise(len(found.name) <= 120 and len(found.version) <= 60, "a label is short")
    promise(found.name.isprintable() and found.version.isprintable(), "a label is one line")
    promise(SECRET not in f"{found}", "a label holds no secret")
    promise(client_from_session_id(text) == ClientInfo(), "a forged session id names nobody")
    parts = parse_token_prefixes(text.split("\n"))
    promise(len(parts) <= AT_MOST and SECRET not in repr(parts), "the leak desk takes public parts alone")


def exports(data: bytes) -> None:
    """Masking leaves no secret and no formula, and the sweep sees at first sight what it would find."""
    raw = _with_token(data)
    text = raw.decode("utf-8", "replace")
    promise(SECRET not in redact(text), "masking masks")
    promise(redact(redact(text)) == redact(text), "masking twice is masking once")
    promise(not protected(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n")), "no cell is a formula")
    promise(not list(secrets_in(raw)) or is_suspect(raw), "what is found is suspected")
    promise(SECRET not in repr(list(secrets_in(raw))), "the sweep prints no secret")


def logs(data: bytes) -> None:
    """Both verifiers say the same of any export, and accept no row that is not in the log."""
    try:
        check_export(data)
    except Disagreement as error:
        raise Broken(str(error)) from error


def evidence(data: bytes) -> None:
    """Both verifiers say the same of any evidence, and accept no row that is not in the log."""
    try:
        check_evidence(data)
    except Disagreement as error:
        raise Broken(str(error)) from error


def sign_in(data: bytes) -> None:
    """Any form of an assistant is checked or refused with a named error; no text is an envelope or a client of ours."""
    lines = _with_token(data).decode("latin-1").split("\n")
    for line in lines:
        promise(all(unseal(kind, line) is None for kind in Kind), "what we did not seal is no envelope")
        promise(read_registration(line) is None, "what we did not sign is no client")
        promise(not is_acceptable(line) or is_loopback(line) or known_by_redirect(line), "a redirect is known")
        try:
            check_request(parse_qs(line, keep_blank_values=True))
        except (InvalidRequestError, RefusedRequestError) as refused:
            promise(SECRET not in str(refused), "a refusal repeats nothing")
    request = RequestFactory().post(
        "/token", data, content_type="application/x-www-form-urlencoded", headers={"authorization": lines[0]}
    )
    try:
        authenticated_client(request, form_of(request))
    except OAuthError as refused:
        promise(refused.status in (400, 401, 413) and SECRET not in str(refused), "a refusal repeats nothing")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "credentials": credentials,
    "entry": entry,
    "addresses": addresses,
    "labels": labels,
    "exports": exports,
    "logs": logs,
    "evidence": evidence,
    "sign_in": sign_in,
}


def _exchange(data: bytes) -> list[Mapping[str, Any]]:
    head, _, body = _with_token(data).partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, path = first.decode("latin-1").partition(" ")
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    sent = _loop().run_until_complete(_answer(method or "POST", path or "/mcp", headers, body))
    promise([message["type"] for message in sent] == ["http.response.start", "http.response.body"], "one answer")
    return sent


def _with_token(data: bytes) -> bytes:
    return data.replace(b"{TOKEN}", TOKEN.encode())


class _NoRestrictions:
    """Nothing is blocked and nothing frozen."""

    def __init__(self) -> None:
        self._restrictions = Restrictions()

    def now(self) -> Restrictions:
        return self._restrictions


async def _answer(method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> list[Mapping[str, Any]]:
    sent: list[Mapping[str, Any]] = []
    pieces = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Mapping[str, Any]:
        return pieces.pop() if pieces else {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": headers, "client": ("203.0.113.9", 1)}
    await _entry()(scope, receive, send)
    return sent


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@functools.cache
def _entry() -> McpHttpApp:
    """The bridge's door in front of a Hoursmith that knows one token, and with nothing behind it that writes."""
    logging.disable(logging.CRITICAL)
    upstream = Upstream("https://hoursmith.example/api/v1", timeout_s=2, transport=httpx.MockTransport(_hoursmith))
    identities = IdentityCache(upstream, RejectedTokens(None), was_accepted=_never, ttl_s=30)
    activity, restrictions = ActivityRecorder(), _NoRestrictions()
    calls = ToolCallService(
        upstream=upstream,
        identities=identities,
        audit=AuditWriter(timeout_s=1, lock_path=None),
        activity=activity,
        restrictions=restrictions,  # type: ignore[arg-type]
        approvals=ApprovalGate(restrictions, limit_s=1),  # type: ignore[arg-type]
        snapshots=True,
        arguments="full",
    )
    return McpHttpApp(
        server=build_server(HoursmithTools(calls), context_from),
        identities=identities,
        restrictions=restrictions,  # type: ignore[arg-type]
        activity=activity,
        audience=AUDIENCE,
    )


def _hoursmith(request: httpx.Request) -> httpx.Response:
    known = request.headers.get("authorization") == f"Bearer {TOKEN}"
    return hoursmith(request) if known else httpx.Response(401, json={"error": {"code": "unauthenticated"}})


async def _never(credential: Credential) -> bool:
    return False
