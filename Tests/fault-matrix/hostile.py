"""Bytes that no web server sends, at the FastCGI socket. libfcgi would crash, hang or misread on some of them."""
import concurrent.futures
import contextlib
import random
import socket
import struct
import time

from fastcgi import ABORT, BEGIN, DATA, GET_VALUES, PARAMS, STDIN, begin, pair, record, whole
from limits import expect


@contextlib.contextmanager
def hurried(stack):
    """Unfinished requests are given up after two seconds."""
    stack.with_settings(SERVICEDESK_REQUEST_TIMEOUT="2")
    yield
    stack.with_settings()


def variables(length=2, method=b"POST"):
    return pair(b"REQUEST_METHOD", method) + pair(b"SCRIPT_NAME", b"/webhook/servicedesk") + pair(
        b"CONTENT_LENGTH", str(length).encode())


def request(body=b"{}", names=None):
    return whole(variables(len(body)) if names is None else names, body)


def with_parameters(content, end=True):
    return begin() + record(PARAMS, content) + (record(PARAMS) + record(STDIN) if end else b"")


HUGE, LARGEST = struct.pack(">II", 0xC0000000, 0xC0000000), struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF)
NAMES = b"".join(pair(name, b"") for name in (b"FCGI_MAX_CONNS", b"FCGI_MAX_REQS", b"FCGI_MPXS_CONNS"))

# The bytes that are sent, and the result: the connection is dropped at once ("dropped") or after the request timeout
# ("late"), or the request is answered ("answered").
ATTACKS = {
    "parameter lengths of 0x40000000": (with_parameters(HUGE), "dropped"),
    "parameter lengths of 0x7FFFFFFF": (with_parameters(LARGEST), "dropped"),
    "a parameter longer than its record": (with_parameters(b"\x0e\x04REQUEST"), "dropped"),
    "half a parameter length": (with_parameters(b"\x80\x00"), "dropped"),
    "GET_VALUES with eight copies of a name": (record(GET_VALUES, pair(b"FCGI_MPXS_CONNS", b"") * 8, 0), "answered"),
    "GET_VALUES with 1,000 copies of each name": (record(GET_VALUES, NAMES * 1000, 0), "dropped"),
    "a lone GET_VALUES": (record(GET_VALUES, NAMES, 0), "answered"),
    "GET_VALUES after BEGIN": (begin() + record(GET_VALUES, NAMES, 0), "answered"),
    "GET_VALUES whose lengths do not add up": (record(GET_VALUES, HUGE, 0), "dropped"),
    "an unknown management record": (record(99, b"x", 0), "answered"),
    "STDIN without a request": (record(STDIN, b"x", 0), "dropped"),
    "padding on the empty PARAMS": (
        begin() + record(PARAMS, variables(0)) + record(PARAMS, padding=8) + record(STDIN), "answered"),
    "padding on the empty STDIN": (
        begin() + record(PARAMS, variables()) + record(PARAMS) + record(STDIN, b"{}") + record(STDIN, padding=8), "answered"),
    "a version of 0": (record(BEGIN, b"\0\1\1" + bytes(5), version=0), "dropped"),
    "a version of 2": (record(BEGIN, b"\0\1\1" + bytes(5), version=2), "dropped"),
    "HTTP": (b"POST /webhook/servicedesk HTTP/1.1\r\nHost: x\r\n\r\n", "dropped"),
    "the role of an authorizer": (begin(role=2), "dropped"),
    "the role of a filter": (begin(role=3), "dropped"),
    "request 0": (begin(request=0), "dropped"),
    "another request in between": (begin() + record(PARAMS, variables(), request=2), "dropped"),
    "two BEGINs": (begin() + begin(), "dropped"),
    "a BEGIN of 7 bytes": (record(BEGIN, bytes(7)), "dropped"),
    "PARAMS without BEGIN": (record(PARAMS, variables()), "dropped"),
    "STDIN before the end of PARAMS": (begin() + record(PARAMS, variables()) + record(STDIN, b"{}"), "dropped"),
    "DATA": (begin() + record(PARAMS, variables()) + record(PARAMS) + record(DATA, b"{}"), "dropped"),
    "an unknown type": (begin() + record(99, b"x"), "dropped"),
    "type 0": (record(0), "dropped"),
    "ABORT": (begin() + record(ABORT), "dropped"),
    "ABORT in the body": (begin() + record(PARAMS, variables()) + record(PARAMS) + record(STDIN, b"{") + record(ABORT),
                          "dropped"),
    "80 KB of parameters": (
        begin() + record(PARAMS, pair(b"X", bytes(40_000))) + record(PARAMS, pair(b"Y", bytes(40_000))), "dropped"),
    "20,000 records": (
        begin() + record(PARAMS, variables(20_000)) + record(PARAMS) + record(STDIN, b"x") * 20_000 + record(STDIN), "answered"),
    "parameters of a byte a record, without end": (begin() + record(PARAMS, b"\0") * 65_537, "dropped"),
    "a second request after the first": (request() + request(), "dropped"),
    "one byte after the request": (request() + b"\1", "late"),
    "a byte that is not FastCGI after the request": (request() + b"\0", "dropped"),
    "a management record after the request": (request() + record(GET_VALUES, NAMES, 0), "answered"),
    "GET_VALUES in the padding of BEGIN": (
        record(BEGIN, b"\0\1\1" + bytes(5), padding_bytes=record(GET_VALUES, pair(b"FCGI_MPXS_CONNS", b"") * 8, 0))
        + record(PARAMS, variables(0)) + record(PARAMS) + record(STDIN), "answered"),
    "PARAMS of 1 GiB in the padding of BEGIN": (
        record(BEGIN, b"\0\1\1" + bytes(5), padding_bytes=record(PARAMS, HUGE)) + record(PARAMS, variables(0))
        + record(PARAMS) + record(STDIN), "answered"),
    "a body shorter than its length": (request(b"{}", variables(5)), "dropped"),
    "a body longer than its length": (request(b"{}     ", variables(2)), "dropped"),
    "a length that is not a number": (request(b"{}", variables().replace(b"\x01" b"CONTENT_LENGTH2", b"\x01CONTENT_LENGTHx")),
                                      "dropped"),
    "half a header": (b"\1\1\0", "late"),
    "BEGIN and nothing more": (begin(), "late"),
    "a body that never ends": (begin() + record(PARAMS, variables(99)) + record(PARAMS) + record(STDIN, b"{"), "late"),
    "a record that is never whole": (begin() + record(PARAMS, variables()) + record(PARAMS) + record(STDIN, b"{}", length=60000),
                                     "late"),
    "no parameters": (request(b"", b""), "answered"),
    "one variable 500 times": (request(b"{}", variables() + pair(b"HTTP_X_SERVICEDESK_SIGNATURE", b"0" * 64) * 500),
                               "answered"),
    "a name of 60 KB": (request(b"{}", variables() + pair(b"X" * 60_000, b"")), "answered"),
    "a body of 200 KB": (begin() + record(PARAMS, variables(200_000)) + record(PARAMS)
                         + record(STDIN, bytes(50_000)) * 4 + record(STDIN), "answered"),
}


