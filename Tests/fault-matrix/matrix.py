"""The faults of the matrix: how each is caused and undone, and what senders may see of it."""
import contextlib
import dataclasses
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable

import edges
import hostile
import limits
import tls
from stack import HERE, PASSWORD, QUEUE, Redis, alive, connections, descriptors, kill, wait_for

LOST = "servicedesk_redis_connections_lost_total"


@dataclasses.dataclass
class Fault:
    """`strike` causes and undoes it; if it raises Unexpected, the fault has failed."""
    name: str
    what: str
    strike: Callable
    times: int = 20
    short: int = 2
    rest: float = 0.3          # seconds between two strikes, at most three times as long
    answers: str = "503"       # what senders may see, and
    loses_counters: bool = False  # whether responders are killed: see Ledger
    recovers: float = 3.0      # seconds to the first 202 after it, at most
    evidence: str = ""         # a counter that grows if the fault has really struck
    executes: bool = False     # it must have kept back replies to pushes that were executed
    around: Callable = contextlib.nullcontext
    load: dict = dataclasses.field(default_factory=dict)
    drains: bool = False       # the queue has a limit: jobs are taken while the senders finish


def pause(least, most=None):
    time.sleep(random.uniform(least, most or least))


# --- responders ------------------------------------------------------------------------------------------------------

def kill_responder(stack, number):
    """The older one, or, every fifth time, the whole set at once."""
    wait_for(lambda: stack.supervise() or len(stack.responders()) == 2, what="two responders")
    victims = stack.responders()
    if number % 5 == 4:
        victims.insert(0, stack.set_pid())
    else:
        victims = victims[:1]
    with stack.under_way():
        for pid in victims:
            kill(pid)
    for pid in victims:
        wait_for(lambda: not alive(pid))


def replace_responders(stack, number):
    old = stack.set_pid()
    stack.restart_responders()
    limits.expect(not alive(old) and stack.set_pid() != old, "spawn/restart has not replaced the set")


# --- Redis -----------------------------------------------------------------------------------------------------------

def kill_redis(stack, number):
    with stack.under_way() if number % 2 else contextlib.nullcontext():
        stack.stop_redis()
    pause(0, 0.5)
    if number % 4 == 1:
        pause(3)  # long enough for the breaker to open
    stack.start_redis()


