"""The shortest worker for the plain format: BRPOP. A job that it has taken is stored nowhere else, and **is lost
if the worker dies**. For work that may be lost; redis_worker.py loses none.

    SERVICEDESK_REDIS_URL=redis://worker:PASSWORD@127.0.0.1:6379/0 python3 brpop_worker.py
"""

import json
import os

import redis

URL = os.environ.get("SERVICEDESK_REDIS_URL", "redis://127.0.0.1:6379/0")
QUEUE = os.environ.get("SERVICEDESK_QUEUE_KEY", "enhancement:queue")


def tls(url):
    """For rediss://: the CAs to trust, and our own certificate. By default, redis-py before 6 would not compare the host."""
    if not url.startswith("rediss://"):
        return {}
    ca, certificate, key = (os.environ.get(f"SERVICEDESK_REDIS_{name}_FILE") or None for name in ("CA", "CERT", "KEY"))
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True,
            "ssl_ca_certs": ca, "ssl_certfile": certificate, "ssl_keyfile": key}


def enhance(job):
    """Your work."""
    print(f"{job['job_id']}: {job['description'][:40]!r}", flush=True)


def main():
    store = redis.Redis.from_url(URL, socket_timeout=30, **tls(URL))
    while True:
        taken = store.brpop(QUEUE, timeout=5)
        if taken:
            enhance(json.loads(taken[1]))


if __name__ == "__main__":
    main()
