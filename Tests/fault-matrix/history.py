"""What Redis has executed on the queue, read from its append-only file: when each job was queued and taken, recorded as
unacknowledged, given back, acknowledged. Redis must have been told to append timestamps, and never to rewrite the file."""
import glob
import json


class AppendOnlyFile:
    """Follows the file. What a Redis that was killed has not finished, the next one cuts off: so only whole commands and
    whole transactions are passed over."""

    def __init__(self, directory):
        self.pattern, self.offset, self.second = f"{directory}/*.incr.aof", 0, 0

    def commands(self):
        """Everything since the last call: the second at which it was executed, and its words."""
        names = glob.glob(self.pattern)
        if len(names) != 1:
            raise RuntimeError(f"{len(names)} files match {self.pattern}")
        with open(names[0], "rb") as file:
            file.seek(self.offset)
            transaction = None
            while words := self.command(file):
                kind = words[0].upper()
                if kind == b"MULTI":
                    transaction = []
                elif kind == b"EXEC":
                    yield from transaction
                    transaction = None
                elif transaction is None:
                    yield self.second, words
                else:
                    transaction.append((self.second, words))
                if transaction is None:
                    self.offset = file.tell()

    def command(self, file):
        """The next one, or None where the file ends, be it within a command."""
        line = file.readline()
        while line.startswith(b"#TS:") and line.endswith(b"\n"):
            self.second = int(line[4:])
            line = file.readline()
        if not line.endswith(b"\n"):
            return None
        words = []
        for _ in range(int(line[1:])):
            head = file.readline()
            if not head.endswith(b"\n"):
                return None
            word = file.read(int(head[1:]) + 2)
            if not word.endswith(b"\r\n") or len(word) != int(head[1:]) + 2:
                return None
            words.append(word[:-2])
        return words


class Job:
    """A job in the history. `state`: queued, taken from the list, held (recorded as unacknowledged), acknowledged, or
    removed from the list."""

    def __init__(self, job_id, ticket):
        self.id, self.ticket = job_id, ticket
        self.pushes = 0          # by a responder
        self.returns = 0         # pushes by workers: given back, taken from a dead worker, or retried
        self.state, self.second = "", 0

    def turns(self, state, second):
        self.state, self.second = state, second


class History:
    """`unacked`: kombu's hash of the messages that workers hold."""

    def __init__(self, directory, queue, unacked):
        self.file, self.queue, self.unacked = AppendOnlyFile(directory), queue, unacked
        self.list, self.held = [], {}   # the list from its left to its right; what is unacknowledged, by its tag
        self.jobs = {}

    def follow(self):
        for second, words in self.file.commands():
            kind = words[0].decode().upper()
            key = words[1].decode(errors="replace") if len(words) > 1 else ""
            if kind in ("FLUSHALL", "FLUSHDB"):
                self.remove_all(second)
            elif key == self.queue:
                self.change_list(kind, words[2:], second)
            elif key == self.unacked:
                self.change_held(kind, words[2:], second)

    def forget(self):
        """The jobs that are neither in the list nor held. Those of the next fault have other ids."""
        self.follow()
        kept = {self.job(raw).id for raw in self.list} | {job.id for job in self.held.values()}
        self.jobs = {name: job for name, job in self.jobs.items() if name in kept}

    def job(self, raw):
        headers, body = (message := json.loads(raw))["headers"], message["body"]
        if headers["id"] not in self.jobs:
            self.jobs[headers["id"]] = Job(headers["id"], json.loads(body)[0][0]["ticket_id"])
        return self.jobs[headers["id"]]

    def change_list(self, kind, words, second):
        if kind in ("LPUSH", "RPUSH"):
            for raw in words:
                self.list.insert(0 if kind == "LPUSH" else len(self.list), raw)
                headers, job = json.loads(raw)["headers"], self.job(raw)
                if headers.get("redelivered") or headers["retries"]:
                    job.returns += 1
                else:
                    job.pushes += 1
                job.turns("queued", second)
        elif kind in ("RPOP", "LPOP"):
            for _ in range(int(words[0]) if words else 1):
                self.job(self.list.pop(-1 if kind == "RPOP" else 0)).turns("taken", second)
        elif kind == "LREM":
            self.list.remove(words[1])
            self.job(words[1]).turns("removed", second)
        elif kind in ("DEL", "UNLINK"):
            self.remove_all(second)
        else:
            raise RuntimeError(f"{kind} of the queue is unknown here")

    def remove_all(self, second):
        for raw in self.list:
            self.job(raw).turns("removed", second)
        self.list = []

    def change_held(self, kind, words, second):
        if kind == "HSET":
            for tag, value in zip(words[::2], words[1::2]):
                self.held[tag] = self.job(json.dumps(json.loads(value)[0]))
                self.held[tag].turns("held", second)
        elif kind == "HDEL":
            for tag in words:
                if tag in self.held:
                    self.held.pop(tag).turns("acknowledged", second)
