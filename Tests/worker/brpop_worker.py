"""The shortest worker for the plain format: BRPOP. A job that it has taken is stored nowhere else, and **is lost
if the worker dies**. For work that may be lost; redis_worker.py loses none.

    SERVICEDESK_REDIS_URL=redis://worker:PASSWORD@127.0.0.1:6379/0 python3 brpop_worker.py
"""

import json
import os

import redis

URL = os.environ.get("SERVICEDESK_REDIS_URL", "redis://127.0.0.1:6379/0")
QUEUE = os.environ.get("SERVICEDESK_QUEUE_KEY", "enhancement:queue")


def enhance(job):
    """Your work."""
    print(f"{job['job_id']}: {job['description'][:40]!r}", flush=True)


def main():
    store = redis.Redis.from_url(URL, socket_timeout=30)
    while True:
        taken = store.brpop(QUEUE, timeout=5)
        if taken:
            enhance(json.loads(taken[1]))


if __name__ == "__main__":
    main()
