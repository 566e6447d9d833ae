"""The runtime's worker threads stay off the core of the thread that waits for them."""

from __future__ import annotations

import _thread
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rejshand_ros.inference.load import load_predictor
from rejshand_ros.inference.openvino_runtime import WORKERS
from rejshand_ros.inference.worker_threads import WorkerThreads

CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()

pytestmark = pytest.mark.skipif(len(CORES) < 2, reason="needs two cores")


@pytest.fixture(autouse=True)
def cores_given_back() -> Iterator[None]:
    """Whatever a test does to this thread's cores is undone."""
    yield
    os.sched_setaffinity(0, CORES)


@pytest.fixture
def sleeper() -> Iterator[tuple[WorkerThreads, int]]:
    """Worker threads, one noted, and that one's number."""
    threads, end = WorkerThreads(), threading.Event()
    with threads.noted():
        thread = _ForeignThread(end)
    yield threads, thread.number
    end.set()


class _ForeignThread:
    """A thread that Python's list of threads does not hold, as a library's."""

    def __init__(self, end: threading.Event) -> None:
        started = threading.Event()

        def run() -> None:
            self.number = threading.get_native_id()
            started.set()
            end.wait()

        _thread.start_new_thread(run, ())
        assert started.wait(5)


def test_workers_leave_the_core_of_the_caller(sleeper: tuple[WorkerThreads, int]) -> None:
    threads, number = sleeper
    assert threads.numbers == {number}
    for core in sorted(CORES)[:2]:
        os.sched_setaffinity(0, {core})
        threads.keep_apart()
        assert os.sched_getaffinity(number) == CORES - {core}


def test_python_threads_are_not_taken_for_workers() -> None:
    threads, end = WorkerThreads(), threading.Event()
    own = threading.Thread(target=end.wait)
    with threads.noted():
        own.start()
    assert threads.numbers == frozenset()
    end.set()
    own.join()


def test_one_core_leaves_the_workers_where_they_are() -> None:
    os.sched_setaffinity(0, {min(CORES)})
    threads, end = WorkerThreads(), threading.Event()
    with threads.noted():
        thread = _ForeignThread(end)
    threads.keep_apart()
    assert os.sched_getaffinity(thread.number) == {min(CORES)}
    end.set()


def test_an_ended_thread_is_forgotten() -> None:
    threads, end = WorkerThreads(), threading.Event()
    with threads.noted():
        thread = _ForeignThread(end)
    end.set()
    while Path(f"/proc/self/task/{thread.number}").is_dir():
        os.sched_yield()
    threads.keep_apart()
    assert threads.numbers == frozenset()


def test_the_network_keeps_its_workers_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = load_predictor(device="cpu")
    assert WORKERS.numbers, "OpenVINO's threads were not seen"
    asked: list[frozenset[int]] = []
    monkeypatch.setattr(WORKERS, "keep_apart", lambda: asked.append(WORKERS.numbers))
    predictor.predict(np.zeros((1, predictor.input_size, predictor.input_size, 3), np.uint8))
    assert asked == [WORKERS.numbers]
