"""The faults while Celery workers take the jobs: some of the matrix, and those of the workers themselves."""
import contextlib
import dataclasses
import os
import signal
import time

from ledger import Ledger
from limits import expect
from matrix import FAULTS, LOST, Fault, pause
from stack import alive, children, kill, wait_for
from workers import CHILDREN, NAMES, WorkerBooks


def kill_inside(stack, name, pids, jobs):
    """Kills processes of a worker whose children are inside jobs, and makes sure that they were not done just before."""
    for pid in pids:
        kill(pid)
    for pid in pids:
        wait_for(lambda: not alive(pid), what="a worker's process to go")
    done = {entry["job"] for entry in stack.follow_journal() if entry["event"] == "done"}
    expect(not done & set(jobs), f"worker {name} was killed after a job, not inside it")
    stack.struck += jobs


def kill_worker(stack, number):
    """The whole worker, as the kernel does when memory runs out. Then it is started again, as systemd would."""
    name = NAMES[number % len(NAMES)]
    with stack.held_inside(name) as inside:
        kill_inside(stack, name, [stack.workers[name], *inside], list(inside.values()))
        stack.killed.append(time.time())
    stack.start_worker(name)


def kill_worker_child(stack, number):
    """One child; the worker gives its job back and starts another child."""
    name = NAMES[number % len(NAMES)]
    with stack.held_inside(name) as inside:
        pid, job = next(iter(inside.items()))
        kill_inside(stack, name, [pid], [job])


def restart_worker(stack, number):
    """TERM, as at each deployment: it finishes what it is inside of. If it does not end, KILL, as systemd does."""
    name = NAMES[number % len(NAMES)]
    pid = stack.workers[name]
    os.kill(pid, signal.SIGTERM)
    try:
        wait_for(lambda: not alive(pid), 15)
    except TimeoutError:
        for each in (pid, *children(pid)):
            kill(each)
        wait_for(lambda: not alive(pid), what=f"worker {name} to end")
        stack.killed.append(time.time())
    stack.start_worker(name)


def kill_redis_around_jobs(stack, number):
    """Every child of every worker is done with its job while Redis is away, so that nothing can be acknowledged, and no
    worker is waiting for a reply by which it would notice."""
    with contextlib.ExitStack() as holds:
        for name in NAMES:
            holds.enter_context(stack.held_inside(name))
        stack.stop_redis()
        inside = sum(len(stack.inside(name)) for name in NAMES)
    pause(1.5, 2)  # the recipe waits for 1 s before it gives a job back
    stack.start_redis()
    expect(inside == len(NAMES) * CHILDREN, f"Redis was killed when only {inside} children were inside jobs")


SHORT = {"responder-killed": 2, "responder-replaced": 0, "redis-killed": 2, "redis-stopped-1s": 0, "redis-stopped-6s": 0,
         "redis-demoted": 2, "client-killed": 0}

WORKER_FAULTS = [dataclasses.replace(fault, short=SHORT[fault.name])
                 for fault in FAULTS if fault.name in SHORT] + [
    Fault("worker-killed", "kill -9 of a whole Celery worker, both children inside a job", kill_worker, answers="202"),
    Fault("worker-child-killed", "kill -9 of a child of a Celery worker inside a job", kill_worker_child,
          answers="202"),
    Fault("redis-killed-inside", "kill -9 of Redis while all Celery workers are inside jobs, until these are done",
          kill_redis_around_jobs, short=1, evidence=LOST),
    Fault("worker-restarted", "a Celery worker stopped by TERM, and started again", restart_worker, short=0,
          answers="202"),
]


class WorkerLedger(Ledger):
    """The books of both sides. What workers lost or did without being told to is added to what responders did."""

    def __init__(self, stack, *arguments):
        super().__init__(*arguments)
        self.workers = stack.books
        self.lost += self.workers.lost
        self.twice += self.workers.excess
        self.wrong += self.workers.wrong

    @staticmethod
    def details(ledgers):
        evidence = ledgers[0].workers.evidence() if len(ledgers) == 1 else []
        return "\n".join([Ledger.details(ledgers), WorkerBooks.details([ledger.workers for ledger in ledgers]), *evidence])

    @staticmethod
    def verdict(ledgers):
        by_kombu = sum(len(ledger.workers.by_kombu) for ledger in ledgers)
        return Ledger.verdict(ledgers) + f", {by_kombu} lost by kombu"

    LEGEND = Ledger.LEGEND + """
    workers    done: jobs that were done at least once; given out again: jobs that went back into the queue because a worker,
               its child or its connection died; of these some had begun before, and some were even done;
               lost by kombu: taken from the list for a worker that never recorded that it holds them"""
