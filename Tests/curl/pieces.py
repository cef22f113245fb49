"""Posts a ticket in many small pieces, a millisecond apart, and prints the status and the body of the answer.

    pieces.py URL SIGNATURE COUNT [chunked] <BODY
"""
import http.client
import socket
import sys
import time
import urllib.parse


def pieces(body, count):
    for number in range(count):
        # The pause lets a piece arrive alone: a web server that streams then sends a record for it.
        time.sleep(0.001)
        yield body[len(body) * number // count:len(body) * (number + 1) // count]


url, signature, count = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2], int(sys.argv[3])
body = sys.stdin.buffer.read()
headers = {"Content-Type": "application/json", "X-ServiceDesk-Signature": signature}
if "chunked" not in sys.argv[4:]:
    headers["Content-Length"] = str(len(body))

connection = http.client.HTTPConnection(url.netloc, timeout=20)
connection.connect()
connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
try:
    connection.request("POST", url.path, pieces(body, count), headers, encode_chunked="Content-Length" not in headers)
except ConnectionError:
    pass  # a server that has refused the body need not read it to its end; its answer is there
answer = connection.getresponse()
print(answer.status, answer.read().decode())
