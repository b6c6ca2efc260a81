"""What the usual variables ask for, and what they cannot have."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from mcpbridge.telemetry import wanted
from mcpbridge.telemetry.wanted import Signals, signals_wanted
from tests.places import ROOT

HERE = "http://localhost:4318"
NOTHING = Signals(traces=False, metrics=False)
BOTH = Signals(traces=True, metrics=True)


@pytest.mark.parametrize(
    ("environment", "signals"),
    [
        ({}, NOTHING),
        ({"OTEL_SERVICE_NAME": "console", "OTEL_TRACES_SAMPLER": "always_on"}, NOTHING),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE}, BOTH),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_SDK_DISABLED": "TRUE"}, NOTHING),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_METRICS_EXPORTER": "none"}, Signals(traces=True)),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{HERE}/v1/metrics"}, Signals(metrics=True)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, Signals(traces=True)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, BOTH),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_PROPAGATORS": "none"}, BOTH),
    ],
)
def test_signals_are_sent_where_somebody_asks_for_them(environment: dict[str, str], signals: Signals) -> None:
    assert signals_wanted(environment) == signals


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
        signals_wanted(environment)


def test_without_its_packages_the_start_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted, "_PACKAGES", ("opentelemetry.nobody_has_installed.this",))
    assert signals_wanted({}) == NOTHING
    with pytest.raises(ImproperlyConfigured, match="not installed: run `make telemetry`"):
        signals_wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE})


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
