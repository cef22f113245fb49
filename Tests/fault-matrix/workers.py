"""Celery workers behind the queue, two of them with two children each: the stack with them, and what they make of the jobs.

Their side of the books is kept apart from the responders' (ledger.py), and has two sources: the journal in which each child
writes what it begins and has done (celery_app.py), and Redis' own append-only file (history.py). The rules:

- a job that was queued is done; when all is drained, none is in the queue, held, or among the dead;
- what is done was queued, and it is begun no more often than it was queued or given back to the queue;
- a job whose child was killed inside it was begun again.

A job that Redis took from the list for a worker, and that nobody then recorded as unacknowledged, is gone: kombu pops first
and records then. It counts as lost by kombu if a worker was killed or lost its connection right then, one job for each time;
else as lost.
"""
import collections
import contextlib
import datetime
import json
import os
import re
import subprocess
import sys
import time

from history import History
from redis_client import Redis
from stack import HERE, PASSWORD, QUEUE, ROOT, Stack, alive, wait_for

PYTHON = f"{ROOT}/.build/celery-python/bin/python"
NAMES, CHILDREN = ("one", "two"), 2
VISIBILITY, LEASE, STUCK, TIME_LIMIT = 6, 2, 5, 10  # seconds: see Tests/worker/celery_worker.py
STILL = 45                  # seconds without any job done after which the workers are taken to stand still
NEAR = 1                    # seconds, at most, from a pop to the worker's notice that its connection is broken
DEAD, UNACKED = "enhancement:dead", f"{QUEUE}:unacked"
BROKEN = re.compile(
    r"^\[([^]]*): [A-Z]+/MainProcess\] (?:consumer: Connection to broker lost|Unrecoverable error)", re.MULTILINE)


def need_celery():
    """The newest Celery, in the environment that Tests/integration uses too."""
    if not os.path.exists(PYTHON) or subprocess.run([PYTHON, "-c", "import celery, redis"], capture_output=True).returncode:
        directory = os.path.dirname(os.path.dirname(PYTHON))
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "celery[redis]"], check=True)


class WorkerStack(Stack):
    def __init__(self, slack=1):
        super().__init__(slack)
        need_celery()
        self.environment["SERVICEDESK_JOB_FORMAT"] = "celery"
        self.redis_options = ("--aof-timestamp-enabled", "yes", "--auto-aof-rewrite-percentage", "0")
        self.history = History(f"{self.dir}/redis/appendonlydir", QUEUE, UNACKED)
        self.journal = open(f"{self.dir}/workers.journal", "a+b")
        self.workers, self.entries, self.unfinished = {}, [], b""
        self.killed, self.struck, self.ended = [], [], 0    # when workers were killed, the jobs inside, how many ended
        self.books = None

    def up(self):
        super().up()
        for name in NAMES:
            self.start_worker(name)
        wait_for(lambda: all(" ready." in self.log_of(name) for name in NAMES), 20 * self.slack, "the workers to be ready")

    def down(self):
        super().down()
        self.journal.close()

    def start_worker(self, name):
        url = f"unix://:{PASSWORD}@{self.real_redis}"
        settings = {"WORKER_NAME": name, "WORKER_DIRECTORY": self.dir, "SERVICEDESK_REDIS_URL": url, "TZ": "UTC",
                    "WORKER_VISIBILITY": str(VISIBILITY), "WORKER_LEASE": str(LEASE), "WORKER_ATTEMPTS": "20",
                    "WORKER_STUCK": str(STUCK), "WORKER_TIME_LIMIT": str(TIME_LIMIT)}
        self.workers[name] = self.spawn(
            f"worker-{name}", PYTHON, "-B", "-m", "celery", "-A", "celery_app", "worker", "-n", f"{name}@%h",
            "--concurrency", str(CHILDREN), "--without-gossip", "--without-mingle", "--without-heartbeat",
            "--loglevel", "INFO", cwd=HERE, env=self.environment | settings).pid

    def log_of(self, name):
        with open(f"{self.dir}/worker-{name}.log") as log:
            return log.read()

    def broken(self):
        """When each worker lost its connection to Redis, or was killed, since the stack is up."""
        return self.killed + [
            datetime.datetime.fromisoformat(text.replace(",", ".") + "+00:00").timestamp()
            for name in NAMES for text in BROKEN.findall(self.log_of(name))]

    def supervise(self):
        super().supervise()
        for name, pid in self.workers.items():
            if not alive(pid):
                self.ended += 1
                self.start_worker(name)

    def follow_journal(self):
        """What the workers have written since the books were closed last."""
        *lines, self.unfinished = (self.unfinished + self.journal.read()).split(b"\n")
        self.entries += map(json.loads, lines)
        return self.entries

    def inside(self, name):
        """The jobs that the children of a worker are inside of, by process."""
        jobs = {}
        for entry in self.follow_journal():
            if entry["worker"] == name:
                jobs[entry["pid"]] = entry["job"] if entry["event"] == "begun" else None
        return {pid: job for pid, job in jobs.items() if job and alive(pid)}

    @contextlib.contextmanager
    def held_inside(self, name):
        """Has each child of a worker wait inside a job, so that the worker takes no other from the queue meanwhile."""
        hold = f"{self.dir}/hold-{name}"
        open(hold, "w").close()
        try:
            wait_for(lambda: self.supervise() or len(self.inside(name)) == CHILDREN, 20 * self.slack,
                     f"each child of worker {name} to be inside a job")
            yield self.inside(name)
        finally:
            os.remove(hold)

    # --- the queue ---------------------------------------------------------------------------------------------------

    def left(self):
        """What is in the queue, and what is held."""
        with Redis(self.real_redis, self.password) as redis:
            return redis("LLEN", QUEUE), redis("HLEN", UNACKED)

    def drain(self):
        """Waits until the workers have done everything, or stand still. Returns what is left."""
        limit = known = empty = 0
        while empty < 5:  # what is being taken is for a moment nowhere
            self.supervise()
            if len(self.follow_journal()) > known:
                known, limit = len(self.entries), time.monotonic() + STILL * self.slack
            elif time.monotonic() > (limit := limit or time.monotonic() + STILL * self.slack):
                break
            empty = 0 if any(self.left()) else empty + 1
            time.sleep(0.1)
        return self.left()

    def hand_over_jobs(self):
        """Closes the books of the workers. Returns the jobs that responders have queued since the last time."""
        start = time.monotonic()
        left = self.drain()
        self.history.follow()
        self.follow_journal()
        jobs = [job for job in self.history.jobs.values() for _ in range(job.pushes)]
        self.books = WorkerBooks(self, left, time.monotonic() - start)
        self.history.forget()
        self.entries, self.killed, self.struck, self.ended = [], [], [], 0
        self.redis("DEL", DEAD)
        return [json.dumps({"job_id": job.id, "ticket_id": job.ticket}) for job in jobs]