def send(path, data, reads=True, seconds=10.0):
    """The result for a peer that sends these bytes: "answered", "dropped" (at once), "late", or "nothing"."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(seconds)
        peer.connect(path)
        start = time.monotonic()
        try:
            peer.sendall(data)
            if not reads:
                return "left"
            answer = peer.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
        except TimeoutError:
            return "nothing"
        if answer:
            return "answered"
        return "dropped" if time.monotonic() - start < 1.5 else "late"


def attack(stack, number):
    """All attacks in a random order, peers that close in the middle of a request, and noise."""
    rng = random.Random(number)
    before = stack.responders()
    attacks = list(ATTACKS.items())
    rng.shuffle(attacks)
    with concurrent.futures.ThreadPoolExecutor() as pool:  # all late ones are awaited at the same time
        late = {what: pool.submit(send, stack.socket, data) for what, (data, due) in attacks if due == "late"}
        found = {what: send(stack.socket, data) for what, (data, due) in attacks if due != "late"}
        send_noise(stack.socket, rng)
        found |= {what: answer.result() for what, answer in late.items()}
    surprises = [f"{what}: {found[what]}, not {due}" for what, (_, due) in attacks if found[what] != due]
    # Connections are spread over the processes by chance; a process that was hit has had time to crash.
    time.sleep(0.1)
    expect(not surprises, "; ".join(surprises))
    expect(stack.responders() == before, f"the responders were {before}, now they are {stack.responders()}")


def send_noise(path, rng):
    whole = request()
    for _ in range(30):
        send(path, whole[:rng.randrange(1, len(whole))], reads=False)
        send(path, whole, reads=False)
        send(path, rng.randbytes(rng.randrange(1, 3000)), reads=False)
        mutated = bytearray(whole)
        mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        send(path, bytes(mutated), reads=False)
