"""Several node processes as one: started together, watched, stopped in order."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from rejshand_ros.errors import ProcessError
from rejshand_ros.nodes.supervision import GO, LIFELINE_FD, READY_FD


@dataclass(frozen=True)
class ProcessSpec:
    """One node process.

    Attributes:
        name: For messages and the log file, e.g. ``right/command``.
        module: Python module that runs it.
        parameters: ROS parameters.
        namespace: ROS namespace; empty for the root.
        essential: Whether the others end where this one ends.
    """

    name: str
    module: str
    parameters: Mapping[str, bool | int | float | str | list[str]] = field(default_factory=dict)
    namespace: str = ""
    essential: bool = True

    def on_its_own(self) -> ProcessSpec:
        """The same, ready whether or not its peers are there."""
        awaited = ("await_recorder", "await_inputs")
        kept = {key: value for key, value in self.parameters.items() if key not in awaited}
        return replace(self, parameters=kept)

    def command(self) -> list[str]:
        """The command line."""
        arguments = [sys.executable, "-m", self.module, "--ros-args"]
        for key, value in self.parameters.items():
            # JSON is YAML: texts stay texts, even "3" or "yes".
            arguments += ["-p", f"{key}:={json.dumps(value)}"]
        if self.namespace:
            arguments += ["-r", f"__ns:=/{self.namespace.strip('/')}"]
        return arguments


@dataclass
class _Child:
    spec: ProcessSpec
    process: subprocess.Popen[bytes]
    ready_fd: int
    lifeline_fd: int
    log: Path


class ProcessGroup:
    """Processes that live and die together; a context manager.

    Each child holds the read end of a pipe of ours: when this process ends, in whatever way, the
    children see the pipe close and end too.
    """

    def __init__(self, environment: Mapping[str, str], log_folder: Path) -> None:
        """Prepare a group.

        Args:
            environment: Of the children.
            log_folder: Where each child's output goes.
        """
        self._environment = dict(environment)
        self._log_folder = log_folder
        self._children: dict[str, _Child] = {}
        self._stopped = False
        self._mourned: set[str] = set()

    def start(self, specs: Sequence[ProcessSpec]) -> None:
        """Start processes; they configure and connect themselves, and wait for the word to go."""
        self._log_folder.mkdir(parents=True, exist_ok=True)
        for spec in specs:
            self._children[spec.name] = self._spawn(spec)

    def _spawn(self, spec: ProcessSpec, *, again: bool = False) -> _Child:
        ready_read, ready_write = os.pipe()
        lifeline_read, lifeline_write = os.pipe()
        log = self._log_folder / f"{spec.name.replace('/', '_')}.log"
        environment = {
            **self._environment,
            READY_FD: str(ready_write),
            LIFELINE_FD: str(lifeline_read),
        }
        try:
            with log.open("ab" if again else "wb") as stream:
                process = subprocess.Popen(
                    spec.command(),
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    pass_fds=(ready_write, lifeline_read),
                    # The terminal's Ctrl-C goes to us alone; we stop the children in order.
                    start_new_session=True,
                )
        except OSError as error:
            os.close(ready_read)
            os.close(lifeline_write)
            raise ProcessError(f"{spec.name} could not be started: {error.strerror}") from error
        finally:
            os.close(ready_write)
            os.close(lifeline_read)
        return _Child(spec, process, ready_read, lifeline_write, log)

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until every essential process has configured itself and is connected to its peers.

        Raises:
            ProcessError: One ended, or is not ready in time.
        """
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            for child in self._children.values():
                if child.spec.essential:
                    selector.register(child.ready_fd, selectors.EVENT_READ, child)
            while waiting := [key.data.spec.name for key in selector.get_map().values()]:
                events = selector.select(max(0.0, deadline - time.monotonic()))
                if not events:
                    said = _last_line(self._children[waiting[0]].log)
                    names = ", ".join(waiting)
                    raise ProcessError(f"{names} not ready after {timeout_s:g} s: {said}")
                for key, _ in events:
                    if not os.read(key.fd, 64):
                        key.data.process.wait()
                        raise self._death(key.data)
                    selector.unregister(key.fd)

    def go(self, name: str) -> None:
        """Let a process begin to work."""
        with contextlib.suppress(BrokenPipeError):  # it is dead, which `dead` will tell
            os.write(self._children[name].lifeline_fd, GO)

    def has_ended(self, name: str) -> bool:
        """Whether a process has ended well.

        Raises:
            ProcessError: It ended with an error.
        """
        child = self._children[name]
        status = child.process.poll()
        if status is None:
            return False
        if status != 0:
            raise self._death(child)
        return True

    def check(self, *, may_end: Sequence[str] = ()) -> None:
        """See that all essential processes run.

        Args:
            may_end: Those that may have ended well.

        Raises:
            ProcessError: One has ended.
        """
        for name, child in self._children.items():
            if child.process.poll() is None or (name in may_end and child.process.poll() == 0):
                continue
            if child.spec.essential:
                raise self._death(child)
            if name not in self._mourned:
                self._mourned.add(name)
                print(f"{self._death(child)}; the rest goes on", file=sys.stderr, flush=True)

    def stop(self, last: Sequence[str] = (), timeout_s: float = 10.0) -> None:
        """Stop all processes.

        Args:
            last: Those to be stopped after the others, such as a recorder.
            timeout_s: What each of the two rounds may take before processes are killed.

        Raises:
            ProcessError: One did not stop by itself, or ended with an error.
        """
        self._stopped = True
        rounds = (
            [child for name, child in self._children.items() if name not in last],
            [child for name, child in self._children.items() if name in last],
        )
        faults: list[ProcessError] = []
        for children in rounds:
            for child in children:
                if child.process.poll() is None:
                    child.process.send_signal(signal.SIGINT)
            deadline = time.monotonic() + timeout_s
            for child in children:
                try:
                    status = child.process.wait(max(0.01, deadline - time.monotonic()))
                    if status != 0 and child.spec.essential:
                        faults.append(self._death(child))
                except subprocess.TimeoutExpired:
                    child.process.kill()
                    child.process.wait()
                    name = child.spec.name
                    if child.spec.essential:
                        faults.append(ProcessError(f"{name} did not stop within {timeout_s:g} s"))
                os.close(child.lifeline_fd)
                os.close(child.ready_fd)
        self._children.clear()
        if faults:
            raise faults[0]

    def _death(self, child: _Child) -> ProcessError:
        status = child.process.returncode
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        return ProcessError(f"{child.spec.name} ended with {how}: {_last_line(child.log)}")

    def __enter__(self) -> Self:
        """Return the group itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop whatever still runs; an error of the body is not replaced by one of stopping."""
        if self._stopped and not self._children:
            return
        try:
            self.stop()
        except ProcessError:
            if error is None:
                raise


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"it said nothing (see {log})"
