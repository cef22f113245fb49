"""Posts a ticket in pieces, as a client does that streams, and prints the status of the answer.

    pieces.py URL SIGNATURE BODY-FILE PIECE-SIZE length|chunked
"""
import socket
import sys
import time
from urllib.parse import urlsplit


def main(url, signature, path, size, framing):
    parts, size = urlsplit(url), int(size)
    with open(path, "rb") as file:
        body = file.read()
    pieces = [body[start:start + size] for start in range(0, len(body), size)]
    length = f"Content-Length: {len(body)}" if framing == "length" else "Transfer-Encoding: chunked"
    head = (f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            f"X-ServiceDesk-Signature: {signature}\r\n{length}\r\nConnection: close\r\n\r\n")
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(head.encode())
        for piece in pieces:
            time.sleep(0.0005)  # so that each is read by itself
            peer.sendall(piece if framing == "length" else b"%x\r\n%b\r\n" % (len(piece), piece))
        if framing == "chunked":
            peer.sendall(b"0\r\n\r\n")
        answer = b""
        while data := peer.recv(65536):
            answer += data
    print(answer.split(b" ", 2)[1].decode())


main(*sys.argv[1:])
