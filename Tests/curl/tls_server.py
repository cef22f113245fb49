"""A Redis over TLS that says what it is told to.

    tls_server.py CERTIFICATE KEY REPLY

Prints its port, and then a line for each connection: the name that the client asked for, or -, and whether it resumed a
session. Answers +OK to everything but LPUSH, which is answered with what the file REPLY holds then; and after that it closes.
"""
import socket
import ssl
import sys
import threading

certificate, key, reply = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
names = {}
context.sni_callback = lambda connection, name, _: names.__setitem__(id(connection), name)


def serve(plain):
    try:
        with context.wrap_socket(plain, server_side=True) as connection:
            print(names.pop(id(connection), None) or "-", "resumed" if connection.session_reused else "new", flush=True)
            waiting = b""
            while piece := connection.recv(65536):
                waiting += piece
                while command := take(waiting):
                    words, waiting = command
                    if words[0] == b"LPUSH":
                        with open(reply, "rb") as file:
                            connection.sendall(file.read())
                        return
                    connection.sendall(b"+OK\r\n")
    except (OSError, ssl.SSLError):
        pass


def take(text):
    """The first command's words, and what follows it; nothing if it is not whole."""
    head, _, rest = text.partition(b"\r\n")
    if not head:
        return None
    words = []
    for _ in range(int(head[1:])):
        length, _, rest = rest.partition(b"\r\n")
        if not length or len(rest) < int(length[1:]) + 2:
            return None
        words.append(rest[:int(length[1:])])
        rest = rest[int(length[1:]) + 2:]
    return words, rest


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
