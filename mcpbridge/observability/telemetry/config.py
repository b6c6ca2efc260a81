"""Read whether the usual environment variables ask for traces. Loads nothing of OpenTelemetry.

Source: OpenTelemetry specification, environment variables for the SDK and for the OTLP exporter.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

_EXPORTERS = ("otlp", "none")
_PROTOCOL = "http/protobuf"
_PROPAGATORS = frozenset({"tracecontext", "baggage", "none"})
_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def wants_traces(environment: Mapping[str, str]) -> bool:
    """Return whether `environment` names an endpoint for traces or for all signals, or `otlp` as their exporter.

    Raises ImproperlyConfigured, naming the variable, where it asks for what cannot be had. Variables about metrics and
    logs are ignored.
    """
    # A dependency reads this variable even if nothing is sent.
    if unknown := set(_listed(environment, "OTEL_PROPAGATORS")) - _PROPAGATORS:
        raise ImproperlyConfigured(f"OTEL_PROPAGATORS has {min(unknown)!r}; it can be tracecontext, baggage or none.")
    if _said(environment, "OTEL_SDK_DISABLED") == "true":
        return False
    is_wanted = _is_wanted(environment)
    if is_wanted and not all(map(_is_installed, _PACKAGES)):
        raise ImproperlyConfigured(
            "OTEL_ variables ask for traces, but what sends it is not installed: "
            "run `make telemetry`, or pip install --require-hashes -r requirements-telemetry.lock."
        )
    return is_wanted


def _is_wanted(environment: Mapping[str, str]) -> bool:
    exporter = _said(environment, "OTEL_TRACES_EXPORTER")
    if exporter and exporter not in _EXPORTERS:
        raise ImproperlyConfigured(f"OTEL_TRACES_EXPORTER is {exporter!r}; it can be {' or '.join(_EXPORTERS)}.")
    names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    endpoint = next((name for name in names if environment.get(name)), "")
    if exporter == "none" or not (exporter or endpoint):
        return False
    if endpoint:
        _check_address(endpoint, environment[endpoint])
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if protocol := _said(environment, name):
            if protocol != _PROTOCOL:
                raise ImproperlyConfigured(f"{name} is {protocol!r}; only {_PROTOCOL} is spoken here.")
            break
    return True


def _check_address(name: str, text: str) -> None:
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        # Not repeated: it may hold a password.
        raise ImproperlyConfigured(f"{name} must be an http:// or https:// address, such as http://localhost:4318.")


def _said(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name, "").strip().lower()


def _listed(environment: Mapping[str, str], name: str) -> list[str]:
    return [each.strip() for each in environment.get(name, "").split(",") if each.strip()]


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False