class WorkerBooks:
    def __init__(self, stack, left, seconds):
        self.jobs, self.seconds, self.ended, self.struck = stack.history.jobs, seconds, stack.ended, stack.struck
        self.dead = stack.redis("LLEN", DEAD)
        self.begun, self.done = (collections.Counter(entry["job"] for entry in stack.entries if entry["event"] == event)
                                 for event in ("begun", "done"))
        self.wrong = []
        self.balance(left, sorted(stack.broken()))

    def balance(self, left, broken):
        undone = [job for job in self.jobs.values() if not self.done[job.id]]
        self.by_kombu = self.lost_by_kombu(undone, broken)
        lost = [job for job in undone if job not in self.by_kombu]
        stray = [job for job in self.done if job not in self.jobs]
        excess = [job.id for job in self.jobs.values() if self.begun[job.id] > job.pushes + job.returns]
        dropped = [job for job in self.struck if self.begun[job] < 2]
        self.lost, self.excess = len(lost), len(excess)
        self.expect(not any(left), f"after {self.seconds:.0f} s {left[0]} jobs are in the queue and {left[1]} are held")
        self.expect(not self.dead, f"{self.dead} jobs are among the dead")
        self.expect(not lost, "queued and never done", [f"{job.id} {job.state}" for job in lost])
        self.expect(not stray, "done and never queued", stray)
        self.expect(not excess, "begun more often than given out", excess)
        self.expect(not dropped, "a child was killed inside a job that was not begun again", dropped)

    @staticmethod
    def lost_by_kombu(undone, broken):
        """The jobs that a broken connection explains, and when it broke. The history knows whole seconds."""
        found = {}
        for job in sorted((job for job in undone if job.state == "taken"), key=lambda job: job.second):
            if moment := next((at for at in broken if job.second <= at <= job.second + 1 + NEAR), None):
                broken.remove(moment)
                found[job] = moment
        return found

    def expect(self, is_so, what, jobs=()):
        if not is_so:
            self.wrong.append(f"workers: {what}: {', '.join(jobs[:3])} ({len(jobs)})" if jobs else f"workers: {what}")

    @staticmethod
    def details(all_books):
        def total(count):
            return sum(map(count, all_books))
        counts = {"done": total(lambda books: len(books.done)),
                  "given out again": total(lambda books: sum(job.returns > 0 for job in books.jobs.values())),
                  "begun again": total(lambda books: sum(count > 1 for count in books.begun.values())),
                  "done again": total(lambda books: sum(count > 1 for count in books.done.values())),
                  "killed inside": total(lambda books: len(books.struck)), "lost": total(lambda books: books.lost),
                  "lost by kombu": total(lambda books: len(books.by_kombu)), "workers ended": total(lambda books: books.ended),
                  "seconds to drain": round(max(books.seconds for books in all_books))}
        return "    workers: " + ", ".join(f"{name} {count}" for name, count in counts.items() if count)

    def evidence(self):
        def clock(seconds, digits):
            return time.strftime("%H:%M:%S", time.gmtime(seconds)) + f"{seconds % 1:.{digits}f}"[1:]
        return [f"    lost by kombu: {job.id}, taken from the list at {clock(job.second, 0)} and never recorded; "
                f"a worker's connection broke at {clock(at, 3)}" for job, at in list(self.by_kombu.items())[:5]]
