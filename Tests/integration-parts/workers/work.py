"""The work of the workers under test. The ticket's id says what a job does: FAIL-2 fails twice, POISON-1 always, KILL-1
kills its process, SLOW-1 ends once there is a file of that name in the directory $WORK, and so does STUCK-1, but its
first run then fails. Each run begins with a line of JSON in the file runs there."""

import json
import os
import signal
import time

directory = os.environ["WORK"]


def enhance(job, **details):
    verb, number, *_ = f"{job['ticket_id']}--".split("-")
    earlier = runs_of(job) if verb in ("FAIL", "STUCK") else 0
    with open(f"{directory}/runs", "a") as runs:
        runs.write(json.dumps({"pid": os.getpid(), "job": job} | details) + "\n")
    if verb == "POISON" or verb == "FAIL" and earlier < int(number):
        raise ValueError("no use")
    if verb == "KILL":
        os.kill(os.getpid(), signal.SIGKILL)
    while verb in ("SLOW", "STUCK") and not os.path.exists(f"{directory}/{job['ticket_id']}"):
        time.sleep(0.05)
    if verb == "STUCK" and not earlier:
        raise ValueError("too late")
    return len(job["description"])


def runs_of(job):
    with open(f"{directory}/runs", "a+") as runs:
        runs.seek(0)
        return sum(json.loads(line)["job"]["job_id"] == job["job_id"] for line in runs)
