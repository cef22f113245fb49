"""The senders: a process of its own that delivers tickets at a steady rate, and writes down every request and its answer.

    senders.py '{"url": [HOST, PORT], "journal": PATH, ...}'     see Load

Half of the deliveries are named (webhook-id or Idempotency-Key). Those are repeated until they are accepted, after a 503,
a 5xx of nginx, or a connection that broke; some senders are hasty and repeat before they have an answer. The others are
sent once. A few are signed wrongly, or have a fault. TERM: begins no more deliveries, finishes those in flight.
"""
import asyncio
import hashlib
import hmac
import json
import random
import signal
import subprocess
import sys
import time

PATH = "/webhook/servicedesk"
WORDS = ("printer", "is on fire", "😀", "Outlook shows \"Trying to connect…\"", "back\\slash", "since this morning\n", "Ärger")


class Client:
    """Kept connections to nginx. One that broke, or that nginx has closed, is not used again."""

    def __init__(self, host, port, timeout):
        self.address, self.timeout = (host, port), timeout
        self.idle = []

    async def post(self, headers, body):
        """Status, body, and what went wrong if there was no answer; then the status is 0."""
        try:
            return *await asyncio.wait_for(self.exchange(headers, body), self.timeout), None
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            return 0, b"", type(error).__name__

    async def exchange(self, headers, body):
        while self.idle and self.idle[-1][0].at_eof():
            self.idle.pop()[1].close()
        reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection(*self.address)
        try:
            writer.write(self.head(headers, len(body)) + body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            status = int(head.split(" ", 2)[1])
            length = int(head.split("\r\ncontent-length: ")[1].split("\r\n")[0])
            content = await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        if "\r\nconnection: close" in head:
            writer.close()
        else:
            self.idle.append((reader, writer))
        return status, content

    def head(self, headers, length):
        lines = [f"POST {PATH} HTTP/1.1", f"Host: {self.address[0]}", "Content-Type: application/json",
                 f"Content-Length: {length}", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Senders:
    def __init__(self, url, journal, secret, prefix, count=6, rate=240, in_flight=40, patience=45, timeout=20, words=6):
        self.url, self.secret, self.prefix = url, secret.encode(), prefix
        self.count, self.rate, self.in_flight = count, rate, in_flight
        self.patience, self.timeout, self.words = patience, timeout, words
        self.journal = open(journal, "w", buffering=1)
        self.random = random.Random(prefix)
        self.made = 0
        self.is_stopping = asyncio.Event()

    def ticket(self):
        """A delivery: the ticket's id, its headers, its body, and the status that it should get."""
        self.made += 1
        ticket_id = f"{self.prefix}-{self.made}"
        ticket = {"event": "ticket_created", "ticket_id": ticket_id, "tenant_id": "acme", "priority": "high",
                  "description": " ".join(self.random.choice(WORDS) for _ in range(self.words)),
                  "created_at": "2026-01-31T09:30:00+01:00"}
        due = 202
        draw = self.random.random()
        if draw < 0.02:
            ticket["priority"], due = "at once", 400
        body = json.dumps(ticket, ensure_ascii=False).encode()
        tag = hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        if draw > 0.97:
            tag, due = tag[1:] + tag[0], 401
        headers = {"X-ServiceDesk-Signature": tag}
        if self.made % 2:
            headers["Idempotency-Key" if self.made % 10 == 1 else "webhook-id"] = f"msg_{ticket_id}"
        return ticket_id, headers, body, due

    async def run(self):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.is_stopping.set)
        await asyncio.gather(*(self.sender(number) for number in range(self.count)))

    async def sender(self, number):
        loop = asyncio.get_running_loop()
        client = Client(*self.url, self.timeout)
        interval = self.count / self.rate
        due = loop.time() + interval * number / self.count
        deliveries = set()
        while not self.is_stopping.is_set():
            await asyncio.sleep(max(0, due - loop.time()))
            due = max(due + interval, loop.time() - 1)  # catches up on missed deliveries, at most on a second of them
            if len(deliveries) >= self.in_flight:
                continue
            delivery = asyncio.create_task(self.deliver(client))
            deliveries.add(delivery)
            delivery.add_done_callback(deliveries.discard)
        if deliveries:
            await asyncio.wait(deliveries)

    async def deliver(self, client):
        ticket_id, headers, body, due = self.ticket()
        is_named = len(headers) > 1
        tries = [self.repeat(client, ticket_id, headers, body, due, is_named)]
        if is_named and self.random.random() < 0.1:
            tries.append(self.repeat(client, ticket_id, headers, body, due, is_named, self.random.uniform(0, 0.02)))
        await asyncio.gather(*tries)

    async def repeat(self, client, ticket_id, headers, body, due, is_named, delay=0.0):
        await asyncio.sleep(delay)
        began = time.monotonic()
        while True:
            start = time.monotonic()
            status, content, error = await client.post(headers, body)
            entry = {"ticket": ticket_id, "named": is_named, "due": due, "start": start, "end": time.monotonic(),
                     "status": status}
            if status == 202:
                entry["job"] = json.loads(content)["job_id"]
            if error:
                entry["error"] = error
            is_final = not is_named or (status != 0 and status < 500)
            gives_up = not is_final and entry["end"] - began > self.patience
            if gives_up:
                entry["gave_up"] = True
            self.journal.write(json.dumps(entry) + "\n")
            if is_final or gives_up:
                return
            await asyncio.sleep(self.random.uniform(0.1, 0.5))


class Load:
    """The senders as the matrix sees them: started, followed by their journal, stopped."""

    def __init__(self, directory, **settings):
        self.path = f"{directory}/{settings['prefix']}.journal"
        open(self.path, "w").close()
        self.entries, self.begun = [], b""
        self.file = open(self.path, "rb")
        self.process = subprocess.Popen([sys.executable, "-B", __file__, json.dumps({"journal": self.path, **settings})],
                                        start_new_session=True)

    def follow(self):
        """All entries so far."""
        *lines, self.begun = (self.begun + self.file.read()).split(b"\n")
        self.entries += map(json.loads, lines)
        return self.entries

    def accepted_after(self, moment, known=0):
        """When the first 202 came after a moment, or None."""
        ends = [entry["end"] for entry in self.follow()[known:] if entry["status"] == 202 and entry["end"] > moment]
        return min(ends, default=None)

    def wait_accepted(self, moment, seconds, meanwhile=lambda: None):
        """Waits until something was accepted after a moment. Returns how many seconds after it, or None."""
        known = len(self.entries)
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            found = self.accepted_after(moment, max(0, known - 200))
            if found:
                return found - moment
            meanwhile()
            time.sleep(0.01)
        return None

    def stop(self, meanwhile=lambda: None):
        """Lets the senders finish, and returns all entries."""
        self.process.terminate()
        limit = time.monotonic() + 120
        while self.process.poll() is None and time.monotonic() < limit:
            meanwhile()
            time.sleep(0.02)
        if self.process.poll() != 0:
            raise RuntimeError(f"the senders ended with {self.process.poll()}")
        entries = self.follow()
        self.file.close()
        return entries


if __name__ == "__main__":
    asyncio.run(Senders(**json.loads(sys.argv[1])).run())
