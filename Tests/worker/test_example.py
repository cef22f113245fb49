"""What tests of a worker can look like: some with the golden jobs, which need nothing, and some against a real stack."""
import json
import uuid
from pathlib import Path

import pytest

from servicedesk import job_of, ticket


def golden(form):
    # One job a line. str.splitlines would also cut at a U+2028 in a ticket.
    return (Path(__file__).parent / f"jobs.{form}.jsonl").read_bytes().splitlines()


def summary(entry):
    """Stands for the worker: it gets an entry of the queue. It ignores members that it does not know."""
    job = job_of(entry)
    return f"{job['tenant_id']}/{job['ticket_id']} ({job['priority']}): {job['description'].splitlines()[0][:20]}"


@pytest.mark.parametrize("plain, celery", list(zip(golden("plain"), golden("celery"), strict=True)))
def test_the_worker_reads_every_golden_job_in_both_formats(plain, celery):
    assert summary(plain).startswith(("acme/TKT-", "globex-2/TKT-"))
    assert summary(plain) == summary(celery)


def test_the_worker_ignores_members_that_are_new():
    entry = golden("plain")[0]
    assert summary(json.dumps({**job_of(entry), "new_in_the_next_release": True})) == summary(entry)


def test_a_ticket_reaches_the_worker(servicedesk):
    entry = servicedesk.entry_for(description="Drucker brennt 🔥\nseit 9 Uhr", priority="critical")
    assert summary(entry) == "acme/TKT-1001 (critical): Drucker brennt 🔥"


def test_a_delivery_that_comes_twice_is_one_job(servicedesk):
    body, name = json.dumps(ticket()).encode(), str(uuid.uuid4())
    status, response = servicedesk.post(body, webhook_id=name)
    assert status == 202 and servicedesk.post(body, webhook_id=name) == (status, response)
    servicedesk.take(response["job_id"])
    with pytest.raises(LookupError):
        servicedesk.take(response["job_id"])


def test_a_ticket_with_a_fault_never_reaches_the_worker(servicedesk):
    status, problem = servicedesk.post(json.dumps(ticket(priority="urgent")).encode())
    assert status == 400 and [error["field"] for error in problem["errors"]] == ["priority"]
