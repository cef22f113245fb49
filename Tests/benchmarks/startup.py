"""How long a program takes from exec to its first 202: the responder beside `limit`, in turn. Tests/bench startup.

The request waits on the listening socket before the program is started, as one does during a restart.
"""
import argparse
import hashlib
import hmac
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from fastcgi import pair, whole
from rig import SECRET, Rig


def request():
    """A signed ticket as a web server sends it."""
    body = json.dumps({"event": "ticket_created", "ticket_id": "TKT-1", "tenant_id": "tenant-abc", "description": "slow",
                       "priority": "low", "created_at": "2026-01-01T00:00:00Z"}).encode()
    variables = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "/webhook/servicedesk", "CONTENT_TYPE": "application/json",
                 "CONTENT_LENGTH": str(len(body)), "REQUEST_ID": "startup",
                 "HTTP_X_SERVICEDESK_SIGNATURE": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}
    return whole(b"".join(pair(name.encode(), value.encode()) for name, value in variables.items()), body)


def first_answer(program, env, directory):
    """Milliseconds from the start of `program` to its answer to a request that waits for it."""
    path = tempfile.mktemp(dir=directory)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen(16)
        client.connect(path)
        client.sendall(request())
        client.settimeout(10)
        start = time.monotonic()
        process = subprocess.Popen([program], stdin=listener, env=env, stderr=subprocess.DEVNULL)
        try:
            answer = client.recv(65536)
            took = (time.monotonic() - start) * 1000
        finally:
            process.kill()
            process.wait()
            os.unlink(path)
    if b"Status: 202" not in answer:
        sys.exit(f"{os.path.basename(program)} answered {answer[8:60]!r}")
    return took


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--program", required=True)
    a.add_argument("--rounds", type=int, default=40)
    o = a.parse_args()
    rig, took = Rig(["limit"], None), {"limit": [], "ours": []}
    try:
        rig.up()
        env = dict(rig.env, SERVICEDESK_SECRET=SECRET, SERVICEDESK_REDIS_URL="unix://" + rig.env["PEER_REDIS"],
                   SERVICEDESK_LOG_FILE=f"{rig.dir}/log", SERVICEDESK_RUNTIME_DIR=rig.dir)
        programs = {"limit": f"{rig.dir}/limit", "ours": o.program}
        for _ in range(o.rounds):
            for name, program in programs.items():
                took[name].append(first_answer(program, env, rig.dir))
        stripped = f"{rig.dir}/stripped"
        subprocess.run(["strip", "-o", stripped, o.program], check=True)
        size = os.path.getsize(stripped)
    finally:
        rig.down()
    for name, times in took.items():
        print(f"{name:6} from exec to the first 202: {statistics.median(times):5.1f} ms at the median of {o.rounds}, "
              f"{max(times):5.1f} ms at most")
    print(f"ours   takes {statistics.median(took['ours']) - statistics.median(took['limit']):.1f} ms more; "
          f"its binary, stripped, has {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
