"""Refused bodies among good tickets, counters without room, and many processes at once."""
import contextlib
import hashlib
import hmac
import http.client
import os

from limits import expect
from stack import SECRET, alive, wait_for

LONG = 100_000              # bytes that nginx lets through, and the responders refuse
MANY = 40                   # processes of a set: two such sets need more pages of counters than 64
PAGE = 4096                 # bytes of the counters of a process


@contextlib.contextmanager
def small_bodies(stack):
    stack.with_settings(SERVICEDESK_MAX_BODY="8192")
    yield
    stack.with_settings()


def send_long_bodies(stack, number):
    """Signed or unsigned, one after another on one connection, while the load sends good tickets."""
    oversize = "servicedesk_oversize_requests_total"
    before = stack.metrics()[oversize]
    body = b"x" * LONG
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest() if number % 2 else "0" * 64
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=4)
    try:
        for _ in range(20):
            connection.request("POST", "/webhook/servicedesk", body, {"X-ServiceDesk-Signature": signature})
            answer = connection.getresponse()
            answer.read()
            expect(answer.status == 413, f"a body of {LONG} bytes was answered {answer.status}")
    finally:
        connection.close()
    counted = stack.metrics()[oversize] - before
    expect(counted == 20, f"of 20 long bodies {counted} were counted")


def share_counters(stack):
    """Whether each responder has the file of counters mapped."""
    def has_mapped(pid):
        with open(f"/proc/{pid}/maps") as maps:
            return f"{stack.socket}.counters/" in maps.read()
    return [has_mapped(pid) for pid in stack.responders()]


def fill_runtime_directory(stack, number):
    """Limits the size of files, like a full file system, so that the next set finds no room for its counters. Then lifts the
    limit."""
    for name in os.listdir(f"{stack.socket}.counters"):
        os.remove(f"{stack.socket}.counters/{name}")
    stack.restart_responders(file_limit=PAGE - 1)
    expect(share_counters(stack) == [False, False], "the responders share counters although there is no room for them")
    stack.restart_responders()
    expect(share_counters(stack) == [True, True], "with room again the responders do not share their counters")


@contextlib.contextmanager
def many_processes(stack):
    few, stack.processes = stack.processes, MANY
    stack.with_settings()
    yield
    stack.processes = few
    stack.with_settings()


def replace_many(stack, number):
    old = stack.set_pid()
    stack.restart_responders()
    wait_for(lambda: len(stack.responders()) == MANY, what=f"{MANY} responders")
    expect(stack.set_pid() != old, "spawn/restart has not replaced the set")
    expect(all(share_counters(stack)), "not all processes of both sets have found a page of counters")
    expect(stack.metrics()["servicedesk_processes"] == MANY, "not all processes are counted")
    expect(not alive(old), "the old set is still there")
