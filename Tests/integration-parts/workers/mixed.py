"""A thousand tickets of every kind: mixed.py post URL SECRET FILE sends them and writes what is expected to FILE;
mixed.py check FILE RUNS waits for the runs, and compares each job with its ticket."""

import hashlib
import hmac
import http.client
import json
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from urllib.parse import urlsplit

COUNT = 1000
ALPHABETS = [
    "abc ",
    "\"'\\/",
    "😀👩‍👩‍👧🏳️‍🌈",
    "漢字ß\u00e9e\u0301",
    "\t\n\r\b\f\x01\x1f\x7f\u2028\u2029\ufeff\uffff",
    "{}[],:\\u0041%s{0}\\n",
]


def ticket(number, chance):
    length = 10000 if number % 50 == 0 else chance.randint(1, 300)
    alphabet = "".join(chance.sample(ALPHABETS, chance.randint(1, 3)))
    made = {
        "event": chance.choice(["ticket_created", "ticket_updated", "a \"quoted\" 漢 event"]),
        "ticket_id": f"MIX-{number}",
        "tenant_id": chance.choice(["acme", "tenant-2"]),
        "description": "".join(chance.choices(alphabet, k=length)),
        "priority": chance.choice(["low", "medium", "high", "critical"]),
        "created_at": f"2026-0{chance.randint(1, 9)}-11T09:30:00{chance.choice(['Z', '+05:30', '.123456Z'])}",
    }
    if chance.random() < 0.5:
        made["correlation_id"] = f"{chance.getrandbits(32):08x}-0000-4000-8000-{number:012x}"
    return json.dumps(made, ensure_ascii=chance.random() < 0.5).encode()


def post(url, secret, file):
    chance = random.Random(11)
    bodies = [ticket(number, chance) for number in range(COUNT)]
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda part: post_all(url, secret, part), [bodies[i::4] for i in range(4)])
    with open(file, "w") as expected:
        json.dump([pair for part in answers for pair in part], expected)


def post_all(url, secret, bodies):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    pairs = []
    for body in bodies:
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-ServiceDesk-Signature": signature}
        connection.request("POST", "/webhook/servicedesk", body, headers)
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 202, answer
        pairs.append([json.loads(answer)["job_id"], body.decode()])
    return pairs


def check(file, runs):
    with open(file) as expected:
        bodies = dict(json.load(expected))
    assert len(bodies) == COUNT
    jobs = wait_for_all(runs, bodies)
    for job_id, body in bodies.items():
        compare(jobs[job_id], json.loads(body), hashlib.sha256(body.encode()).hexdigest())


def wait_for_all(runs, wanted):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with open(runs) as lines:
            jobs = [json.loads(line)["job"] for line in lines if line.endswith("\n") and '"MIX-' in line]
        if len(jobs) >= len(wanted):
            assert len(jobs) == len(wanted), "some ran twice"
            return {job["job_id"]: job for job in jobs}
        time.sleep(0.2)
    raise SystemExit(f"{len(jobs)} of {len(wanted)} jobs have arrived")


def compare(job, sent, digest):
    queued = datetime.fromisoformat(job.pop("created_at"))
    assert queued.utcoffset().total_seconds() == 0
    assert datetime.fromisoformat(job["timestamp"])
    del job["job_id"]
    job.pop("traceparent", None)  # a header with Celery
    expected = {name: sent[name] for name in ("ticket_id", "tenant_id", "description", "priority")}
    expected["timestamp"] = sent["created_at"]
    expected["correlation_id"] = sent.get("correlation_id", job["correlation_id"])
    expected |= {"event": sent["event"], "delivery_id": f"sha256:{digest}"}
    assert list(job.items()) == list(expected.items()), f"{job}\nis not\n{expected}"


if __name__ == "__main__":
    {"post": post, "check": check}[sys.argv[1]](*sys.argv[2:])
