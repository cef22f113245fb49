"""A worker for the plain format that loses nothing: redis-py, one job at a time. Copy it, and put your work into enhance().

    export SERVICEDESK_REDIS_URL=redis://worker:PASSWORD@127.0.0.1:6379/0
    python3 redis_worker.py             # as many of them as you like; TERM stops one when its job is done

BLMOVE moves a job to the worker's own list, so it is always in some list. It leaves that list when it is done, or dead, or
due again later, in one transaction with what is recorded about it. A worker gives a sign of life three times in a lease.
Other workers take back what a worker without a sign of life held, so a job may run more than once.
"""

import json
import os
import random
import signal
import socket
import threading
import time
from datetime import datetime, timezone

import redis

URL = os.environ.get("SERVICEDESK_REDIS_URL", "redis://127.0.0.1:6379/0")
QUEUE = os.environ.get("SERVICEDESK_QUEUE_KEY", "enhancement:queue")
DEAD = "enhancement:dead"

ATTEMPTS = int(os.environ.get("WORKER_ATTEMPTS", 5))  # runs of a job, counting those that killed their worker
BACKOFF = float(os.environ.get("WORKER_BACKOFF", 2))  # seconds before the second run, then twice as many each time
LEASE = int(os.environ.get("WORKER_LEASE", 30))  # seconds without a sign of life after which a worker counts as dead
REMEMBER = int(os.environ.get("WORKER_REMEMBER", 7 * 86400))  # seconds for which a finished job is recognised
LONGEST_BACKOFF = 900

# A new name at each start: what the previous process left then belongs to a dead worker, and is taken back like any other.
NAME = f"{socket.gethostname()}:{os.getpid()}:{random.getrandbits(32):08x}"
WORKERS = f"{QUEUE}:workers"
LATER = f"{QUEUE}:later"
OWN = f"{QUEUE}:worker:{NAME}"
ALIVE = f"{QUEUE}:alive:{NAME}"
# Outlives the sign of life by a day: a BLMOVE that was under way when its worker died can still be carried out.
KNOWN = f"{QUEUE}:known:{NAME}"

# The only clock that counts is Redis' own: those of the workers may differ.
# KEYS: a worker's sign of life, that it is known, its list, the queue, the names of workers. ARGV: its name.
# What the worker held is taken next.
TAKE_BACK = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local count = 0
while redis.call('LMOVE', KEYS[3], KEYS[4], 'LEFT', 'RIGHT') do count = count + 1 end
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('ZREM', KEYS[5], ARGV[1]) end
return count
"""
# KEYS: the jobs that are due later. ARGV: in how many seconds, the job.
PUT_OFF = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1] + now[2] / 1000000 + ARGV[1], ARGV[2])
"""
# KEYS: the jobs that are due later, the queue.
TAKE_DUE = """
local now = redis.call('TIME')
for _, job in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], 0, now[1] + now[2] / 1000000, 'LIMIT', 0, 100)) do
    redis.call('RPUSH', KEYS[2], job)
    redis.call('ZREM', KEYS[1], job)
end
"""


def tls(url):
    """For rediss://: the CAs to trust, and our own certificate. By default, redis-py before 6 would not compare the host."""
    if not url.startswith("rediss://"):
        return {}
    ca, certificate, key = (os.environ.get(f"SERVICEDESK_REDIS_{name}_FILE") or None for name in ("CA", "CERT", "KEY"))
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True,
            "ssl_ca_certs": ca, "ssl_certfile": certificate, "ssl_keyfile": key}


store = redis.Redis.from_url(URL, socket_timeout=30, **tls(URL))
stopping = threading.Event()
current = None  # the key of the job that runs
looked = 0  # when take_back() last looked


def enhance(job):
    """Your work. If it raises, the job is tried again later."""
    print(f"{job['job_id']}: {job['description'][:40]!r}", flush=True)


def main():
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    threading.Thread(target=keep_alive, daemon=True).start()
    while not stopping.is_set():
        try:
            sign_of_life()
            take_back()
            raw = take()
            if raw is not None:
                handle(raw)
        except redis.RedisError as error:  # what was in our list is still there
            say(f"Redis: {type(error).__name__}: {error}")
            stopping.wait(1)
    store.delete(ALIVE)  # if our list is not empty, another worker takes back what is in it


def take():
    """Returns the next job, which is then in our list. One that is already there comes first, as after a lost reply."""
    return store.lindex(OWN, -1) or store.blmove(QUEUE, OWN, 1, "RIGHT", "LEFT")