def stop_redis_for(seconds):
    def strike(stack, number):
        os.kill(stack.redis_pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(stack.redis_pid, signal.SIGCONT)
    return strike


def change_password(stack, number):
    stack.stop_redis(signal.SIGTERM)
    stack.start_redis("second-password")
    pause(0.3, 0.8)
    stack.stop_redis(signal.SIGTERM)
    stack.start_redis(PASSWORD)


def demote(stack, number):
    """Makes Redis the replica of a primary that does not exist: without replication only we can lose anything."""
    stack.redis("REPLICAOF", "127.0.0.1", "1")
    pause(0.2, 0.8)
    stack.redis("REPLICAOF", "NO", "ONE")


def kill_clients(stack, number):
    """Every second time in the very event loop cycle in which Redis has executed pushes and not replied yet."""
    if number % 2:
        stack.hang_up()
        return
    with Redis(stack.real_redis, stack.password) as redis:
        time.sleep(0.1)  # otherwise Redis serves this connection first, and kills before it has read the pushes
        with stack.under_way(pushes=8):
            redis.send("CLIENT", "KILL", "TYPE", "normal")
        redis.reply()


# Ways to make Redis refuse pushes for a while: the command that causes it, and the one that undoes it.
HIDE = f"redis.call('RENAME', '{QUEUE}', 'aside') redis.call('SET', '{QUEUE}', 'no list')"
SHOW = f"redis.call('DEL', '{QUEUE}') redis.call('RENAME', 'aside', '{QUEUE}')"
REFUSALS = {
    "OOM": ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
    "NOREPLICAS": ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
    "NOPERM": ("ACL SETUSER default -lpush", "ACL SETUSER default +@all"),
    "NOPERM of SET": ("ACL SETUSER default -set", "ACL SETUSER default +@all"),
    "WRONGTYPE": (["EVAL", HIDE, 0], ["EVAL", SHOW, 0]),
    "NOSCRIPT": ("SCRIPT FLUSH", "PING"),
    "max clients": ("CONFIG SET maxclients 1", "CONFIG SET maxclients 10000"),
}


def refuse(stack, number):
    kind = (*REFUSALS, "BUSY", "MISCONF")[number % (len(REFUSALS) + 2)]
    with Redis(stack.real_redis, stack.password) as redis:
        if kind == "BUSY":
            redis("CONFIG", "SET", "busy-reply-threshold", 20)
            with Redis(stack.real_redis, stack.password) as other:
                other.send("EVAL", "while true do end", 0)
                pause(0.5)
                redis("SCRIPT", "KILL")
        elif kind == "MISCONF":
            # A directory in place of the snapshot, which then cannot be saved.
            os.makedirs(f"{stack.dir}/redis/dump.rdb", exist_ok=True)
            redis("CONFIG", "SET", "save", "3600 1")
            redis("BGSAVE")
            wait_for(lambda: "rdb_last_bgsave_status:err" in redis("INFO", "persistence").decode(), what="a failed BGSAVE")
            pause(0.5)
            redis("CONFIG", "SET", "save", "")
        else:
            do, undo = (words if isinstance(words, list) else words.split() for words in REFUSALS[kind])
            redis(*do)
            with stack.under_way():
                pass  # so that many pushes are refused, not only the first, which opens the breaker
            if kind == "max clients":
                redis("CLIENT", "KILL", "TYPE", "normal")
            pause(0.4, 0.8)
            redis(*undo)


# --- between responders and Redis ------------------------------------------------------------------------------------

@contextlib.contextmanager
def proxied(stack):
    stack.start_proxy()
    stack.wait_ready()
    yield
    wait_for(lambda: stack.proxy_mode("pass")[1] == 0, what="the pieces that the proxy holds to reach Redis")
    time.sleep(0.1)
    stack.stop_proxy()
    stack.wait_ready()


def in_the_way(*mode):
    def strike(stack, number):
        words = mode
        if mode == ("delay",):
            words = ("delay", 6 if number % 8 == 1 else 0.3)  # the longer one is longer than the responders wait
        breaks = mode[0] in ("cut-command", "cut-reply", "garbage")
        if breaks:
            # A process without a connection would answer at once, nginx would prefer it, and no command would be cut.
            wait_for(lambda: connections(stack) >= len(stack.responders()), what="all processes to be connected")
        before = stack.metrics()[LOST] if breaks else 0
        with stack.under_way(pushes=8) if mode[0] in ("cut-reply", "garbage") else contextlib.nullcontext():
            stack.proxy_mode(*words)
        pause(0.4)
        try:
            # A connection that is cut while it greets was not one yet, and is not counted.
            wait_for(lambda: stack.proxy_mode(*words)[0] and (not breaks or stack.metrics()[LOST] > before),
                     what=f"the proxy's {mode[0]} to strike")
        finally:
            stack.proxy_mode("pass")
    return strike


# --- nginx -----------------------------------------------------------------------------------------------------------

def reload_nginx(stack, number):
    stack.reload_nginx()


def kill_nginx(stack, number):
    """A worker or all of nginx, by KILL or TERM in turn."""
    by = signal.SIGKILL if number % 2 else signal.SIGTERM
    workers = stack.nginx_workers()
    if number % 4 < 2:
        victims = workers[:1]
    else:
        victims = [stack.nginx_pid, *(workers if by == signal.SIGKILL else ())]
    with stack.under_way():
        for pid in victims:
            kill(pid, by)
        time.sleep(0.05)
    for pid in victims:
        wait_for(lambda: not alive(pid))
    if stack.nginx_pid in victims:
        stack.start_nginx()


# --- the machine -----------------------------------------------------------------------------------------------------

def reopen_log(stack, target):
    """Links the log file to another target, and waits until the responders write there."""
    if os.path.lexists(stack.log):
        os.remove(stack.log)
    if target:
        os.symlink(target, stack.log)
    stack.signal_responders(signal.SIGHUP)

    def is_open(pid):
        return any(os.path.realpath(f"/proc/{pid}/fd/{number}") == (target or stack.log)
                   for number in os.listdir(f"/proc/{pid}/fd"))
    wait_for(lambda: all(is_open(pid) for pid in stack.responders()), what="the log to be reopened")


def fill_disk(stack, number):
    """A device that is always full, or a pipe that nothing reads."""
    if number % 2 == 0:
        reopen_log(stack, "/dev/full")
        pause(0.5)
    else:
        pipe = f"{stack.dir}/pipe"
        if not os.path.exists(pipe):
            os.mkfifo(pipe)
        with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb"):
            reopen_log(stack, pipe)
            pause(0.8)
    reopen_log(stack, None)


def exhaust_descriptors(stack, number):
    """Lowers the limit to what is open, fills what is left, and has Redis hang up: it cannot be dialled again."""
    pids, before = stack.responders(), {}
    idle = []
    for pid in pids:
        before[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors(pid) + 4, before[pid][1]))
    try:
        for _ in range(100):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(stack.socket)
            idle.append(connection)
        pause(0.1)
        stack.hang_up()
        pause(0.3, 0.6)
    finally:
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before[pid])
        for connection in idle:
            connection.close()


@contextlib.contextmanager
def with_clock(stack):
    library = f"{stack.dir}/clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, f"{HERE}/clock.c"], check=True)
    stack.clock = f"{stack.dir}/clock"
    set_clock(stack, 0)
    stack.with_settings(LD_PRELOAD=library, CLOCK_FILE=stack.clock)
    yield
    stack.with_settings()


def set_clock(stack, seconds):
    with open(f"{stack.clock}.new", "w") as file:
        file.write(str(seconds))
    os.replace(f"{stack.clock}.new", stack.clock)


