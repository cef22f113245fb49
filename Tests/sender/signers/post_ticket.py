#!/usr/bin/env python3
"""Signs a file and posts it to a responder. Needs Python 3.6 or newer and nothing else.

    python3 post_ticket.py --url https://webhooks.example.com/webhook/servicedesk/SENDER --secret-file SECRET FILE

The secret is the sender's, of mode servicedesk. Without --secret-file it is in the variable SERVICEDESK_SECRET. The delivery is
named after the SHA-256 of the file, or by --id, so posting the same file again makes no second job.

With --keep DIRECTORY the file is copied there first, and the copy is removed once the ticket is queued. If it is not, whatever the
reason, the copy stays as SHA-256.json; if this process is killed, as unfinished-*.

Prints the result that ServiceDesk Plus expects of a script. Exit status: 0 if the ticket is queued, 1 if not, 2 for arguments that
make no sense.
"""
import argparse
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import sys
import tempfile
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
    secret = os.environ.get("SERVICEDESK_SECRET", "").encode("utf-8", "surrogateescape")
    if path is not None:
        with open(path, "rb") as file:
            secret = file.read().rstrip(b"\r\n")
    if not secret:
        raise ValueError("there is no secret: give --secret-file, or set SERVICEDESK_SECRET")
    return secret


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
    return response.code, text, int(seconds) if seconds.isdecimal() else 0


def object_of(text):
    """Returns the JSON object that the text is, or an empty one: a gateway may answer anything."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def failure_of(status, text):
    if status is None:
        return "no response: " + text
    answer = object_of(text)
    errors = answer.get("errors")
    errors = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    faults = "; ".join("{} {}".format(error.get("field", ""), error.get("message", "")) for error in errors)
    origin = "request {}".format(answer["request_id"]) if answer.get("request_id") else "not the responder's answer"
    message = "{} {}{} ({})".format(status, answer.get("detail") or "", ": " + faults if faults else "", origin)
    return " ".join(message.split())


def deliver(options, body):
    """Posts until the answer is final; returns whether the ticket is queued, and a message."""
    if not options.url.startswith("https://"):
        raise ValueError("--url must begin with https://")
    headers = {
        "Content-Type": "application/json",
        "X-ServiceDesk-Signature": hmac.new(secret_from(options.secret_file), body, hashlib.sha256).hexdigest(),
        "webhook-id": options.id or "sha256-" + hashlib.sha256(body).hexdigest(),
    }
    for pause in PAUSES + (None,):
        status, text, seconds = post(options.url, body, headers)
        if status not in WORTH_A_RETRY or pause is None:
            break
        time.sleep(min(max(pause, seconds), LONGEST_PAUSE))
    job = object_of(text).get("job_id") if status == 202 else None
    return (True, "queued as job {}".format(job)) if job else (False, failure_of(status, text))


def copy_to(directory, body):
    """Writes a copy under a name that no other process uses, and returns its path."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    descriptor, path = tempfile.mkstemp(prefix="unfinished-", dir=directory)
    try:
        with open(descriptor, "wb") as file:
            file.write(body)
    except OSError:
        os.remove(path)
        raise
    return path


def renamed(copy, body):
    """Names the copy after its content, so that the same ticket is kept once; returns its path."""
    path = os.path.join(os.path.dirname(copy), hashlib.sha256(body).hexdigest() + ".json")
    try:
        os.replace(copy, path)
    except OSError:
        return copy
    return path


def keep_and_deliver(options):
    """Returns whether the ticket is queued, and a message. Whatever fails after the file has been read, its copy stays."""
    with open(options.file, "rb") as file:
        body = file.read()
    copy, not_copied = None, ""
    if options.keep:
        try:
            copy = copy_to(options.keep, body)
        except Exception as error:
            not_copied = "; not kept: {}".format(error)
    try:
        queued, message = deliver(options, body)
    except Exception as error:
        queued, message = False, str(error) or repr(error)
    if not queued:
        return False, message + ("; kept as " + renamed(copy, body) if copy else not_copied)
    if copy:
        with contextlib.suppress(OSError):
            os.remove(copy)
    return True, message


def main():
    parser = argparse.ArgumentParser(description="Signs a file and posts it to a responder.")
    parser.add_argument("--url", required=True, help="https://HOST/webhook/servicedesk/SENDER")
    parser.add_argument("--secret-file", help="a file with the secret and nothing else (default: SERVICEDESK_SECRET)")
    parser.add_argument("--id", help="the delivery's webhook-id (default: made of the file's SHA-256)")
    parser.add_argument("--keep", metavar="DIRECTORY", help="where to keep a file whose ticket is not queued")
    parser.add_argument("file", help="what is posted, such as $COMPLETE_V3_JSON_FILE")
    try:
        queued, message = keep_and_deliver(parser.parse_args())
    except OSError as error:
        queued, message = False, str(error)
    print(json.dumps({"result": "success" if queued else "failure", "message": message}))
    return 0 if queued else 1


if __name__ == "__main__":
    sys.exit(main())
