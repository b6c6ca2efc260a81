#!/usr/bin/python3
"""Start and stop services as systemd would, on a machine in a folder, which systemd cannot boot.

It keeps to what the unit says about user, environment, data folder, file system and umask, and refuses a unit that
says more than it knows. What the service prints goes to /run/units/NAME.log.
"""

import configparser
import os
import pwd
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

_UNITS, _STATE = Path("/etc/systemd/system"), Path("/run/units")
# What matters at other times, or takes from the service what it does not need: `tests/deployment` is about that.
_WITHOUT_EFFECT = {
    "ExecReload",
    "KillMode",
    "Restart",
    "RestartSec",
    "LimitNOFILE",
    "CapabilityBoundingSet",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "PrivateDevices",
    "PrivateUsers",
    "ProcSubset",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "RemoveIPC",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SystemCallArchitectures",
    "SystemCallErrorNumber",
    "SystemCallFilter",
}
_KNOWN = _WITHOUT_EFFECT | {
    "User",
    "Environment",
    "StateDirectory",
    "StateDirectoryMode",
    "ExecStart",
    "TimeoutStopSec",
    "NoNewPrivileges",
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "UMask",
}


def _unit(name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    # Not strict: some directives are given more than once.
    parser.optionxform = str  # type: ignore[assignment,method-assign] # The names of directives are case-sensitive.
    parser.read_string((_UNITS / f"{name}.service").read_text(encoding="utf-8"))
    service = dict(parser["Service"])
    if unknown := set(service) - _KNOWN:
        sys.exit(f"{name}.service: not known here: {', '.join(sorted(unknown))}")
    return service


def _mounts(service: dict[str, str]) -> list[str]:
    """Return the commands that lay out the file system as the service may see it."""
    commands = []
    if folder := service.get("StateDirectory"):
        commands.append(f"mount --bind /var/lib/{folder} /var/lib/{folder}")
    if service.get("PrivateTmp") == "yes":
        commands += [f"mount -t tmpfs -o mode=1777 tmpfs {folder}" for folder in ("/tmp", "/var/tmp")]  # noqa: S108
    if service.get("ProtectHome") == "yes":
        commands += [f"mount -t tmpfs -o ro,mode=000 tmpfs {folder}" for folder in ("/home", "/root")]
    if service.get("ProtectSystem") == "strict":
        commands.append("mount -o remount,bind,ro /")
    return commands


def start(name: str) -> None:
    """Start the service as its user, and return at once."""
    service = _unit(name)
    user = pwd.getpwnam(service["User"])
    if folder := service.get("StateDirectory"):
        path = Path("/var/lib") / folder
        path.mkdir(exist_ok=True)
        os.chown(path, user.pw_uid, user.pw_gid)
        path.chmod(int(service.get("StateDirectoryMode", "0755"), 8))
    _STATE.mkdir(exist_ok=True)
    privileges = ("--no-new-privs",) if service.get("NoNewPrivileges") == "yes" else ()
    variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME": user.pw_dir, "USER": user.pw_name}
    command = (
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", *privileges),
        *("env", "-i", *(f"{key}={value}" for key, value in variables.items())),
        *shlex.split(service.get("Environment", "")),
        *shlex.split(service["ExecStart"]),
    )
    script = "; ".join(
        ["set -e", *_mounts(service), f"umask {service.get('UMask', '0022')}", f"exec {shlex.join(command)}"]
    )
    with (_STATE / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "--propagation=private", "/bin/sh", "-c", script],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (_STATE / f"{name}.pid").write_text(str(process.pid), encoding="ascii")


def _process(name: str) -> Path:
    """Return the folder that is there while the service runs."""
    return Path("/proc") / (_STATE / f"{name}.pid").read_text(encoding="ascii")


def stop(name: str) -> None:
    """End the service as the unit says, and wait for its end."""
    service, process = _unit(name), _process(name)
    os.kill(int(process.name), signal.SIGTERM)
    until = time.monotonic() + float(service.get("TimeoutStopSec", "90"))
    while process.exists():
        if time.monotonic() > until:
            sys.exit(f"{name}.service did not end in time.")
        time.sleep(0.05)


def main(arguments: list[str]) -> None:
    """Do what the manual asks `systemctl` for."""
    if arguments == ["daemon-reload"]:
        return
    name = arguments[-1].removesuffix(".service")
    if arguments[:-1] == ["restart"]:
        stop(name)
    if arguments[:-1] in (["enable", "--now"], ["start"], ["restart"]):
        start(name)
    elif arguments[:-1] == ["stop"]:
        stop(name)
    elif arguments[:-1] == ["status"]:
        sys.stdout.write("running" if _process(name).exists() else "dead")
    else:
        sys.exit(f"Not known here: systemctl {shlex.join(arguments)}")


if __name__ == "__main__":
    main(sys.argv[1:])