def set_clock_back(stack, number):
    """By a day, and forward again, in turn."""
    set_clock(stack, 0 if number % 2 else -86400)
    pause(0.3)

    def is_set():
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - (0 if number % 2 else 86400)))
        return f'"created_at":"{day}' in stack.redis("LINDEX", QUEUE, 0).decode()
    wait_for(is_set, what="jobs of the other day")


FAULTS = [
    Fault("responder-killed", "kill -9 of a responder, every fifth time of the whole set", kill_responder,
          answers="all", loses_counters=True, recovers=4),
    Fault("responder-replaced", "spawn/restart: a new set takes over the socket, the old one drains", replace_responders,
          short=1, answers="202"),
    Fault("redis-killed", "kill -9 of Redis, and its start from the append-only file", kill_redis, evidence=LOST),
    Fault("redis-stopped-1s", "Redis stopped (SIGSTOP) for 1 s", stop_redis_for(1)),
    Fault("redis-stopped-6s", "Redis stopped for 6 s, longer than a reply is waited for", stop_redis_for(6), times=3,
          short=1, evidence=LOST),
    Fault("redis-stopped-20s", "Redis stopped for 20 s, longer than any request may wait", stop_redis_for(20), times=3,
          short=0, evidence=LOST),
    Fault("redis-password", "Redis restarted with another password, then with the right one", change_password,
          short=1, evidence=LOST),
    Fault("redis-demoted", "the primary turned into a replica, and back", demote, evidence=LOST),
    Fault("redis-refuses", "/".join((*REFUSALS, "BUSY", "MISCONF")), refuse, times=27, short=9, rest=0.1, recovers=5),
    Fault("client-killed", "CLIENT KILL of all responders' connections", kill_clients, short=4, evidence=LOST,
          executes=True),
    Fault("proxy-delay", "a proxy holds everything for 0.3 s, sometimes 6 s", in_the_way("delay"), recovers=8,
          short=1, around=proxied),
    Fault("proxy-cut-command", "a proxy cuts in the middle of a command", in_the_way("cut-command"), around=proxied,
          evidence=LOST),
    Fault("proxy-cut-reply", "a proxy cuts in the middle of a reply", in_the_way("cut-reply"), around=proxied,
          evidence=LOST, executes=True),
    Fault("proxy-drip", "a proxy forwards replies byte by byte", in_the_way("drip"), around=proxied, answers="202"),
    Fault("proxy-garbage", "a proxy sends bytes that are not a reply", in_the_way("garbage"), around=proxied, evidence=LOST),
    Fault("tls-cut-command", "TLS cut in the middle of a record of commands", in_the_way("cut-command"),
          around=tls.proxied, evidence=LOST),
    Fault("tls-cut-reply", "TLS cut in the middle of a record of replies", in_the_way("cut-reply"), short=1,
          around=tls.proxied, evidence=LOST, executes=True),
    Fault("tls-certificate", "Redis' certificate exchanged for a stranger's, and for another one", tls.exchange_certificate,
          short=1, around=tls.proxied, evidence=LOST),
    Fault("tls-handshake", "no answer in handshakes for 2.5 s", tls.stall_handshakes, times=5, short=1,
          around=tls.proxied, evidence=LOST, recovers=5),
    Fault("tls-storm", f"Redis restarted under {tls.MANY} processes: all shake hands at once", tls.storm, times=5, short=1,
          around=tls.many, evidence=LOST),
    Fault("nginx-reloaded", "nginx reloaded", reload_nginx, answers="all"),
    Fault("nginx-killed", "a worker or all of nginx killed by TERM and KILL, and started again", kill_nginx, times=24,
          short=4, answers="all"),
    Fault("log-full", "a full device, or a pipe that nothing reads, as the log file", fill_disk, answers="202"),
    Fault("descriptors", "descriptors exhausted while Redis hangs up", exhaust_descriptors,
          evidence="servicedesk_accept_failures_total"),
    Fault("clock-back", "the time of day set back by a day, and forward", set_clock_back, answers="202",
          around=with_clock),
    Fault("overload", "Redis stopped, ten times as many requests as may wait", limits.overload, times=5, short=1,
          around=limits.small_capacity, load={"rate": 500, "in_flight": 160, "words": 400}),
    Fault("queue-full", "SERVICEDESK_MAX_QUEUE_DEPTH reached, then a worker empties the queue", limits.fill_queue,
          around=limits.short_queue, drains=True, recovers=2, load={"in_flight": limits.IN_FLIGHT}),
    Fault("hostile-bytes", "bytes that no web server sends, at the FastCGI socket", hostile.attack, short=1, answers="202",
          around=hostile.hurried),
    Fault("long-bodies", "bodies over the limit among good ones on kept connections", edges.send_long_bodies,
          answers="202", around=edges.small_bodies),
    Fault("runtime-full", "no room for a set's counters, then room again", edges.fill_runtime_directory, times=5, short=1,
          answers="202", loses_counters=True),
    Fault("many-replaced", "spawn/restart of 40 processes", edges.replace_many, times=5, short=1, answers="202",
          around=edges.many_processes),
]
if not shutil.which("cc"):
    FAULTS = [fault for fault in FAULTS if fault.name != "clock-back"]
