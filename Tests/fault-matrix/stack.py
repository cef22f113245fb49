"""The stack under test: redis-server, the responders as spawn/responder starts them, nginx with the shipped files, and a
proxy before Redis. All of it lives in one directory, on sockets and a port of its own, and dies with us."""
import contextlib
import ctypes
import http.client
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from redis_client import Redis, RedisError

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
QUEUE = "enhancement:queue"
SECRET = "correct-horse-battery-staple-0001"
PASSWORD = "first-password"


def wait_for(condition, seconds=10, what="something"):
    limit = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > limit:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.005)
    return value


def connections(stack):
    """How many connections to Redis are ready, of all processes."""
    metrics = stack.metrics()
    return sum(metrics[f'servicedesk_redis_connections{{state="{state}"}}'] for state in ("idle", "busy"))


def alive(pid):
    """False for a zombie. Reaps the process if it is our child."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def memory(pid):
    """Resident bytes."""
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s*(\d+)", file.read())[1]) * 1024


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Stack:
    def __init__(self, slack=1):
        """`slack`: the factor by which time limits are extended; large where a busy machine must not fail a test."""
        self.slack = slack
        # Orphans of daemons become our children instead of init's: they can be awaited, and none is left over.
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
        self.dir = tempfile.mkdtemp(prefix="faults.")
        self.real_redis, self.redis_link = f"{self.dir}/redis-itself.sock", f"{self.dir}/redis.sock"
        self.socket, self.log = f"{self.dir}/responder.sock", f"{self.dir}/responder.json"
        self.password = PASSWORD
        self.taken, self.redis_options = [], ()
        self.processes = 2
        self.redis_pid = self.nginx_pid = self.proxy = self.port = None
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SERVICEDESK_")}
        self.environment |= {
            "SERVICEDESK_PROGRAM": os.environ.get("SERVICEDESK_PROGRAM", f"{ROOT}/.build/release/servicedesk-responder"),
            "SERVICEDESK_SECRET": SECRET, "SERVICEDESK_RATE": "500000r/s", "SERVICEDESK_LOG_FILE": self.log,
            "SERVICEDESK_REDIS_URL": f"unix://:{PASSWORD}@{self.redis_link}", "SERVICEDESK_QUEUE_KEY": QUEUE}

    def up(self):
        self.route(self.real_redis)
        self.start_redis()
        self.start_responders()
        self.start_nginx()
        self.wait_ready()

    def down(self):
        """Ends all processes that are left: our children, and their orphans."""
        while left := children(os.getpid()):
            for pid in left:
                kill(pid, signal.SIGCONT)
                kill(pid)
            for pid in left:
                wait_for(lambda: not alive(pid), what=f"process {pid} to go")

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def spawn(self, name, *command, **options):
        with open(f"{self.dir}/{name}.log", "ab") as log:
            return subprocess.Popen(command, stdin=options.pop("stdin", subprocess.DEVNULL),
                                    stdout=options.pop("stdout", log), stderr=log, start_new_session=True, **options)

    # --- Redis -------------------------------------------------------------------------------------------------------

    def start_redis(self, password=PASSWORD):
        """Starts Redis, from its append-only file if there is one, and waits until it takes commands."""
        self.password = password
        os.makedirs(f"{self.dir}/redis", exist_ok=True)
        self.redis_pid = self.spawn(
            "redis", "redis-server", "--dir", f"{self.dir}/redis", "--port", "0", "--unixsocket", self.real_redis,
            "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--requirepass", password,
            *self.redis_options).pid
        wait_for(self.redis_answers, 30, "Redis")

    def redis_answers(self):
        try:
            return self.redis("PING") == "PONG"
        except (OSError, RedisError):
            return False

    def stop_redis(self, number=signal.SIGKILL):
        kill(self.redis_pid, number)
        wait_for(lambda: not alive(self.redis_pid), 30, "Redis to end")

    def redis(self, *words):
        with Redis(self.real_redis, self.password) as redis:
            return redis(*words)

    def hang_up(self):
        """Redis closes the connections of all responders."""
        return self.redis("CLIENT", "KILL", "TYPE", "normal")

    @contextlib.contextmanager
    def under_way(self, pushes=0):
        """Stops Redis meanwhile, so that a fault meets pushes that were sent and not answered: at least so many, if they
        arrive in time."""
        os.kill(self.redis_pid, signal.SIGSTOP)
        try:
            time.sleep(0.1)
            wait_for(lambda: not pushes or self.metrics()["servicedesk_pending_pushes"] >= pushes, 4, f"{pushes} pushes")
            yield
        finally:
            kill(self.redis_pid, signal.SIGCONT)

    def route(self, path):
        """Sets where responders find Redis when they connect next: Redis itself, or the proxy."""
        os.symlink(path, f"{self.redis_link}.new")
        os.replace(f"{self.redis_link}.new", self.redis_link)

    def start_proxy(self):
        path = f"{self.dir}/proxy.sock"
        self.proxy = self.spawn("proxy", sys.executable, "-B", f"{HERE}/proxy.py", path, self.real_redis,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        wait_for(lambda: os.path.exists(path), what="the proxy")
        self.route(path)
        self.hang_up()

    def proxy_mode(self, *words):
        """Sets the proxy's mode. Returns how often the last one has struck, and how many pieces it still holds."""
        self.proxy.stdin.write(" ".join(map(str, words)) + "\n")
        self.proxy.stdin.flush()
        return tuple(map(int, self.proxy.stdout.readline().split()))

    def stop_proxy(self):
        self.route(self.real_redis)
        self.proxy.kill()
        self.proxy.communicate()

    # --- responders --------------------------------------------------------------------------------------------------

    def start_responders(self, **settings):
        self.spawn("responder", f"{ROOT}/spawn/responder", self.socket, "--processes", str(self.processes),
                   env=self.environment | settings)
        wait_for(lambda: len(self.responders()) == self.processes, what=f"{self.processes} responders")

    def set_pid(self):
        """The process id of multiwatch."""
        try:
            with open(f"{self.socket}.pid") as file:
                return int(file.read())
        except (FileNotFoundError, ValueError):
            return 0

    def responders(self):
        """The process ids of the children that have become responders."""
        def name(pid):
            try:
                with open(f"/proc/{pid}/comm") as file:
                    return file.read().strip()
            except (FileNotFoundError, ProcessLookupError):
                return ""
        program = os.path.basename(self.environment["SERVICEDESK_PROGRAM"])[:15]
        return [pid for pid in children(self.set_pid()) if name(pid) == program]

    def supervise(self):
        """What systemd would do when multiwatch has been killed."""
        if not alive(self.set_pid()):
            self.start_responders()

    def with_settings(self, **settings):
        """Replaces the responders by others with these settings in addition. No sender is running, so those that have not
        ended after 2 s may end at once, on a second TERM."""
        pid = self.set_pid()
        kill(pid, signal.SIGTERM)
        try:
            wait_for(lambda: not alive(pid), 2.1)
        except TimeoutError:
            kill(pid, signal.SIGTERM)
        wait_for(lambda: not alive(pid), 30, "the responders to end")
        self.start_responders(**settings)
        self.wait_ready()

    def restart_responders(self, file_limit=resource.RLIM_INFINITY):
        """Replaces them without a failed request. The new ones may write files of at most so many bytes."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, resource.RLIM_INFINITY))
        try:
            subprocess.run([f"{ROOT}/spawn/restart", self.socket, "--processes", str(self.processes)],
                           env=self.environment, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           timeout=120, preexec_fn=limit)
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"spawn/restart failed: {error.stderr.strip()}") from None

    def signal_responders(self, number):
        for pid in self.responders():
            kill(pid, number)

    # --- nginx -------------------------------------------------------------------------------------------------------

    def start_nginx(self):
        """On a free port the first time, then on the same one."""
        if os.path.exists(f"{self.dir}/nginx.pid"):
            os.remove(f"{self.dir}/nginx.pid")
        started = subprocess.run(
            ["bash", "-c", '. "$1/spawn/lib.sh"; start_nginx "$2" "$3" "$4"; echo "$pid $port"', "bash", ROOT,
             self.dir, self.socket, str(self.port or random.randint(20000, 29000))],
            env=self.environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.nginx_pid, port = map(int, started.stdout.split())
        if self.port not in (None, port):
            raise RuntimeError(f"another process has taken port {self.port}")
        self.port = port

    def reload_nginx(self):
        old = set(self.nginx_workers())
        kill(self.nginx_pid, signal.SIGHUP)
        wait_for(lambda: set(self.nginx_workers()) - old, what="new workers of nginx")

    def reach_each_responder(self):
        """Has each in turn take the requests. Otherwise one may get none for long: nginx prefers the connections that it
        has, and the kernel gives a new one to the first process that waits for any. So all processes are stopped until
        other requests hold all connections that there are, and then one goes on alone."""
        pids = self.responders()
        for pid in pids:
            holding = []
            try:
                for each in pids:
                    kill(each, signal.SIGSTOP)
                for _ in range(64 * min(len(self.nginx_workers()), 4) + 40):  # nginx keeps 64 for each worker
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                    connection.request("GET", "/health/live")
                    holding.append(connection)
                kill(pid, signal.SIGCONT)
                time.sleep(0.2)
            finally:
                for each in pids:
                    kill(each, signal.SIGCONT)
            for connection in holding:
                connection.getresponse().read()
                connection.close()

    def nginx_workers(self):
        return children(self.nginx_pid)

    def get(self, path, timeout=10):
        """Status and text of a GET on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def wait_ready(self):
        def ready():
            try:
                # Both of them: connections are spread over the processes by chance.
                return all(self.get("/health/ready")[0] == 200 for _ in range(8))
            except OSError:
                return False
        wait_for(ready, 20, "responders that are ready")

    def metrics(self):
        """Every sample of /metrics, by its name and labels."""
        status, text = self.get("/metrics")
        if status != 200:
            raise RuntimeError(f"/metrics answered {status}")
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))}

    # --- the queue ---------------------------------------------------------------------------------------------------

    def take_jobs(self):
        """Takes all jobs as workers do, the oldest first, and keeps them for the ledger."""
        with Redis(self.real_redis, self.password) as redis:
            while some := redis("RPOP", QUEUE, 5000):
                self.taken += some

    def hand_over_jobs(self):
        self.take_jobs()
        taken, self.taken = self.taken, []
        return taken
