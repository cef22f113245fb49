"""Compares the JSON Schemas of `servicedeskctl schema` with what the responder does.

    schema.py schemas SCHEMA...              are the schemas themselves in order?
    schema.py tickets URL SECRET SCHEMA      does the responder answer 202 to what the schema accepts, and 400 to the rest?
    schema.py jobs SCHEMA JOBS               does the schema accept these jobs, one a line, and know their members?
    schema.py spoilt-jobs SCHEMA <JOB        does it refuse this job with a member missing or changed?
    schema.py files SCHEMA FILE...           are these files good or bad? prints a word for each
"""
import datetime, hashlib, hmac, http.client, json, random, re, sys, urllib.parse
from jsonschema import Draft202012Validator

STANDARD = ["job_id", "ticket_id", "tenant_id", "description", "priority", "timestamp", "created_at", "correlation_id"]
GOOD = {"event": "ticket_created", "ticket_id": "TKT-1", "tenant_id": "acme", "description": "The printer is on fire",
        "priority": "high", "created_at": "2026-01-31T09:30:00+01:00"}
UUID = "550e8400-e29b-41d4-a716-446655440000"
OTHER_TYPES = (None, True, 7, 1.5, [], ["x"], {}, {"x": 1})

# Values at the edges of each field's rule, good and bad: which is which, the responder says.
VALUES = {
    "event": ("", "a", " ", "a" * 100, "a" * 101, "😀" * 100, "😀" * 101, "\0", "e\u0301" * 50, "e\u0301" * 51, "line\n"),
    "ticket_id": ("", "A", "AZ-09-", "-", "A" * 100, "A" * 101, "tkt-1", "T_1", "T 1", "TKT-1\n", "\nTKT-1", "TKT\n1",
                  "TKT-1\r", "T–1", "É", "@", "[", "/", ":", "١", "A\0"),
    "tenant_id": ("", "a", "az-09-", "-", "z" * 100, "z" * 101, "Acme", "a_1", "a.b", "acme\n", "a\0", "`", "{"),
    "description": ("", "x", "x" * 10_000, "x" * 10_001, "😀" * 10_000, "😀" * 10_001, "\0", "a\0b", "\n\0", "\\u0000",
                    "\\x00", "\u0001\u001f\u007f\u2028\ufeff\uffff\U0010ffff", '"\\/\b\f\n\r\t'),
    "priority": ("", "low", "medium", "high", "critical", "Low", "HIGH", "urgent", "low ", "low\n", "lows", "lo"),
    "created_at": (
        "2026-11-24T10:29:24Z", "2026-11-24t10:29:24z", "2026-11-24T10:29:24.5+05:30", "2026-11-24T10:29:24-23:59",
        "2024-02-29T00:00:00Z", "2000-02-29T00:00:00Z", "2026-11-24T23:59:59Z", "0001-01-02T00:00:00Z",
        "9999-12-30T00:00:00Z", "2026-11-24T10:29:24." + "1" * 45 + "Z", "2026-11-24T10:29:24." + "1" * 46 + "Z",
        "2026-11-24T10:29:24." + "1" * 40 + "+01:00", "2026-11-24T10:29:24." + "1" * 41 + "+01:00",
        "", "2026-11-24", "2026-11-24T10:29:24", "2026-11-24 10:29:24Z", "2026-11-24T10:29:60Z", "2026-11-24T24:00:00Z",
        "2026-11-24T10:60:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z", "0000-01-01T00:00:00Z", "2026-11-24T10:29:24+24:00", "2026-11-24T10:29:24+00:60",
        "2026-11-24T10:29:24+0100", "2026-11-24T10:29:24.Z", "2026-11-24T10:29:24,5Z", "2026-11-24T10:29:24Z\n",
        "2026-11-24T10:29:24ZZ", "12026-11-24T10:29:24Z", "-2026-11-24T10:29:24Z", "٢026-11-24T10:29:24Z",
        " 2026-11-24T10:29:24Z"),
    "correlation_id": (UUID, UUID.upper(), "A" + UUID[1:], "", UUID[1:], UUID + "0", UUID + "\n", UUID.replace("-", ""),
                       "{" + UUID[1:-1] + "}", UUID.replace("e29b-4", "e29b-1"), UUID.replace("-a7", "-c7"),
                       UUID.replace("-a7", "-77"), "g" + UUID[1:], UUID.replace("-", "_"), "urn:uuid:" + UUID),
}

# What a schema cannot say. Dates that are not real can be seen by a validator that asserts formats, and only by one.
NO_DATES = ("2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2024-02-30T00:00:00Z", "2026-04-31T00:00:00Z")
NOT_IN_UTC = ("0001-01-01T00:00:00+00:01", "0001-01-01T23:58:59.9+23:59", "9999-12-31T23:59:00-00:01",
              "9999-12-31T00:01:00-23:59")
TWICE = ('"event":"x"', '"ticket_id":"TKT-1"', '"correlation_id":null,"correlation_id":null', '"\\u0065vent":"x"')
TOO_DEEP = '"unknown":' + "[" * 32 + "]" * 32


class Desk:
    """Posts tickets over one connection."""

    def __init__(self, url, secret):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
        self.secret = secret.encode()

    def verdict(self, body):
        tag = hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-ServiceDesk-Signature": tag}
        self.connection.request("POST", "/webhook/servicedesk", body, headers)
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status in (202, 400), (answer.status, body)
        return answer.status == 202


