#!/usr/bin/env python3
"""Signs a file and posts it to a responder. Needs Python 3.6 or newer and nothing else.

    python3 post_ticket.py --url https://webhooks.example.com/webhook/servicedesk/SENDER --secret-file SECRET FILE

The secret is the sender's, of mode servicedesk. Without --secret-file it is in the variable SERVICEDESK_SECRET. The delivery is
named after the SHA-256 of the file, or by --id, so posting the same file again makes no second job. With --keep DIRECTORY the file
is copied there if the ticket is not queued.

Prints the result that ServiceDesk Plus expects of a script. Exit status: 0 if the ticket is queued, 1 if not.
"""
import argparse
import hashlib
import hmac
import http.client
import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request

PAUSES = (1, 2, 4)  # seconds before the second, third and fourth try
LONGEST_PAUSE = 10
TIMEOUT = 20
WORTH_A_RETRY = (None, 429, 502, 503, 504)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is a mistake in the URL. Following it could show the ticket to somebody else."""

    def redirect_request(self, *arguments):
        return None


def secret_from(path):
    if path is None:
        return os.environ["SERVICEDESK_SECRET"].encode("utf-8", "surrogateescape")
    with open(path, "rb") as file:
        return file.read().rstrip(b"\r\n")


def post(url, body, headers):
    """Returns the status, or None if there was no response; its text; and the seconds that Retry-After asks for."""
    request = urllib.request.Request(url, body, headers)
    try:
        response = urllib.request.build_opener(NoRedirect).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        response = error
    except (OSError, http.client.HTTPException) as error:
        return None, str(error), 0
    try:
        text = response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return None, str(error), 0
    seconds = response.headers.get("Retry-After", "")
    return response.code, text, int(seconds) if seconds.isdigit() else 0


def message_of(status, text):
    try:
        answer = json.loads(text)
    except ValueError:
        return "no response: " + text if status is None else "status {}".format(status)
    if status == 202:
        return "queued as job {}".format(answer.get("job_id"))
    faults = "; ".join("{field} {message}".format(**fault) for fault in answer.get("errors", []))
    return "{} {}{} (request {})".format(status, answer.get("detail"), ": " + faults if faults else "", answer.get("request_id"))


def deliver(options, body, secret):
    """Posts until the answer is final; returns its status and text."""
    headers = {
        "Content-Type": "application/json",
        "X-ServiceDesk-Signature": hmac.new(secret, body, hashlib.sha256).hexdigest(),
        "webhook-id": options.id or "sha256-" + hashlib.sha256(body).hexdigest(),
    }
    for pause in PAUSES + (None,):
        status, text, seconds = post(options.url, body, headers)
        if status not in WORTH_A_RETRY or pause is None:
            return status, text
        time.sleep(min(max(pause, seconds), LONGEST_PAUSE))


def main():
    parser = argparse.ArgumentParser(description="Signs a file and posts it to a responder.")
    parser.add_argument("--url", required=True, help="https://HOST/webhook/servicedesk/SENDER")
    parser.add_argument("--secret-file", help="a file with the secret and nothing else (default: SERVICEDESK_SECRET)")
    parser.add_argument("--id", help="the delivery's webhook-id (default: made of the file's SHA-256)")
    parser.add_argument("--keep", metavar="DIRECTORY", help="where to copy a file whose ticket is not queued")
    parser.add_argument("file", help="what is posted, such as $COMPLETE_V3_JSON_FILE")
    options = parser.parse_args()
    if not options.url.startswith("https://"):
        parser.error("--url must begin with https://")
    if options.secret_file is None and not os.environ.get("SERVICEDESK_SECRET"):
        parser.error("there is no secret: give --secret-file, or set SERVICEDESK_SECRET")
    with open(options.file, "rb") as file:
        body = file.read()
    status, text = deliver(options, body, secret_from(options.secret_file))
    print(json.dumps({"result": "success" if status == 202 else "failure", "message": message_of(status, text)}))
    if status == 202:
        return 0
    if options.keep:
        shutil.copy(options.file, options.keep)
    return 1


if __name__ == "__main__":
    sys.exit(main())
