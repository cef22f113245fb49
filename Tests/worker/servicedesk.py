"""For a worker's own tests: posts signed tickets to a responder, and takes their jobs from the queue.

Copy this file beside your tests, have pytest and redis-py installed, write `from servicedesk import servicedesk` into
conftest.py, and let a test take the fixture:

    def test_my_worker(servicedesk):
        entry = servicedesk.entry_for(description="no mail since this morning")
        assert my_worker(entry) == ...

The environment names the stack, as `spawn/up` prints it: SERVICEDESK_URL, SERVICEDESK_SECRET, SERVICEDESK_REDIS_URL, and
SERVICEDESK_QUEUE_KEY for a key of your own; for rediss:// also SERVICEDESK_REDIS_CA_FILE and so on. Without SERVICEDESK_URL
such tests are skipped. No worker may run on the queue at the same time: it would take the jobs. Other jobs in the queue are
left alone.
"""
import hashlib
import hmac
import json
import os
import time
import urllib.error
import urllib.request

import pytest
import redis


def tls(url):
    """For rediss://: the CAs to trust, and our own certificate. By default, redis-py before 6 would not compare the host."""
    if not url.startswith("rediss://"):
        return {}
    ca, certificate, key = (os.environ.get(f"SERVICEDESK_REDIS_{name}_FILE") or None for name in ("CA", "CERT", "KEY"))
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True,
            "ssl_ca_certs": ca, "ssl_certfile": certificate, "ssl_keyfile": key}


class ServiceDesk:
    """A help desk that posts tickets, and a view of the queue."""

    def __init__(self, url, secret, redis_url, queue="enhancement:queue"):
        self.url, self.secret, self.queue = url, secret.encode(), queue
        self.redis = redis.Redis.from_url(redis_url, **tls(redis_url))

    def post(self, body, **headers):
        """Signs and posts a body; returns status and response. A header is named as in `webhook_id="1"`."""
        request = urllib.request.Request(self.url, body, {
            "Content-Type": "application/json",
            "X-ServiceDesk-Signature": hmac.new(self.secret, body, hashlib.sha256).hexdigest(),
            **{name.replace("_", "-"): value for name, value in headers.items()}})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def entry_for(self, body=None, headers=None, **fields):
        """Posts a ticket, and takes from the queue what a worker would get for it: a body as bytes, or a valid ticket
        with these fields changed."""
        status, response = self.post(body or json.dumps(ticket(**fields)).encode(), **(headers or {}))
        assert status == 202, (status, response)
        return self.take(response["job_id"])

    def take(self, job_id):
        """Takes the entry of a job from the queue, wherever it stands."""
        for entry in self.redis.lrange(self.queue, 0, -1):
            if job_id.encode() in entry and self.redis.lrem(self.queue, 1, entry):
                return entry
        raise LookupError(f"no job {job_id} in {self.queue}: has a worker taken it?")


def ticket(**fields):
    """A valid ticket with these fields changed."""
    return {"event": "ticket_created", "ticket_id": "TKT-1001", "tenant_id": "acme", "priority": "high",
            "description": "no mail since this morning",
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **fields}


def job_of(entry):
    """The job in an entry of the queue, in either format."""
    content = json.loads(entry)
    return json.loads(content["body"])[0][0] if "content-encoding" in content else content


@pytest.fixture(scope="session")
def servicedesk():
    if not os.environ.get("SERVICEDESK_URL"):
        pytest.skip("SERVICEDESK_URL is not set: see what spawn/up prints")
    return ServiceDesk(
        os.environ["SERVICEDESK_URL"], os.environ["SERVICEDESK_SECRET"],
        os.environ.get("SERVICEDESK_REDIS_URL") or "redis://127.0.0.1:6379/0",
        os.environ.get("SERVICEDESK_QUEUE_KEY") or "enhancement:queue")
