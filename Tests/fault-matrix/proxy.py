"""Stands between the responders and Redis, and does what networks do.

    proxy.py LISTEN UPSTREAM            # each the path of a socket, or an address and a port: 127.0.0.1:6379

A line on standard input changes the mode. The answer is how often the last mode has struck, and how many pieces are
still held:

    pass                forwards everything
    delay SECONDS       holds every piece, in either direction, for so long
    cut-command         forwards a part of the commands that arrive, and closes
    cut-reply           forwards the commands, and a part of the replies, and closes
    drip                forwards replies byte by byte
    stall-new           holds everything of connections that are made meanwhile
    garbage             forwards the commands, and replaces the replies by bytes that are not a reply
"""
import asyncio
import random
import sys

# None of these is a whole error reply, which would mean that nothing was executed, or a number from 1 up, which would mean
# that it was.
GARBAGE = (b"\0" * 64, b"HTTP/1.1 400 Bad Request\r\n\r\n", b":+1\r\n", b":01\r\n", b":0\r\n", b":-1\r\n", b":1\n", b":\r\n",
           b":99999999999999999999\r\n", b"*1000000000\r\n", b"$9999999999\r\n", b"$-2\r\n", b"*-5\r\n", b"+OK\r\n",
           b"*1\r\n" * 40 + b":1\r\n", b"$3\r\nabcde\r\n", b"\xff\xfe\xfd", b"+" + b"x" * 40_000, b"%1\r\n+a\r\n:1\r\n", b"_\r\n")


class Proxy:
    def __init__(self, upstream):
        self.upstream = upstream
        self.mode, self.seconds, self.struck, self.held = "pass", 0.0, 0, 0
        self.connections = set()
        self.random = random.Random(7)

    async def accept(self, reader, writer):
        try:
            redis_reader, redis_writer = await connect(self.upstream)
        except OSError:
            writer.close()
            return
        while self.mode == "stall-new":
            self.struck += not reader.at_eof()
            await asyncio.sleep(0.02)
        both = (writer, redis_writer)
        self.connections.add(both)
        pumps = [asyncio.create_task(self.pump(reader, redis_writer, both, self.commands)),
                 asyncio.create_task(self.pump(redis_reader, writer, both, self.replies))]
        await asyncio.wait(pumps)
        self.connections.discard(both)

    async def pump(self, reader, writer, both, transform):
        try:
            while piece := await reader.read(65536):
                if not await transform(piece, reader, writer):
                    break
        except OSError:
            pass
        for each in both:
            each.close()

    async def hand_on(self, piece, writer):
        writer.write(piece)
        await writer.drain()
        return True

    async def gather(self, piece, reader):
        """The bytes that arrive within a tenth of a second, so that many pushes are struck, not only one."""
        try:
            async with asyncio.timeout(0.1):
                while more := await reader.read(65536):
                    piece += more
        except TimeoutError:
            pass
        return piece

    async def part(self, piece, reader, writer):
        """Forwards a part of a piece, and asks to close."""
        self.struck += 1
        piece = await self.gather(piece, reader)
        await self.hand_on(piece[:self.random.randrange(len(piece))], writer)
        return False

    async def commands(self, piece, reader, writer):
        if self.mode == "cut-command":
            return await self.part(piece, reader, writer)
        await self.hold()
        return await self.hand_on(piece, writer)

    async def replies(self, piece, reader, writer):
        mode = self.mode
        if mode == "cut-reply":
            return await self.part(piece, reader, writer)
        if mode == "garbage":
            self.struck += 1
            await self.gather(piece, reader)
            await self.hand_on(self.random.choice(GARBAGE), writer)
            # Responders rightly wait for the rest of an unfinished reply, so the connection must end.
            await asyncio.sleep(0.05)
            return False
        if mode == "drip":
            for index in range(len(piece)):
                if self.mode != "drip":
                    return await self.hand_on(piece[index:], writer)
                self.struck += 1
                await self.hand_on(piece[index:index + 1], writer)
                await asyncio.sleep(0)
            return True
        await self.hold()
        return await self.hand_on(piece, writer)

    async def hold(self):
        if self.mode == "delay":
            self.struck += 1
            self.held += 1
            await asyncio.sleep(self.seconds)
            self.held -= 1

    async def steer(self):
        loop = asyncio.get_running_loop()
        orders = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        while line := await orders.readline():
            self.mode, *rest = line.decode().split()
            self.seconds = float(rest[0]) if rest else 0.0
            print(self.struck, self.held, flush=True)
            self.struck = 0


def connect(place):
    address, colon, port = place.partition(":")
    return asyncio.open_connection(address, int(port)) if colon else asyncio.open_unix_connection(place)


def serve(accept, place):
    address, colon, port = place.partition(":")
    if colon:
        return asyncio.start_server(accept, address, int(port), backlog=512)
    return asyncio.start_unix_server(accept, place, backlog=512)


async def main(listen, upstream):
    proxy = Proxy(upstream)
    async with await serve(proxy.accept, listen):
        await proxy.steer()


asyncio.run(main(*sys.argv[1:]))
