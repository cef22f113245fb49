"""A proxy in front of Redis that does not know CLIENT: it hangs up on whoever says it.

    no_client.py SOCKET PORT

Passes everything else on between PORT of 127.0.0.1 and the Redis on SOCKET, and prints a line for each time.
"""
import asyncio
import sys


async def copy(reader, writer, forbidden):
    seen = b""
    while data := await reader.read(65536):
        # The word may come in two pieces.
        seen = (seen + data)[-65536:]
        if forbidden and forbidden in seen.upper():
            print("hung up on", forbidden.decode(), flush=True)
            return
        writer.write(data)
        await writer.drain()


async def serve(path, reader, writer):
    try:
        from_redis, to_redis = await asyncio.open_unix_connection(path)
    except OSError:
        writer.close()
        return
    ways = [
        asyncio.create_task(copy(reader, to_redis, b"\r\nCLIENT\r\n")),
        asyncio.create_task(copy(from_redis, writer, b"")),
    ]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    writer.close()
    to_redis.close()


async def main(path, port):
    server = await asyncio.start_server(lambda *ends: serve(path, *ends), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
