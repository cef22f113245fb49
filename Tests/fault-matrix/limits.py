"""Overload: more requests than there is room for while Redis does not answer, more jobs than the queue may hold."""
import contextlib
import hashlib
import hmac
import http.client
import os
import signal
import statistics
import threading
import time

from stack import QUEUE, memory, wait_for

PENDING = 64                # requests that may wait, of each of two processes
DEPTH = 200                 # jobs that the queue may hold
IN_FLIGHT = 20              # deliveries that a sender has in flight at once while the queue is short
FLAT = 3 * 1_048_576        # bytes that ten times the capacity may cost all processes beyond what the capacity costs
QUICK = (0.010, 0.100)      # seconds for an answer that does not need Redis: median, and 95 of 100


class Unexpected(Exception):
    """The stack did not do what it should."""


def expect(is_so, what):
    if not is_so:
        raise Unexpected(what)


@contextlib.contextmanager
def small_capacity(stack):
    # No request may time out for lack of Redis before ten times the capacity has arrived.
    stack.with_settings(SERVICEDESK_MAX_PENDING=str(PENDING), SERVICEDESK_REDIS_TIMEOUT="12", SERVICEDESK_PUSH_DEADLINE="12")
    yield
    stack.with_settings()


class Prober(threading.Thread):
    """Keeps sending requests that need no Redis, and records their times."""

    def __init__(self, port):
        super().__init__()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.is_over = False
        self.times = {"a wrong signature": [], "/health/live": []}
        self.failure = None
        self.start()

    def run(self):
        wrong = {"X-ServiceDesk-Signature": hmac.new(b"not the secret", b"{}", hashlib.sha256).hexdigest()}
        try:
            while not self.is_over:
                self.ask("a wrong signature", 401, "POST", "/webhook/servicedesk", b"{}", wrong)
                self.ask("/health/live", 200, "GET", "/health/live")
                time.sleep(0.01)
        except (OSError, http.client.HTTPException, Unexpected) as error:
            self.failure = repr(error)
        self.connection.close()

    def ask(self, what, status, *request):
        start = time.monotonic()
        self.connection.request(*request)
        answer = self.connection.getresponse()
        answer.read()
        self.times[what].append(time.monotonic() - start)
        expect(answer.status == status, f"{what} was answered {answer.status}")

    def finish(self, slack):
        self.is_over = True
        self.join()
        expect(not self.failure, f"while Redis is stopped: {self.failure}")
        for what, times in self.times.items():
            expect(len(times) >= 20, f"only {len(times)} answers to {what}")
            median, most = statistics.median(times), sorted(times)[len(times) * 95 // 100]
            print(f"    {what}: {median * 1000:.1f} ms at the median, {most * 1000:.1f} ms at 95 of 100", flush=True)
            expect(median <= QUICK[0] * slack and most <= QUICK[1] * slack, f"{what} took {median:.3f} s, {most:.3f} s")


def overload(stack, number):
    os.kill(stack.redis_pid, signal.SIGSTOP)
    try:
        overloaded = 'servicedesk_requests_total{status="503",reason="overloaded"}'
        refused = stack.metrics()[overloaded]
        # nginx uses the connection that became free last, so one process may be full before the other is.
        wait_for(lambda: stack.metrics()[overloaded] > refused, 5, "both processes to be full")
        at_capacity = sum(map(memory, stack.responders()))
        prober = Prober(stack.port)
        try:
            wait_for(lambda: stack.metrics()[overloaded] >= refused + 20 * PENDING, 6, "ten times the capacity")
            wait_for(lambda: len(prober.times["/health/live"]) >= 25, what="the prober's requests")
            beyond = sum(map(memory, stack.responders()))
        finally:
            prober.finish(stack.slack)
        pending = stack.metrics()["servicedesk_pending_pushes"]
    finally:
        os.kill(stack.redis_pid, signal.SIGCONT)
    print(f"    resident {at_capacity / 1e6:.1f} MB at capacity, {beyond / 1e6:.1f} MB at ten times that", flush=True)
    expect(beyond - at_capacity <= FLAT, f"memory grew by {beyond - at_capacity} bytes")
    expect(pending <= 2 * PENDING, f"{pending} requests wait")


@contextlib.contextmanager
def short_queue(stack):
    stack.with_settings(SERVICEDESK_MAX_QUEUE_DEPTH=str(DEPTH))
    yield
    stack.with_settings()


def fill_queue(stack, number):
    full = 'servicedesk_requests_total{status="503",reason="queue_full"}'
    before = stack.metrics()[full]
    wait_for(lambda: stack.metrics()[full] > before + 20, what="a full queue")
    depth = stack.redis("LLEN", QUEUE)
    # A process knows the depth from its last push; everything in flight then may have been pushed since.
    expect(DEPTH <= depth <= DEPTH + 6 * IN_FLIGHT, f"the queue is {depth} long")
    stack.take_jobs()
