"""Posts the tickets of tickets.jsonl and prints what is queued for them, with ids and times that are always the same.

    golden.py SECRET REDIS_URL URL URL_ALL

URL leads to a responder without SERVICEDESK_JOB_MEMBERS, URL_ALL to one that adds all of them; both use that Redis. The
standard output is the content of jobs.plain.jsonl or of jobs.celery.jsonl, whichever format the responders write.
"""
import json
import sys
from pathlib import Path

from servicedesk import ServiceDesk, job_of

CREATED_AT = "2026-11-24T11:05:01.546308Z"


def fixed(entry, number, sent):
    """The entry with its job's own values replaced: those that are new for each job, or random."""
    job = job_of(entry)
    values = {job["job_id"]: f"00000000-0000-4000-8000-{number:012}", job["created_at"]: CREATED_AT}
    if not sent["ticket"].get("correlation_id"):
        values[job["correlation_id"]] = f"00000000-0000-4000-9000-{number:012}"
    content = json.loads(entry)
    parent = {**content, **content.get("headers", {})}.get("traceparent")
    if parent:
        version, trace, _, flags = parent.split("-")
        if trace not in sent["headers"].get("traceparent", ""):
            trace = f"{number:032}"
        values[parent] = f"{version}-{trace}-{number:016}-{flags}"
    for value, replacement in values.items():
        entry = entry.replace(value.encode(), replacement.encode())
    return entry


def main(secret, redis_url, *urls):
    desks = [ServiceDesk(url, secret, redis_url) for url in urls]
    lines = (Path(__file__).parent / "tickets.jsonl").read_bytes().split(b"\n")[:-1]
    for number, line in enumerate(lines, 1):
        sent = json.loads(line)
        # The body is posted exactly as it stands in the line, with its escapes and spaces.
        body = line[line.index(b',"ticket":') + len(b',"ticket":'):-1]
        entry = desks[bool(sent["members"])].entry_for(body, sent["headers"])
        sys.stdout.buffer.write(fixed(entry, number, sent) + b"\n")


main(*sys.argv[1:])
