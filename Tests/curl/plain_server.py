"""A server without TLS: answers everything that it gets with one line, or with nothing.

    plain_server.py [LINE]

Prints its port.
"""
import socket
import sys
import threading

line = sys.argv[1].encode() + b"\r\n" if sys.argv[1:] else b""


def serve(connection):
    with connection:
        while connection.recv(65536):
            connection.sendall(line)


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
