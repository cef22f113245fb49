"""Redis over TLS: connections cut in the middle of a record, other certificates, handshakes that stall, and many at once."""
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

from limits import expect
from stack import HERE, PASSWORD, connections, wait_for

MANY = 64                   # processes whose handshakes come at once
STORM = 2.0                 # seconds after which all of them are connected again


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Certificates:
    """Of a CA for 127.0.0.1, and of a stranger whom nobody trusts."""

    def __init__(self, directory):
        self.dir = directory
        os.makedirs(directory, exist_ok=True)
        for name in ("ca", "stranger"):
            self.openssl("req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-newkey", "ed25519",
                         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key", "-out", f"{name}.crt")
        for name in ("first", "second"):
            self.openssl("req", "-nodes", "-subj", f"/CN={name}", "-newkey", "ed25519",
                         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key", "-out", f"{name}.csr")
            self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2",
                         "-copy_extensions", "copyall", "-out", f"{name}.crt")
        self.authority = f"{directory}/ca.crt"

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.dir, check=True, capture_output=True, timeout=30)

    def options(self, name):
        """Redis' settings for a certificate, names and values in turn."""
        return ("tls-cert-file", f"{self.dir}/{name}.crt", "tls-key-file", f"{self.dir}/{name}.key",
                "tls-ca-cert-file", self.authority, "tls-auth-clients", "no")


def settings(stack, port):
    return {"SERVICEDESK_REDIS_URL": f"rediss://:{PASSWORD}@127.0.0.1:{port}",
            "SERVICEDESK_REDIS_CA_FILE": stack.certificates.authority}


@contextlib.contextmanager
def proxied(stack):
    """Redis' TLS port, with a proxy in front of it."""
    stack.certificates = Certificates(f"{stack.dir}/tls")
    own, port = free_port(), free_port()
    stack.redis("CONFIG", "SET", *stack.certificates.options("first"), "tls-port", own)
    stack.proxy = stack.spawn("proxy", sys.executable, "-B", f"{HERE}/proxy.py", f"127.0.0.1:{port}", f"127.0.0.1:{own}",
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    stack.proxy_mode("pass")
    stack.with_settings(**settings(stack, port))
    yield
    stack.with_settings()
    stack.proxy.kill()
    stack.proxy.communicate()
    stack.redis("CONFIG", "SET", "tls-port", 0)


@contextlib.contextmanager
def many(stack):
    """Redis' TLS port, and many processes."""
    stack.certificates = Certificates(f"{stack.dir}/tls")
    port = free_port()
    options = (*stack.certificates.options("first"), "tls-port", port)
    stack.redis("CONFIG", "SET", *options)
    stack.redis_options = tuple(word if number % 2 else f"--{word}" for number, word in enumerate(map(str, options)))
    processes, stack.processes = stack.processes, MANY
    stack.with_settings(**settings(stack, port))
    yield
    stack.processes, stack.redis_options = processes, ()
    stack.with_settings()
    stack.redis("CONFIG", "SET", "tls-port", 0)


def exchange_certificate(stack, number):
    """First for one that nobody trusts, then for another one of the CA. Neither closes a connection."""
    def serve(name):
        stack.redis("CONFIG", "SET", *stack.certificates.options(name))
        stack.hang_up()

    def failures():
        return stack.metrics()['servicedesk_push_failures_total{reason="not_connected"}']
    before = failures()
    serve("stranger")
    wait_for(lambda: failures() > before, what="pushes that fail for want of a connection")
    with open(stack.log, "rb") as log:
        expect(b"no trusted CA has issued the server's certificate" in log.read(), "the log does not say why")
    serve(("second", "first")[number % 2])


def stall_handshakes(stack, number):
    """New connections get no answer for longer than a handshake may take."""
    stack.proxy_mode("stall-new")
    stack.hang_up()
    time.sleep(2.5)
    wait_for(lambda: stack.proxy_mode("stall-new")[0], what="a handshake to stall")
    stack.proxy_mode("pass")


def storm(stack, number):
    """Redis ends under many processes, and begins again: all shake hands at once."""
    stack.stop_redis(signal.SIGKILL)
    stack.start_redis()
    start = time.monotonic()
    limit = STORM * stack.slack
    wait_for(lambda: connections(stack) >= MANY, limit, f"{MANY} processes to be connected again")
    print(f"    {MANY} processes connected again {time.monotonic() - start:.2f} s after Redis", flush=True)