def handle(raw):
    try:
        job = json.loads(raw.decode())
        key = key_of(job)
        str(key).encode()  # fails for half a surrogate pair
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return bury(raw, f"not a job: {type(error).__name__}: {error}", 0, None)
    if not store.set(f"{QUEUE}:running:{key}", NAME, nx=True, ex=LEASE):
        return leave(raw, lambda pipe: pipe.eval(PUT_OFF, 1, LATER, LEASE / 3, raw))
    if store.exists(f"{QUEUE}:done:{key}"):
        say(f"{key} was done before")
        return leave(raw, lambda pipe: pipe.delete(f"{QUEUE}:running:{key}"))
    attempts = count(key)
    if attempts > ATTEMPTS:
        return bury(raw, "its worker died each time", attempts - 1, key)
    try:
        run(job, key)
    except Exception as error:
        if attempts == ATTEMPTS:
            return bury(raw, f"{type(error).__name__}: {error}", attempts, key)
        seconds = min(BACKOFF * 2 ** (attempts - 1), LONGEST_BACKOFF) * random.uniform(0.5, 1)
        say(f"{key} failed, again in {seconds:.1f} s: {error!r}")
        return leave(raw, lambda pipe: pipe.eval(PUT_OFF, 1, LATER, seconds, raw).delete(f"{QUEUE}:running:{key}"))
    if not leave(raw, lambda pipe: pipe.set(f"{QUEUE}:done:{key}", NAME, ex=REMEMBER).delete(*kept(key))):
        store.set(f"{QUEUE}:done:{key}", NAME, ex=REMEMBER)


def key_of(job):
    """What two jobs of the same delivery have in common; without delivery_id, what two runs of the same job have."""
    return f"{job['tenant_id']}:{job['delivery_id']}" if "delivery_id" in job else job["job_id"]


def kept(key):
    return f"{QUEUE}:attempts:{key}", f"{QUEUE}:running:{key}"


def count(key):
    """Counts a run before it begins, since one that kills its worker has no other chance. Returns how many there were."""
    with store.pipeline() as pipe:
        pipe.incr(f"{QUEUE}:attempts:{key}").expire(f"{QUEUE}:attempts:{key}", REMEMBER)
        return pipe.execute()[0]


def run(job, key):
    global current
    current = key
    try:
        enhance(job)
    finally:
        current = None


def leave(raw, record):
    """Takes the job out of our list, in one transaction with what is recorded; not if another worker has taken it back."""
    with store.pipeline() as pipe:
        try:
            pipe.watch(OWN)
            if pipe.lindex(OWN, -1) == raw:
                pipe.multi()
                record(pipe.lrem(OWN, 1, raw))
                return pipe.execute()
        except redis.WatchError:
            pass
    say("another worker has taken a job back, since this one gave no sign of life")


def bury(raw, reason, attempts, key):
    """Moves the job to the list of dead jobs, for servicedeskctl dead. A replay starts to count from 1 again."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = raw.decode("utf-8", "replace")
    rest = {"reason": reason[:500], "attempts": attempts, "failed_at": now, "worker": NAME}
    # The job as it came, byte for byte; a string if it is not a job.
    job = json.dumps(text) if key is None else text
    dead = f'{{"job":{job},{json.dumps(rest, separators=(",", ":"))[1:]}'
    say(f"dead after {attempts} attempts: {key}: {reason}")
    leave(raw, lambda pipe: pipe.lpush(DEAD, dead).delete(*kept(key)))


def sign_of_life():
    with store.pipeline() as pipe:
        # The score is for people: when it was, by this worker's clock.
        pipe.zadd(WORKERS, {NAME: time.time()}).set(ALIVE, 1, ex=LEASE).set(KNOWN, 1, ex=LEASE + 86400)
        if current:
            pipe.expire(f"{QUEUE}:running:{current}", LEASE)
        pipe.execute()


def keep_alive():
    while True:
        time.sleep(LEASE / 3)
        try:
            sign_of_life()
        except redis.RedisError as error:
            say(f"no sign of life: {type(error).__name__}: {error}")


def take_back():
    """Puts back into the queue what is due by now and what dead workers have held, at most once a second."""
    global looked
    now = time.monotonic()
    if now - looked < 1:
        return
    looked = now
    store.eval(TAKE_DUE, 2, LATER, QUEUE)
    for name in map(bytes.decode, store.zrange(WORKERS, 0, -1)):
        keys = [f"{QUEUE}:alive:{name}", f"{QUEUE}:known:{name}", f"{QUEUE}:worker:{name}", QUEUE, WORKERS]
        count = store.eval(TAKE_BACK, len(keys), *keys, name)
        if count:
            say(f"took back {count} from {name}")


def say(text):
    print(f"{NAME}: {text}", flush=True)


if __name__ == "__main__":
    main()
