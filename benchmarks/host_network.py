"""Three computers on one: network namespaces in a row, joined by cables that can be cut.

``camera -- network -- robot``: the middle one forwards, as a router would. Each has its own
addresses, host name and shared memory, so that nothing reaches another but by its cable. Needs root
and iproute2.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from types import TracebackType

from rejshand_ros.errors import MissingDependencyError, ProcessError

HOSTS = ("camera", "network", "robot")
ADDRESSES = ("10.77.1.1", "10.77.1.2", "10.77.2.1", "10.77.2.2")
"""Of the ends of both cables, from the camera to the robot."""


def reason_not_possible() -> str:
    """Why this computer cannot play three; empty where it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("ip", "unshare", "nsenter") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not found; iproute2 and util-linux are needed"
    name = f"rejshand-try-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return "this system allows no network namespaces"
    subprocess.run(["ip", "netns", "del", name], check=False)
    return ""


class HostNetwork:
    """The three hosts; a context manager."""

    def __init__(self) -> None:
        """Prepare; nothing is made before the context is entered.

        Raises:
            MissingDependencyError: This computer cannot.
        """
        reason = reason_not_possible()
        if reason:
            raise MissingDependencyError(reason)
        self._spaces = {host: f"rejshand-{host}-{os.getpid()}" for host in HOSTS}
        self._keepers: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> HostNetwork:
        """Make the hosts and lay the cables."""
        try:
            for space in self._spaces.values():
                _ip("netns", "add", space)
                _ip("-n", space, "link", "set", "lo", "up")
            self._cable("camera", "network", ADDRESSES[0], ADDRESSES[1])
            self._cable("network", "robot", ADDRESSES[2], ADDRESSES[3])
            _ip("-n", self._spaces["camera"], "route", "add", "default", "via", ADDRESSES[1])
            _ip("-n", self._spaces["robot"], "route", "add", "default", "via", ADDRESSES[2])
            forward = ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]
            _ip("netns", "exec", self._spaces["network"], *forward)
            for host in HOSTS:
                self._keepers[host] = self._keep(host)
        except BaseException:
            self._remove()
            raise
        return self

    def _cable(self, left: str, right: str, left_address: str, right_address: str) -> None:
        one, other = self._spaces[left], self._spaces[right]
        _ip("link", "add", f"to-{right}", "netns", one, "type", "veth",
            "peer", "name", f"to-{left}", "netns", other)  # fmt: skip
        for space, device, address in (
            (one, f"to-{right}", left_address),
            (other, f"to-{left}", right_address),
        ):
            _ip("-n", space, "address", "add", f"{address}/24", "dev", device)
            _ip("-n", space, "link", "set", device, "up")

    def cut(self, left: str, right: str) -> None:
        """Pull the cable between two neighbours."""
        self._set(left, right, "down")

    def mend(self, left: str, right: str) -> None:
        """Put the cable in again."""
        self._set(left, right, "up")
        # Routes over a cable go when it is cut; a real network's daemon would set them again.
        for host, gateway in (("camera", ADDRESSES[1]), ("robot", ADDRESSES[2])):
            if host in (left, right):
                _ip("-n", self._spaces[host], "route", "replace", "default", "via", gateway)

    def _set(self, left: str, right: str, state: str) -> None:
        # The end that keeps no default route beyond the neighbour is taken down with it.
        host, device = (left, f"to-{right}") if left != "network" else (right, f"to-{left}")
        _ip("-n", self._spaces[host], "link", "set", device, state)

    def _keep(self, host: str) -> subprocess.Popen[str]:
        """A process in whose namespaces all others of its host run: memory is shared among them."""
        settle = f"mount -t tmpfs tmpfs /dev/shm && hostname {host} && echo kept && exec cat"
        inside = ("unshare", "--mount", "--ipc", "--uts", "sh", "-c", settle)
        keeper = subprocess.Popen(
            ("ip", "netns", "exec", self._spaces[host], *inside),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert keeper.stdout is not None
        if keeper.stdout.readline().strip() != "kept":
            keeper.wait()
            raise ProcessError(f"host {host} could not be given a memory and name of its own")
        return keeper

    def prefix(self, host: str) -> tuple[str, ...]:
        """What to put before a command so that it runs on a host."""
        kept = str(self._keepers[host].pid)
        return ("nsenter", "--target", kept, "--mount", "--ipc", "--uts", "--net")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take everything away."""
        self._remove()

    def _remove(self) -> None:
        for keeper in self._keepers.values():
            keeper.kill()
            keeper.communicate()
        for space in self._spaces.values():
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProcessError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
