"""A Celery worker for servicedesk-responder with SERVICEDESK_JOB_FORMAT=celery. Copy it, and put your work into enhance().

    export SERVICEDESK_REDIS_URL=redis://worker:PASSWORD@127.0.0.1:6379/1      # the responder's queue is there
    celery -A celery_worker worker --concurrency 4 --without-gossip --without-mingle --without-heartbeat

A job is taken off Redis for good when it is done or in the list enhancement:dead. Until then it comes back: at once if its
process dies, after WORKER_VISIBILITY seconds if the whole worker does. So a job may be given out more than once; once a
run has succeeded, further ones are skipped. The README beside this file says what Celery can still lose.
"""

import json
import os
import random
import signal
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timezone

import redis
from celery import Celery, signals
from celery.exceptions import Reject, Retry, SoftTimeLimitExceeded
from celery.utils.log import get_task_logger
from celery.worker import state
from celery.worker.strategy import default as default_strategy
from kombu import Queue

URL = os.environ.get("SERVICEDESK_REDIS_URL", "redis://127.0.0.1:6379/0")
QUEUE = os.environ.get("SERVICEDESK_QUEUE_KEY", "enhancement:queue")
TASK = os.environ.get("SERVICEDESK_CELERY_TASK", "tasks.enhance_ticket")
DEAD = "enhancement:dead"

ATTEMPTS = int(os.environ.get("WORKER_ATTEMPTS", 5))  # runs of a job, counting those that killed their process
BACKOFF = float(os.environ.get("WORKER_BACKOFF", 2))  # seconds before the second run, then twice as many each time
TIME_LIMIT = int(os.environ.get("WORKER_TIME_LIMIT", 600))  # seconds of a run; then it counts as failed
LEASE = int(os.environ.get("WORKER_LEASE", 30))  # seconds without a sign of life after which a run counts as dead
REMEMBER = int(os.environ.get("WORKER_REMEMBER", 7 * 86400))  # seconds for which a finished job is recognised
STUCK = int(os.environ.get("WORKER_STUCK", 30))  # seconds without a new job, though some wait, until the worker ends
# Seconds after which an unacknowledged job is given out again: more than a run and the longest backoff together.
VISIBILITY = int(os.environ.get("WORKER_VISIBILITY", 3600))
LONGEST_BACKOFF = VISIBILITY / 4


def enhance(job):
    """Your work. What it returns is the task's result; if it raises, the job is tried again later."""
    print(f"{job['job_id']}: {job['description'][:40]!r}")


def tls(url):
    """For rediss://: the CAs to trust, and our own certificate. By default, kombu would trust any server."""
    if not url.startswith("rediss://"):
        return {}
    ca, certificate, key = (os.environ.get(f"SERVICEDESK_REDIS_{name}_FILE") or None for name in ("CA", "CERT", "KEY"))
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True,
            "ssl_ca_certs": ca, "ssl_certfile": certificate, "ssl_keyfile": key}


