"""What the usual variables ask for, and what they cannot have."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from mcpbridge.observability.telemetry import config
from mcpbridge.observability.telemetry.config import wants_traces
from tests.paths import ROOT

HERE = "http://localhost:4318"


@pytest.mark.parametrize(
    ("environment", "is_wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "console", "OTEL_TRACES_SAMPLER": "always_on"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{HERE}/v1/metrics", "OTEL_METRICS_EXPORTER": "otlp"}, False),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{HERE}/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_PROPAGATORS": "none"}, True),
    ],
)
def test_traces_are_sent_where_they_are_asked_for(environment: dict[str, str], is_wanted: bool) -> None:
    assert wants_traces(environment) is is_wanted


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"OTEL_TRACES_EXPORTER": "console"}, "OTEL_TRACES_EXPORTER is 'console'; it can be otlp or none"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT must be an http:// or https"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "only http/protobuf is spoken"),
        ({"OTEL_PROPAGATORS": "tracecontext,b3"}, "OTEL_PROPAGATORS has 'b3'"),
    ],
)
def test_what_cannot_be_had_is_named(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        wants_traces(environment)


def test_without_its_packages_the_start_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_PACKAGES", ("opentelemetry.nobody_has_installed.this",))
    assert not wants_traces({})
    with pytest.raises(ImproperlyConfigured, match="not installed: run `make telemetry`"):
        wants_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE})


_LOADED = """
import sys
from hoursmith_console.asgi import application
application._telemetry.start()
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "google."))])
"""


@pytest.mark.parametrize("is_wanted", [False, True])
def test_the_sdk_is_loaded_only_where_it_is_wanted(tmp_path, is_wanted: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_SDK_DISABLED": "false" if is_wanted else "true"}
    done = subprocess.run(
        [sys.executable, "-c", _LOADED],
        env={
            **environment,
            **asked,
            "DJANGO_SETTINGS_MODULE": "hoursmith_console.settings",
            "VAR_DIR": str(tmp_path),
            "SECRET_KEY": "x",
            "AUDIT_SIGNING_KEY": "x",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout.strip() != "[]") is is_wanted
