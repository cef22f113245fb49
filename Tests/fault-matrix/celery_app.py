"""The Celery recipe of Tests/worker under test: its work is to write down when a job begins and when it is done.

The recipe's settings stand. Only its times are shorter, by the environment and here."""
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "worker"))

import celery_worker  # noqa: E402

NAME, DIRECTORY = os.environ["WORKER_NAME"], os.environ["WORKER_DIRECTORY"]
HELD = 3  # seconds for which a job waits at most while its worker is held: less than the visibility timeout


def write(event, job):
    """One line, one write: it is in the kernel, and outlives this process."""
    entry = {"event": event, "job": job["job_id"], "worker": NAME, "pid": os.getpid(), "time": time.time()}
    file = os.open(f"{DIRECTORY}/workers.journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(file, (json.dumps(entry) + "\n").encode())
    finally:
        os.close(file)


def enhance(job):
    write("begun", job)
    time.sleep(random.uniform(0, 0.01))
    limit = time.monotonic() + HELD
    while os.path.exists(f"{DIRECTORY}/hold-{NAME}") and time.monotonic() < limit:
        time.sleep(0.01)
    write("done", job)


celery_worker.enhance = enhance
app = celery_worker.app
app.conf.broker_transport_options = app.conf.broker_transport_options | {
    "unacked_restore_interval": 1, "unacked_mutex_expire": 5}
for change in os.environ.get("WORKER_CHANGES", "").split():  # to see the books fail: WORKER_CHANGES=task_acks_late=false
    name, _, value = change.partition("=")
    app.conf[name] = json.loads(value)
