"""What the benchmarks share: the stack with its contenders, the load, and what it costs."""
import contextlib
import hashlib
import hmac
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PEERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")
SECRET = "peer-secret-peer-secret-peer-secret-0123"
TICK = os.sysconf("SC_CLK_TCK")
WORDS = ("the mail server in Leeds is slow and unresponsive since this morning users report \"Trying to connect…\" in Outlook "
         "after the update; VPN drops every 20 minutes, ping to 10.1.4.2 shows 30% loss\nPlease advise — thanks").split(" ")


def payload(rng, size, tenant):
    text = ""
    while len(text) < size:
        text += rng.choice(WORDS) + " "
    return json.dumps({"event": "ticket_created", "ticket_id": f"TKT-{rng.randrange(10**6)}", "tenant_id": tenant,
                       "description": text[:max(size, 1)], "priority": rng.choice(["low", "medium", "high", "critical"]),
                       "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}, ensure_ascii=rng.random() < .5)


def load_script(path, size, named=False, secret_of=lambda _: ("tenant-abc", SECRET)):
    """A script for wrk: 256 signed tickets, sent over and over; each a delivery with a name of its own if `named`.

    `secret_of` says whose the ticket of a number is, and what signs it.
    """
    rng = random.Random(7)
    header = '["webhook-id"]="@",' if named else ""
    with open(path, "w") as f:
        f.write("local r, n, run = {}, 0, os.time()\nfunction init(args)\n")
        for number in range(256):
            n = size or min(10000, int(rng.lognormvariate(6, 1)))   # median about 400 characters, 1 in 100 over 4,000
            tenant, secret = secret_of(number)
            body = payload(rng, n, tenant)
            mac = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
            f.write('r[#r+1] = wrk.format("POST", nil, {%s["Content-Type"]="application/json",["X-ServiceDesk-Signature"]="%s"}, %s)\n'
                    % (header, mac, lua(body)))
        if named:
            f.write("for i, q in ipairs(r) do local a, b = q:find('@', 1, true) r[i] = {q:sub(1, a - 1), q:sub(b + 1)} end\nend\n"
                    "function request() n = n + 1 local q = r[n % #r + 1] return q[1] .. run .. '-' .. n .. q[2] end\n")
        else:
            f.write("end\nfunction request() n = n % #r + 1 return r[n] end\n")


def lua(s):
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in (34, 92) else "\\%03d" % b for b in s.encode()) + '"'


def cpu():
    spent = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
            spent[int(pid)] = (int(fields[1]), (int(fields[11]) + int(fields[12])) / TICK)
        except (OSError, IndexError):
            pass
    return spent


def free_ports(count):
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


def family(spent, root):
    got, grew = {root}, True
    while grew:
        more = {p for p, (parent, _) in spent.items() if parent in got} - got
        grew = bool(more)
        got |= more
    return got


class Rig:
    """Redis, nginx and the contenders that are asked for, on loopback and in a temporary directory."""

    def __init__(self, only, ours, port=18099, before=None):
        self.dir = tempfile.mkdtemp(prefix="bench-")
        os.chmod(self.dir, 0o755)
        self.only, self.port, self.roots = only, port, {}
        self.env = dict(os.environ, PEER_REDIS=f"{self.dir}/redis.sock", PEER_SECRET=SECRET)
        self.redis_options = ["--port", "0"]
        # Each of our builds with the settings that it has in addition.
        self.builds = {"ours": (ours, []), "before": (before, []), "celery": (ours, ["SERVICEDESK_JOB_FORMAT=celery"])}
        if {"tcp", "tls"} & set(only):
            self.open_ports(ours)

    def open_ports(self, ours):
        """Has Redis listen on TCP as well, plain and with TLS, for `tcp` and `tls`."""
        plain, tls = free_ports(2)
        files = f"{self.dir}/redis.crt", f"{self.dir}/redis.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
                       check=True, stderr=subprocess.DEVNULL)
        os.chmod(files[0], 0o644)
        self.redis_options = ["--port", plain, "--tls-port", tls, "--bind", "127.0.0.1", "--tls-auth-clients", "no",
                              "--tls-cert-file", files[0], "--tls-key-file", files[1], "--tls-ca-cert-file", files[0]]
        for name, settings in (("tcp", [f"SERVICEDESK_REDIS_URL=redis://127.0.0.1:{plain}"]),
                               ("tls", [f"SERVICEDESK_REDIS_URL=rediss://127.0.0.1:{tls}",
                                        f"SERVICEDESK_REDIS_CA_FILE={files[0]}"])):
            self.builds[name] = ours.replace("SERVICEDESK_REDIS_URL=unix://$PEER_REDIS", " ".join(settings)), []

    def pid(self, name):
        for _ in range(100):
            try:
                return int(open(f"{self.dir}/{name}.pid").read())
            except (OSError, ValueError):
                time.sleep(.05)
        sys.exit(f"{name} did not start")

    def spawn(self, name, command):
        subprocess.run(["spawn-fcgi", "-s", f"{self.dir}/{name}.sock", "-M", "0777", "-b", "1024", "-P", f"{self.dir}/{name}.pid",
                        "--", *command], env=self.env, check=True, stdout=subprocess.DEVNULL)
        self.roots[name] = self.pid(name)

    def up(self):
        subprocess.run(["redis-server", *map(str, self.redis_options), "--unixsocket", f"{self.dir}/redis.sock", "--unixsocketperm", "777",
                        "--save", "", "--daemonize", "yes", "--pidfile", f"{self.dir}/redis.pid", "--logfile",
                        f"{self.dir}/redis.log"], check=True)
        self.roots["redis"] = self.pid("redis")
        time.sleep(.3)
        for name, libs in (("threads", ["-lhiredis"]), ("limit", [])):
            if name in self.only:
                subprocess.run(["gcc", "-O2", "-w", f"{PEERS}/{name}.c", "-o", f"{self.dir}/{name}", "-lfcgi", "-lcrypto",
                                "-lpthread", *libs], check=True)
                self.spawn(name, [f"{self.dir}/{name}"])
        if "fastapi" in self.only:
            p = subprocess.Popen([os.environ.get("PEER_PYTHON", "python3"), "-m", "uvicorn", "app:app", "--app-dir", PEERS, "--uds",
                                  f"{self.dir}/fastapi.sock", "--workers", "2", "--no-access-log", "--log-level", "warning"], env=self.env)
            self.roots["fastapi"] = p.pid
            for _ in range(100):
                if os.path.exists(f"{self.dir}/fastapi.sock"):
                    break
                time.sleep(.1)
            time.sleep(1)
            os.chmod(f"{self.dir}/fastapi.sock", 0o777)
        for name, (command, settings) in self.builds.items():
            if name in self.only:
                self.spawn(name, ["/usr/bin/env", *settings, "/bin/sh", "-c", "exec " + command])
        conf = open(f"{PEERS}/nginx.conf.in").read().replace("@DIR@", self.dir).replace("@HERE@", PEERS).replace("@PORT@", str(self.port))
        open(f"{self.dir}/nginx.conf", "w").write(conf)
        subprocess.run(["nginx", "-c", f"{self.dir}/nginx.conf"], check=True, stderr=subprocess.DEVNULL)
        self.roots["nginx"] = self.pid("nginx")
        time.sleep(1)

    def down(self):
        started = set().union(*(family(cpu(), root) for root in self.roots.values())) if self.roots else set()
        for sig in (signal.SIGTERM, signal.SIGKILL):    # the peers do not know how to leave by themselves
            for pid in started:
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
            time.sleep(.5)
        shutil.rmtree(self.dir, ignore_errors=True)

    def load(self, name, connections, duration, *options):
        """The command that loads a contender, for a duration as wrk takes it."""
        script = "named" if name == "named" else "load"
        return ["wrk", "-t1", "-c", str(connections), "-d", duration, *options, "-s", f"{self.dir}/{script}.lua",
                f"http://127.0.0.1:{self.port}/{self.program(name)}"]

    def program(self, name):
        """`named` is ours under another load."""
        return "ours" if name == "named" else name

    def run(self, name, connections, seconds):
        """Loads one contender, and returns what it did and what that cost."""
        redis_cli = ["redis-cli", "-s", f"{self.dir}/redis.sock"]
        subprocess.run([*redis_cli, "flushall"], stdout=subprocess.DEVNULL)
        before = cpu()
        out = subprocess.run(self.load(name, connections, f"{seconds}s", "--latency"), capture_output=True, text=True).stdout
        after = cpu()
        depth = int(subprocess.run([*redis_cli, "llen", "enhancement:queue"], capture_output=True, text=True).stdout or 0)
        total = int(re.search(r"(\d+) requests in", out)[1])
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        bad = (int(bad[1]) if bad else 0) + sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", out)))
        row = {"rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), "bad": bad, "depth": depth, "total": total}
        for q in ("50%", "99%"):
            m = re.search(rf"\n\s+{q}\s+([\d.]+)(us|ms|s)", out)
            row[q] = float(m[1]) * {"us": .001, "ms": 1, "s": 1000}[m[2]] if m else float("nan")
        for part, root in (("nginx", "nginx"), ("redis", "redis"), ("app", self.program(name))):
            if root in self.roots:
                row[part] = sum(after[p][1] - before.get(p, (0, 0))[1] for p in family(after, self.roots[root]) if p in after) / max(total, 1) * 1e6
            else:
                row[part] = 0.0
        row["cpu"] = row["nginx"] + row["redis"] + row["app"]
        root, row["rss"] = self.roots.get(self.program(name)), 0.0
        for p in family(after, root) if root else ():
            try:
                row["rss"] += int((re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{p}/status").read()) or [0, 0])[1]) / 1024
            except OSError:
                pass
        if root and not row["rss"]:
            sys.exit(f"{name} died under {connections} connections")
        return row