def edited(**changes):
    return {**GOOD, **changes}


def corpus():
    """Tickets at the edges of the rules, then good values of every field with one character changed."""
    yield GOOD
    yield from ({name: value for name, value in GOOD.items() if name != missing} for missing in GOOD)
    for field, values in VALUES.items():
        yield from (edited(**{field: value}) for value in values + OTHER_TYPES)
    yield from (edited(**{key: "x"}) for key in ("unknown", "", "Event", "event ", "job_id", "timestamp", "é"))
    yield edited(unknown={"a": [1, {"b": None}]})
    yield from ({}, [], [GOOD], "x", 7, None, True)
    rng = random.Random(1)
    good = {field: [value for value in values if len(value) < 100] for field, values in VALUES.items()}
    for _ in range(1500):
        field = rng.choice(list(VALUES))
        value = rng.choice(good[field])
        at = rng.randrange(len(value) + 1)
        yield edited(**{field: value[:at] + rng.choice(("", *'09aAfFzZ-:.+tT "\0\n😀')) + value[at + rng.randrange(2):]})


def is_outside_utc(moment):
    """Whether a date-time's UTC form has no year from 1 to 9999."""
    try:
        datetime.datetime.fromisoformat(re.sub("[.][0-9]+", "", moment.upper())).astimezone(datetime.timezone.utc)
    except OverflowError:
        return True
    return False


def compare_tickets(url, secret, path):
    schema = json.load(open(path))
    exact = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    without_formats = Draft202012Validator(schema)
    desk = Desk(url, secret)
    rng = random.Random(2)
    verdicts = []
    for ticket in corpus():
        accepts = exact.is_valid(ticket)
        # Formats add nothing but the calendar.
        if without_formats.is_valid(ticket) != accepts:
            assert ticket["created_at"][:4] != "0000" and ticket["created_at"][8:10] in ("29", "30", "31"), ticket
        accepts = accepts and not is_outside_utc(ticket["created_at"])
        answer = desk.verdict(json.dumps(ticket, ensure_ascii=rng.random() < 0.5).encode())
        assert accepts == answer, ("the schema says", accepts, "the responder says", answer, ticket)
        verdicts.append(answer)
    assert verdicts.count(True) > 300 and verdicts.count(False) > 300, (len(verdicts), sum(verdicts))

    for moment in NO_DATES:
        ticket = edited(created_at=moment)
        assert without_formats.is_valid(ticket) and not exact.is_valid(ticket), moment
        assert not desk.verdict(json.dumps(ticket).encode()), moment
    for moment in NOT_IN_UTC:
        ticket = edited(created_at=moment)
        assert exact.is_valid(ticket) and not desk.verdict(json.dumps(ticket).encode()), moment
    for member in TWICE + ((TOO_DEEP,) if schema["additionalProperties"] else ()):
        body = json.dumps(GOOD)[:-1] + "," + member + "}"
        assert exact.is_valid(json.loads(body)) and not desk.verdict(body.encode()), member


def check_schemas(*paths):
    for path in paths:
        text = open(path).read()
        schema = json.loads(text)
        Draft202012Validator.check_schema(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        assert text == json.dumps(schema, indent=2, ensure_ascii=False) + "\n", path
        assert schema["title"] and schema["description"] and schema["examples"]
        assert all(rule["description"] for rule in schema["properties"].values())
        for example in schema["examples"]:
            Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(example)


def check_jobs(path, jobs):
    schema = json.load(open(path))
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert schema["required"] == STANDARD and schema["additionalProperties"] is True
    for line in open(jobs):
        job = json.loads(line)
        validator.validate(job)
        assert list(job) == [member for member in schema["properties"] if member in job], list(job)
        assert all(member in schema["properties"] for member in job), list(job)


def check_spoilt_jobs(path):
    validator = Draft202012Validator(json.load(open(path)))
    job = json.load(sys.stdin)
    validator.validate(job)
    validator.validate({**job, "a_member_of_the_next_release": 1})
    for member, value in job.items():
        assert not validator.is_valid({name: value for name, value in job.items() if name != member}), member
        for spoilt in ("", f"{value}\n", None, 1):
            # A description may end with a line feed.
            assert not validator.is_valid({**job, member: spoilt}) or (member, spoilt[-1:]) == ("description", "\n"), (
                member, spoilt)
    for member, value in (("job_id", job["job_id"].upper()), ("created_at", "2026-01-31T09:30:00Z"), ("event", ""),
                          ("timestamp", "2026-01-31t09:30:00z"), ("delivery_id", "with space"), ("delivery_id", ""),
                          ("delivery_id", "x" * 256), ("traceparent", "00-" + "0" * 32 + "-" + "1" * 16 + "-01"),
                          ("traceparent", "00-" + "1" * 32 + "-" + "0" * 16 + "-01"), ("tracestate", "a=1")):
        assert not validator.is_valid({**job, member: value}), (member, value)
    validator.validate({**job, "traceparent": "00-" + "1" * 32 + "-" + "1" * 16 + "-01", "tracestate": "a=1"})


def judge_files(path, *files):
    validator = Draft202012Validator(json.load(open(path)))
    for file in files:
        print("good" if validator.is_valid(json.load(open(file))) else "bad")


COMMANDS = {"schemas": check_schemas, "tickets": compare_tickets, "jobs": check_jobs, "spoilt-jobs": check_spoilt_jobs,
            "files": judge_files}
COMMANDS[sys.argv[1]](*sys.argv[2:])
