"""Shows the watch of the Celery recipe, second by second, how many jobs a worker has begun and how many run, and checks in
which second it ends the worker. Jobs wait in the queue all the time."""

import os
import time
from unittest import mock

from celery.worker import state

import celery_worker
from celery_worker import STUCK, TIME_LIMIT

BUSY = [(1, 1)] * (STUCK + 70)  # one run, for so many seconds


class Run:
    pass


class Survived(Exception):
    pass


class Ended(Exception):
    pass


def end_of(history):
    """Returns the second in which the watch ends a worker with this history, or None if it survives."""
    passed, runs = [], []

    def sleep(_):
        if len(passed) == len(history):
            raise Survived
        state.all_total_count[0], running = history[len(passed)]
        passed.append(1)
        runs[:] = [Run() for _ in range(running)]
        state.active_requests.clear()
        state.active_requests.update(runs)

    waiting = mock.patch.object(celery_worker.store, "llen", return_value=3)
    with waiting, mock.patch.object(time, "sleep", sleep), mock.patch.object(os, "kill", side_effect=Ended):
        try:
            celery_worker.end_when_stuck()
        except Survived:
            return None
        except Ended:
            return len(passed)


def check(what, history, expected):
    found = end_of(history)
    assert found == expected, f"{what}: expected {expected}, got {found}"


check("between two long runs", BUSY + [(1, 0)] + [(2, 1)] * 70, None)
check("two processes, one of which is between two long runs", [(2, 2)] * 99 + [(2, 1)] + [(3, 2)] * 70, None)
check("takes no other job after a run", BUSY + [(1, 0)] * 99, len(BUSY) + STUCK + 2)
check("takes no job at all", [(0, 0)] * 99, STUCK + 2)
check("a run never ends", [(1, 1)] * 2 * TIME_LIMIT, STUCK + TIME_LIMIT + 2)
