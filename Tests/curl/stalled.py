"""Opens connections, sends the same bytes on each, and sends no more. Prints a line once all are open, and another once
nginx has closed them all, or after 30 s: how many it has closed, and how many bytes it sent.

    stalled.py PORT COUNT BYTES     BYTES with \\r and \\n
"""
import resource, selectors, socket, sys, time

port, count, sent = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode().decode("unicode_escape").encode()

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

selector = selectors.DefaultSelector()
for _ in range(count):
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.sendall(sent)
    selector.register(client, selectors.EVENT_READ)
print(count, "open", flush=True)

received, closed, end = 0, 0, time.monotonic() + 30
while closed < count and time.monotonic() < end:
    for key, _ in selector.select(1):
        try:
            piece = key.fileobj.recv(4096)
        except ConnectionResetError:
            piece = b""
        received += len(piece)
        if not piece:
            closed += 1
            selector.unregister(key.fileobj)
            key.fileobj.close()
print(closed, "closed,", received, "bytes")
