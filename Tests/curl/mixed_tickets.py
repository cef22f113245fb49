"""Posts 10,000 mixed tickets and takes their jobs from the queue as a worker would, which must get each of them whole.

    mixed_tickets.py URL REDIS_SOCKET SECRET
"""
import hashlib, hmac, http.client, json, random, sys, threading, urllib.parse
from typing import Literal
from pydantic import AwareDatetime, BaseModel, ConfigDict, UUID4
from redis import Redis

COUNT, SENDERS = 10_000, 4
PIECES = ("The printer is on fire. ", '"quoted" ', "back\\slash ", "line\nbreak\r\n", "\ttab ", "😀👩‍👩‍👧‍👦🇩🇪 ", "ÄÖÜß ", "e\u0301 ",
          "日本語 ", "\u0001\u001f\u007f ", "\u2028\u2029 ", "</script> ", "\ufeff\uffff ", "\U0010ffff ", "\\u0041 ", "' -- ")


class Job(BaseModel):
    model_config = ConfigDict(extra="forbid")
    job_id: UUID4
    ticket_id: str
    tenant_id: str
    description: str
    priority: Literal["low", "medium", "high", "critical"]
    timestamp: str
    created_at: AwareDatetime
    correlation_id: UUID4


def ticket(number, rng):
    length = rng.choice((1, 40, 400, 400, 400, 4000)) if number % 50 else 10_000
    description = ""
    while len(description) < length:
        description += rng.choice(PIECES)
    made = {"event": "ticket_created", "ticket_id": f"TKT-{number}", "tenant_id": rng.choice(("acme", "globex-2")),
            "description": description[:length], "priority": rng.choice(("low", "medium", "high", "critical")),
            "created_at": rng.choice(("2026-01-31T09:30:00Z", "2026-01-31T09:30:00.5+05:30"))}
    if rng.random() < 0.5:
        made["correlation_id"] = "550e8400-e29b-41d4-a716-44665544%04d" % number
    return made


def send(url, secret, tickets, job_ids):
    connection = http.client.HTTPConnection(url.netloc)
    rng = random.Random(7)
    for made in tickets:
        body = json.dumps(made, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 2))).encode()
        tag = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        connection.request("POST", "/webhook/servicedesk", body,
                           {"Content-Type": "application/json", "X-ServiceDesk-Signature": tag})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 202, (made["ticket_id"], answer.status, content)
        job_ids[made["ticket_id"]] = json.loads(content)["job_id"]


url, socket, secret = sys.argv[1:]
rng = random.Random(1)
tickets = {f"TKT-{n}": ticket(n, rng) for n in range(COUNT)}
job_ids = {}
senders = [threading.Thread(target=send, args=(urllib.parse.urlsplit(url), secret, list(tickets.values())[n::SENDERS], job_ids))
           for n in range(SENDERS)]
for sender in senders:
    sender.start()

redis = Redis(unix_socket_path=socket)
last = [-1] * SENDERS
taken = {}
for _ in range(COUNT):
    popped = redis.brpop(["enhancement:queue"], timeout=30)
    assert popped, "the queue stayed empty"
    job = Job.model_validate_json(popped[1])
    members = json.loads(popped[1])
    sent = tickets.pop(job.ticket_id)
    assert list(members) == list(Job.model_fields), list(members)
    for member, field in (("ticket_id", "ticket_id"), ("tenant_id", "tenant_id"), ("description", "description"),
                          ("priority", "priority"), ("timestamp", "created_at")):
        assert members[member] == sent[field], (job.ticket_id, member, members[member], sent[field])
    assert members["correlation_id"] == sent.get("correlation_id", members["correlation_id"]), job.ticket_id
    number = int(job.ticket_id[4:])
    assert number > last[number % SENDERS], "a sender's tickets changed places"
    last[number % SENDERS] = number
    taken[job.ticket_id] = members["job_id"]

for sender in senders:
    sender.join()
assert taken == job_ids, "job ids answered and job ids queued differ"
assert len(set(job_ids.values())) == COUNT, "a job id twice"
assert not tickets and redis.llen("enhancement:queue") == 0
