"""Machines of a test's own, and cables between them that can be cut: Linux network namespaces.

A namespace here has no name. It is held by this process and by what runs in it, and is gone with them, however the
test ends.
"""

import ctypes
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

NETWORK = "10.77.0.0/16"
_NEW_NETWORK = 0x40000000
_NOBODY = "02:00:00:00:00:01"
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class _End:
    """One end of a cable: the machine it is plugged into, and the address it has there."""

    machine: str
    device: str
    address: str


class Machines:
    """Machines, by their names, and the cables between them."""

    def __init__(self) -> None:
        self._networks: dict[str, int] = {}
        self._cables: dict[frozenset[str], tuple[_End, _End]] = {}

    def close(self) -> None:
        """Let go of them."""
        for network in self._networks.values():
            os.close(network)

    def add(self, machine: str) -> None:
        """Set a machine up that is connected to nothing but itself. Raises OSError where this user may not."""
        with _coming_back():
            _checked(_libc.unshare(_NEW_NETWORK))
            self._networks[machine] = _own_network()
            _ip("link", "set", "lo", "up")

    def connect(self, one: str, other: str) -> None:
        """Lay a cable."""
        net = f"10.77.{len(self._cables) + 1}"
        ends = _End(one, f"to-{other}"[:15], f"{net}.1"), _End(other, f"to-{one}"[:15], f"{net}.2")
        far = f"/proc/{os.getpid()}/fd/{self._networks[other]}"
        with self.inside(one):
            _ip("link", "add", ends[0].device, "type", "veth", "peer", "name", ends[1].device, "netns", far)
        for end in ends:
            with self.inside(end.machine):
                _ip("address", "add", f"{end.address}/24", "dev", end.device)
                _ip("link", "set", end.device, "up")
        self._cables[frozenset((one, other))] = ends

    def address(self, machine: str, *, seen_from: str) -> str:
        """Where `seen_from` finds `machine`."""
        return next(end.address for end in self._cables[frozenset((machine, seen_from))] if end.machine == machine)

    @contextmanager
    def inside(self, machine: str) -> Iterator[None]:
        """Be on `machine`: sockets that this thread opens, and programs and threads that it starts, belong there."""
        with _coming_back():
            _enter(self._networks[machine])
            yield

    @contextmanager
    def cut(self, one: str, other: str, *, forgets: bool = False) -> Iterator[None]:
        """Let nothing arrive at the other end, without either end being told; a cable that was pulled says so.

        Where it `forgets`, as a firewall does, only what connects anew gets through again, and nobody is told that
        either: `one` has another address by then.
        """
        ends = self._cables[frozenset((one, other))]
        for end, far in zip(ends, reversed(ends), strict=True):
            with self.inside(end.machine):
                _ip("neigh", "replace", far.address, "lladdr", _NOBODY, "dev", end.device, "nud", "permanent")
        try:
            yield
        finally:
            for end, far in zip(ends, reversed(ends), strict=True):
                with self.inside(end.machine):
                    _ip("neigh", "del", far.address, "dev", end.device)
            if forgets:
                self._renumber(one, other)

    def _renumber(self, machine: str, other: str) -> None:
        old, far = sorted(self._cables[frozenset((machine, other))], key=lambda end: end.machine != machine)
        net, _, place = old.address.rpartition(".")
        new = replace(old, address=f"{net}.{int(place) + 2}")
        with self.inside(machine):
            _ip("address", "del", f"{old.address}/24", "dev", old.device)
            _ip("address", "add", f"{new.address}/24", "dev", new.device)
        self._cables[frozenset((machine, other))] = (new, far)


def why_not() -> str:
    """Why this user cannot have machines here; empty where they can."""
    found: list[str] = []

    def attempt() -> None:
        machines = Machines()
        try:
            machines.add("one")
            machines.add("other")
            machines.connect("one", "other")
        except (OSError, AssertionError) as error:
            found.append(f"Network namespaces cannot be made here: {error}")
        finally:
            machines.close()

    # On a thread of its own, which keeps nothing from whoever asks.
    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return found[0] if found else ""


@contextmanager
def _coming_back() -> Iterator[None]:
    """Be on the same machine behind the block as in front of it."""
    before = _own_network()
    try:
        yield
    finally:
        _enter(before)
        os.close(before)


def _enter(network: int) -> None:
    _checked(_libc.setns(network, _NEW_NETWORK))


def _own_network() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr.strip()}"
