"""Contenders in turn, a fraction of a second each, so that a drift of the machine's speed hits all of them alike.

Measures processor time alone, and far more precisely than rounds of seconds do on a machine that others use as well.
"""
import contextlib
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time

from rig import cpu, family

SECONDS = .12
# Seconds in which the last contender's requests end, and in which this one's get under way.
SETTLING = .02


def run(rig, names, connections, count):
    """Returns for each contender what a webhook cost in each slice: microseconds for nginx, app, redis, and all of them as cpu."""
    spent = cpu()
    shared = {part: family(spent, rig.roots[part]) for part in ("nginx", "redis")}
    roots = {name: rig.roots.get(rig.program(name)) for name in names}
    parts = {name: dict(shared, app=family(spent, root) if root else ()) for name, root in roots.items()}
    rows = {name: [] for name in names}
    with contextlib.ExitStack() as stack:
        loads = {name: stack.enter_context(load(rig, name, connections)) for name in names}
        redis = stack.enter_context(socket.socket(socket.AF_UNIX))
        redis.connect(f"{rig.dir}/redis.sock")
        replies = stack.enter_context(redis.makefile("rb"))

        def command(text):
            redis.sendall(text.encode() + b"\r\n")
            return int(replies.readline()[1:])

        def sample(name):
            return command("LLEN enhancement:queue"), {part: nanoseconds(pids) for part, pids in parts[name].items()}

        for _ in range(count):
            command("DEL enhancement:queue")
            for name in random.sample(names, len(names)):
                loads[name].send_signal(signal.SIGCONT)
                time.sleep(SETTLING)
                jobs, before = sample(name)
                time.sleep(SECONDS)
                end, after = sample(name)
                loads[name].send_signal(signal.SIGSTOP)
                time.sleep(SETTLING)
                if end == jobs:
                    sys.exit(f"{name} queued nothing under {connections} connections")
                row = {part: (after[part] - before[part]) / 1000 / (end - jobs) for part in before}
                rows[name].append(dict(row, cpu=sum(row.values())))
    return rows


@contextlib.contextmanager
def load(rig, name, connections):
    """A load that stands still until it is let go on."""
    process = subprocess.Popen(rig.load(name, connections, "9h"), stdout=subprocess.DEVNULL)
    try:
        time.sleep(.5)
        process.send_signal(signal.SIGSTOP)
        time.sleep(SETTLING)
        yield process
    finally:
        process.kill()
        process.wait()


def nanoseconds(pids):
    """The processor time of all threads (proc_pid_schedstat(5)); that of /proc/PID/stat counts in ticks of 10 ms."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                    total += int(file.read().split()[0])
    return total


def ratio(mine, others):
    """The median of one contender's cost to another's in the same turn, with its 95 % confidence interval (bootstrap)."""
    values = [a["cpu"] / b["cpu"] for a, b in zip(mine, others, strict=True) if b["cpu"]]
    resampled = sorted(statistics.median(random.choices(values, k=len(values))) for _ in range(400))
    return statistics.median(values), resampled[10], resampled[-11]


def text(connections, rows, pairs):
    print(f"\n{connections} connections, slices of {SECONDS} s; means of µs of CPU for a webhook"
          f"\n{'':10}{'cpu':>8}{'nginx':>8}{'app':>8}{'redis':>8}")
    for name, mine in rows.items():
        print(f"{name:10}" + "".join(f"{statistics.mean(row[key] for row in mine):8.2f}" for key in ("cpu", "nginx", "app", "redis")))
    for name, other in pairs:
        median, low, high = ratio(rows[name], rows[other])
        print(f"{name + ' / ' + other:16} cpu x{median:.3f}  ({low:.3f} to {high:.3f})", flush=True)