app = Celery("enhancement", broker=URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host="))
app.conf.update(
    broker_use_ssl=tls(URL),
    redis_backend_use_ssl=tls(os.environ.get("CELERY_RESULT_BACKEND", "")),
    task_queues=[Queue(QUEUE)],
    task_default_queue=QUEUE,
    # Acknowledge when the job is done, and not when the process that runs it has died.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    # Take no more jobs than there are processes: the others stay in the queue, for other workers.
    worker_prefetch_multiplier=1,
    # No task_time_limit: Celery acknowledges what it kills for that, and the job is lost. This one raises in enhance().
    task_soft_time_limit=TIME_LIMIT,
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_channel_error_retry=True,  # a Redis that is demoted refuses to write; without this, the worker ends
    # "celery inspect" and "celery control" need True, and more rights: whoever can publish in Redis can then stop workers.
    worker_enable_remote_control=False,
    broker_transport_options={
        "visibility_timeout": VISIBILITY,
        "unacked_restore_throttle": 1,  # look for such jobs every 10 s, not every 100 s; Celery 5.2 does not know it
        "priority_steps": [0],  # one list; by default kombu looks into four
        # kombu's own names, "unacked" and so on, are the same for every application in the database.
        "unacked_key": f"{QUEUE}:unacked",
        "unacked_index_key": f"{QUEUE}:unacked_index",
        "unacked_mutex_key": f"{QUEUE}:unacked_mutex",
        "unacked_mutex_expire": 30,  # a worker killed while it looks for such jobs blocks the others so many seconds
    },
)
log = get_task_logger(__name__)
store = redis.Redis.from_url(URL, socket_timeout=30, **tls(URL))


def strategy(task, app, consumer):
    """Celery's own, for jobs only. A message that is none would be lost, or end one worker after the other."""
    take = default_strategy(task, app, consumer)

    def take_job(message, body, *rest):
        try:
            args, kwargs, _ = message.payload
            key_of(*args, **kwargs, task_id=message.headers["id"]).encode()  # fails for half a surrogate pair
            check_nesting([message.payload, message.headers])
        except Exception as error:
            bury(body_of(message), message.delivery_tag, f"not a job: {type(error).__name__}: {error}", 0, consumer.hostname)
            return message.ack_log_error(log, consumer.connection_errors)
        return take(message, body, *rest)

    return take_job


def check_nesting(value, levels=32):
    """Celery cannot hand to a process what is nested a few hundred levels deep."""
    if isinstance(value, (dict, list)):
        if levels == 0:
            raise ValueError("nested too deep")
        for inner in value.values() if isinstance(value, dict) else value:
            check_nesting(inner, levels - 1)


def body_of(message):
    return message.body.decode("utf-8", "replace") if isinstance(message.body, bytes) else str(message.body)


@app.task(bind=True, name=TASK, max_retries=None, Strategy=staticmethod(strategy))
def enhance_ticket(self, job):
    # Whatever a task raises, Celery acknowledges the job, except for Reject(requeue=True). Here that means that Redis
    # could not be reached. self.retry() itself raises Reject(requeue=False) if it cannot send the job.
    try:
        try:
            return attempt(self, job)
        except Retry:
            raise
        except Exception as error:
            log.error("%s goes back into the queue: %s: %s", self.request.id, type(error).__name__, error)
            time.sleep(1)
            raise Reject(error, requeue=True)
    except SoftTimeLimitExceeded as error:  # the time was up in that pause
        raise Reject(error, requeue=True)


def attempt(task, job):
    key = key_of(job, task.request.id)
    if not store.set(f"{QUEUE}:running:{key}", task.request.id, nx=True, ex=LEASE):
        # Do not just acknowledge this one: the run in progress may die.
        again(task, LEASE)
    if store.exists(f"{QUEUE}:done:{key}"):
        store.delete(f"{QUEUE}:running:{key}")
        log.info("%s was done before", task.request.id)
        return None
    attempts = count(key)
    if attempts > ATTEMPTS:
        return bury(job, key, "its worker died each time", attempts - 1, task.request.hostname)
    try:
        with running(key):
            result = enhance(job)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        if attempts == ATTEMPTS:
            return bury(job, key, reason, attempts, task.request.hostname)
        store.delete(f"{QUEUE}:running:{key}")
        again(task, min(BACKOFF * 2 ** (attempts - 1), LONGEST_BACKOFF) * random.uniform(0.5, 1), error)
    with store.pipeline() as pipe:
        pipe.set(f"{QUEUE}:done:{key}", task.request.id, ex=REMEMBER)
        pipe.delete(f"{QUEUE}:attempts:{key}", f"{QUEUE}:running:{key}")
        pipe.execute()
    return result


def key_of(job, task_id):
    """What two jobs of the same delivery have in common; without delivery_id, what two runs of the same job have."""
    if isinstance(job, dict) and "delivery_id" in job:
        return f"{job['tenant_id']}:{job['delivery_id']}"
    return task_id


def count(key):
    """Counts a run before it begins, since one that kills its process has no other chance. Returns how many there were."""
    with store.pipeline() as pipe:
        pipe.incr(f"{QUEUE}:attempts:{key}")
        pipe.expire(f"{QUEUE}:attempts:{key}", REMEMBER)
        return pipe.execute()[0]


def again(task, seconds, error=None):
    """Sends the job again, due in that many seconds, and has this one acknowledged: there may briefly be two, never none.
    argsrepr is passed on because Celery would make one with the ticket's text in it, the headers because 5.2 drops them."""
    names = "event", "delivery_id", "traceparent", "tracestate"
    headers = {name: task.request.get(name) for name in names if task.request.get(name)}
    raise task.retry(countdown=seconds, exc=error, argsrepr=task.request.argsrepr, headers=headers)


@contextmanager
def running(key):
    """Shows three times in a lease that the run is still going on, from a thread that dies with it."""
    over = threading.Event()

    def renew():
        while not over.wait(LEASE / 3):
            try:
                store.expire(f"{QUEUE}:running:{key}", LEASE)
            except redis.RedisError as error:
                log.warning("cannot renew the lease of %s: %s: %s", key, type(error).__name__, error)

    threading.Thread(target=renew, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def bury(job, key, reason, attempts, worker):
    """Puts the job into the list of dead jobs, for servicedeskctl dead. A replay starts to count from 1 again."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    dead = {"job": job, "reason": reason[:500], "attempts": attempts, "failed_at": now, "worker": worker, "task": TASK}
    with store.pipeline() as pipe:
        pipe.lpush(DEAD, json.dumps(dead, separators=(",", ":")))
        pipe.delete(f"{QUEUE}:attempts:{key}", f"{QUEUE}:running:{key}")
        pipe.execute()
    log.error("%s is dead after %d attempts: %s", key, attempts, reason)


@signals.worker_ready.connect
def watch(**_):
    """Celery may not notice that its connection to Redis has broken: each job that it cannot acknowledge then counts against
    its prefetch limit for good, and at the limit it asks Redis for nothing. Or it hangs on exit. systemd restarts it."""
    if not any(thread.name == "watch" for thread in threading.enumerate()):
        threading.Thread(target=end_when_stuck, name="watch", daemon=True).start()


def end_when_stuck():
    seen, still = None, 0
    while True:
        time.sleep(1)
        try:
            waiting = store.llen(QUEUE)
        except redis.RedisError:
            waiting = 0
        # A run that ends counts as well: for a moment no job runs, and the next one has not been taken yet.
        begun, running = state.all_total_count[0], len(state.active_requests)
        still = still + 1 if waiting and (begun, running) == seen else 0
        seen = begun, running
        if still > STUCK + (TIME_LIMIT if running else 0):
            log.critical("%d jobs wait and none is taken: the worker ends", waiting)
            os.kill(os.getpid(), signal.SIGKILL)


@signals.worker_ready.connect
def wake(sender, **_):
    """Celery 5.2, when it has acknowledged a job, sleeps for up to 5 s before it takes the next; newer ones do not."""
    if waker := getattr(sender.hub, "waker", None):  # of the previous connection
        waker.cancel()
    sender.hub.waker = sender.hub.call_repeatedly(0.1, lambda: None)


@signals.task_unknown.connect
@signals.task_rejected.connect
def discarded(sender, message, exc=None, **_):
    """Celery discards a message for a task that it does not know: the responder has another SERVICEDESK_CELERY_TASK."""
    try:
        job = message.payload[0][0]
    except Exception:
        job = body_of(message)
    task = message.headers.get("task") if isinstance(message.headers, dict) else None
    bury(job, message.delivery_tag, f"not a task of this worker: {task}", 0, sender.hostname)
