"""flaky.py CERTIFICATE KEY PORT_FILE LOG ANSWER...: an https server that gives these answers, one to each request.

An answer is a status, a status and Retry-After such as 503:2, or "drop", which closes the connection without a response.
LOG gets a line for each request: its webhook-id, its signature, and the SHA-256 of its body.
"""
import hashlib
import http.server
import signal
import ssl
import sys

signal.alarm(60)  # a test that has failed does not stop it
certificate, key, port_file, log, *answers = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(log, "a") as file:
            print(self.headers["webhook-id"], self.headers["X-ServiceDesk-Signature"], hashlib.sha256(body).hexdigest(), file=file)
        answer = answers.pop(0)
        if answer == "drop":
            self.close_connection = True
            return
        status, _, seconds = answer.partition(":")
        text = b'{"status":"accepted","job_id":"of-the-test"}' if status == "202" else b'{"detail":"Queue unavailable"}'
        self.send_response(int(status))
        if seconds:
            self.send_header("Retry-After", seconds)
        self.send_header("Location", self.path)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(port_file, "w") as file:
    print(server.server_port, file=file)
while answers:
    server.handle_request()
