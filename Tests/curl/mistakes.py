"""Writes captured requests, right ones and ones with a planted mistake, as files for `servicedeskctl explain`.

    mistakes.py DIRECTORY

DIRECTORY/tenants.json has the keys, DIRECTORY/secrets their secrets, and each case is a directory GROUP/CASE with the files
body, headers, arguments and expected: the names of the mistakes, or "accepted".
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import urllib.parse

root = sys.argv[1]
NOW = 1795771800  # 2026-11-27T09:30:00Z
TIME = "2026-11-27T09:30:00Z"

SECRETS = {name: f"correct-horse-battery-staple-{name}" for name in (
    "acme acme-old acme-new github zendesk glpi dotted deluge bearer tls basic idle desk msp globex spare").split()}
SECRETS["hexed"] = hashlib.sha256(b"hexed").hexdigest()
SECRETS["based"] = base64.b64encode(hashlib.sha256(b"based").digest()).decode()
SECRETS["special"] = "correct-horse-battery-staple-$pecial-1"
SECRETS["whsec"] = "whsec_" + base64.b64encode(b"another-key-of-some-32-bytes-here").decode()
SECRETS["standard"] = "whsec_" + base64.b64encode(b"a-key-of-at-least-24-bytes").decode()
STANDARD_KEY = b"a-key-of-at-least-24-bytes"


def key(name, mode="servicedesk", id="1", **members):
    secret = {} if "sha256" in members else {"secret": SECRETS[name]}
    return {"id": id, "mode": mode, **secret, **members}


def sha256_of(name):
    return hashlib.sha256(SECRETS[name].encode()).hexdigest()


ZENDESK = {"header": "X-Zendesk-Webhook-Signature", "encoding": "base64", "signed": "timestamp-body",
           "timestamp_header": "X-Zendesk-Webhook-Signature-Timestamp", "timestamp_format": "rfc3339"}
GLPI = {"header": "X-GLPI-signature", "signed": "body-timestamp", "timestamp_header": "X-GLPI-timestamp", "tolerance": 86400}
DOTTED = {"header": "X-Desk-Signature", "prefix": "v1=", "signed": "timestamp-body", "separator": ".",
          "timestamp_header": "X-Desk-Timestamp"}
TENANTS = {
    "acme": [key("acme", id="now"), key("acme-old", id="old", not_after="2026-01-01T00:00:00Z"),
             key("acme-new", id="new", not_before="2027-01-01T00:00:00Z")],
    "github": [key("github", "hmac", header="X-Hub-Signature-256", prefix="sha256=")],
    "zendesk": [key("zendesk", "hmac", **ZENDESK)],
    "glpi": [key("glpi", "hmac", **GLPI)],
    "dotted": [key("dotted", "hmac", **DOTTED)],
    "deluge": [key("deluge", "hmac", header="X-ServiceDesk-Signature", encoding="base64")],
    "bearer": [key("bearer", "token", plaintext=True, sha256=sha256_of("bearer"))],
    "tls": [key("tls", "token", header="X-Webhook-Secret")],
    "basic": [key("basic", "basic", plaintext=True, user="desk", sha256=sha256_of("basic"))],
    "standard": [key("standard", "standard-webhooks")],
    **{name: [key(name)] for name in ("hexed", "based", "special", "whsec", "globex", "spare")},
}
FILE = {
    "tenants": [{"id": id, "keys": keys} for id, keys in TENANTS.items()]
    + [{"id": "idle", "active": False, "keys": [key("idle")]}],
    "senders": [
        {"id": "desk", "keys": [key("desk")], "tenant": "globex"},
        {"id": "msp", "keys": [key("msp")], "tenant_from": {"path": "account.name", "tenants": {"Globex": "globex", "Idle": "idle"}}},
    ],
}


def ticket(tenant, **members):
    payload = {"event": "ticket_created", "ticket_id": "TKT-1", "tenant_id": tenant,
               "description": "Der Drucker in München brennt: <b>A/B</b>", "priority": "high",
               "created_at": "2026-11-27T09:29:58Z", **members}
    return {name: value for name, value in payload.items() if value is not None}


def compact(payload):
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def tag(secret, *texts, hash="sha256"):
    secret = SECRETS.get(secret, secret) if isinstance(secret, str) else secret
    secret = secret.encode() if isinstance(secret, str) else secret
    text = b"".join(text.encode() if isinstance(text, str) else text for text in texts)
    return hmac.new(secret, text, hash).digest()


def b64(data):
    return base64.b64encode(data).decode()


def case(name, expected, body, headers, *arguments):
    directory = os.path.join(root, name)
    os.makedirs(directory)
    lines = [f"{header}: {value}" for header, value in headers.items()]
    for file, content in (("body", body), ("headers", "".join(line + "\n" for line in lines).encode()),
                          ("arguments", " ".join(arguments).encode()), ("expected", expected.encode())):
        with open(os.path.join(directory, file), "wb") as output:
            output.write(content)


def desk(signature, **more):
    return {"X-ServiceDesk-Signature": signature if isinstance(signature, str) else signature.hex(), **more}


def standard(id, time, signature):
    return {"webhook-id": id, "webhook-timestamp": time, "webhook-signature": signature}


def headers_of(tenant, body, time=NOW):
    """What the sender of that tenant sends."""
    match tenant:
        case "standard":
            return standard("msg_1", time, "v1," + b64(tag(STANDARD_KEY, f"msg_1.{time}.", body)))
        case "github":
            return {"X-Hub-Signature-256": "sha256=" + tag("github", body).hex()}
        case "zendesk":
            return {"X-Zendesk-Webhook-Signature": b64(tag("zendesk", TIME, body)), "X-Zendesk-Webhook-Signature-Timestamp": TIME}
        case "glpi":
            return {"x-glpi-signature": tag("glpi", body, str(time)).hex(), "x-glpi-timestamp": time}
        case "dotted":
            return {"X-Desk-Signature": "v1=" + tag("dotted", f"{time}.", body).hex(), "X-Desk-Timestamp": time}
        case "deluge":
            return desk(b64(tag("deluge", body)))
        case "bearer":
            return {"Authorization": "bearer " + SECRETS["bearer"]}
        case "tls":
            return {"X-Webhook-Secret": SECRETS["tls"]}
        case "basic":
            return {"Authorization": "Basic " + b64(b"desk:" + SECRETS["basic"].encode())}
        case _:
            return desk(tag(tenant, body))


def bodies(tenant):
    """The same ticket as different programs write it."""
    payload = ticket(tenant)
    pretty = json.dumps(payload, indent=4)
    return [compact(payload), compact(payload) + b"\n", json.dumps(payload).encode(), pretty.encode(),
            pretty.replace("\n", "\r\n").encode() + b"\r\n", b" \t" + json.dumps(payload, sort_keys=True).encode() + b"\n\n",
            compact(ticket(tenant, description="\u00e4\u20ac\U0001f600</\\ \u2028" * 50))]


def right():
    for tenant in "acme standard github zendesk glpi dotted deluge bearer tls basic".split():
        for number, body in enumerate(bodies(tenant)):
            case(f"right-{tenant}/{number}", "accepted", body, headers_of(tenant, body), "--https" if tenant == "tls" else "")
    plain = compact(ticket("acme"))
    whole = {"Host": "x", "Content-Type": "application/json; charset=utf-8", "Content-Length": len(plain)}
    case("right/whole", "accepted", plain, {**whole, **desk(tag("acme", plain))})
    case("right/upper-case", "accepted", plain, desk("sha256=" + tag("acme", plain).hex().upper()))
    body = compact(ticket("standard"))
    case("right/standard-old", "accepted", body, headers_of("standard", body, NOW - 299))
    good = headers_of("standard", body)["webhook-signature"]
    case("right/standard-several", "accepted", body, standard("msg_1", NOW, f"v1a,abc v1,{b64(bytes(32))} {good}"))
    body = compact(ticket("glpi"))
    case("right/glpi-old", "accepted", body, headers_of("glpi", body, NOW - 80000))
    body = compact(ticket(None))
    case("right/sender", "accepted", body, desk(tag("desk", body)), "--path /webhook/servicedesk/desk")
    body = compact(ticket(None, account={"name": "Globex"}))
    case("right/table", "accepted", body, desk(tag("msp", body)), "--path https://x/webhook/servicedesk/msp?a=b")
    for tenant in "hexed", "based", "special", "whsec":
        body = compact(ticket(tenant))
        case(f"right/{tenant}", "accepted", body, headers_of(tenant, body))


def body():
    sent = compact(ticket("acme"))
    payload = ticket("acme")

    def signed(name, expected, text):
        case(f"body/{name}", expected, sent, desk(tag("acme", text)))

    signed("newline-missing", "newline-missing", sent + b"\n")
    signed("crlf-missing", "newline-missing", sent + b"\r\n")
    case("body/newline-added", "newline-added", sent + b"\n", desk(tag("acme", sent)))
    case("body/space-added", "space-around", b"  " + sent + b" ", desk(tag("acme", sent)))
    pretty = json.dumps(payload, indent=2).encode()
    case("body/crlf", "line-endings", pretty.replace(b"\n", b"\r\n"), desk(tag("acme", pretty)))
    case("body/lf", "line-endings", pretty, desk(tag("acme", pretty.replace(b"\n", b"\r\n"))))
    signed("dumps", "rewritten-json", json.dumps(payload))
    signed("dumps-utf-8", "rewritten-json", json.dumps(payload, ensure_ascii=False))
    signed("dumps-ascii", "rewritten-json", json.dumps(payload, separators=(",", ":")))
    signed("dumps-sorted", "rewritten-json", json.dumps(payload, sort_keys=True))
    signed("dumps-2", "rewritten-json", json.dumps(payload, indent=2))
    signed("dumps-4", "rewritten-json", json.dumps(payload, indent=4, ensure_ascii=False))
    signed("php", "rewritten-json", json.dumps(payload, separators=(",", ":")).replace("/", "\\/"))
    case("body/compact", "rewritten-json", json.dumps(payload).encode(), desk(tag("acme", sent)))
    signed("utf-16", "text-encoding", sent.decode().encode("utf-16-le"))
    signed("latin-1", "text-encoding", sent.decode().encode("latin-1"))
    signed("mark", "text-encoding", b"\xef\xbb\xbf" + sent)
    case("body/mark-sent", "text-encoding", b"\xef\xbb\xbf" + sent, desk(tag("acme", sent)))
    signed("empty", "empty-body", b"")
    signed("object", "other-text", "[object Object]")
    signed("digest", "digest-of-body", hashlib.sha256(sent).hexdigest())
    signed("raw-digest", "digest-of-body", hashlib.sha256(sent).digest())
    signed("part", "part-of-body", payload["ticket_id"])
    form = ("payload=" + urllib.parse.quote(sent)).encode()
    case("body/form", "form-encoded", form, desk(tag("acme", sent)))
    utf_16 = sent.decode().encode("utf-16")
    case("body/utf-16-sent", "text-encoding", utf_16, desk(tag("acme", utf_16)))
    case("body/mark-signed", "text-encoding", b"\xef\xbb\xbf" + sent, desk(tag("acme", b"\xef\xbb\xbf" + sent)))
    quoted = json.dumps(sent.decode()).encode()
    case("body/string-signed", "json-in-json", quoted, desk(tag("acme", quoted)))
    case("body/form-signed", "form-encoded", form, desk(tag("acme", form)))
    twice = json.dumps(sent.decode()).encode()
    case("body/twice", "json-in-json", twice, desk(tag("acme", sent)))
    case("body/truncated", "body-truncated", sent[:-40], {**desk(tag("acme", sent)), "Content-Length": len(sent)})
    characters = len(sent.decode())
    case("body/characters", "length-in-characters", sent, {**desk(tag("acme", sent)), "Content-Length": characters})


def secret():
    def signed(name, tenant, expected, key):
        text = compact(ticket(tenant))
        case(f"secret/{name}", expected, text, desk(tag(key if isinstance(key, bytes) else key.encode(), text)))

    signed("newline", "acme", "secret-space", SECRETS["acme"] + "\n")
    signed("space", "acme", "secret-space", SECRETS["acme"] + " ")
    signed("quotes", "acme", "secret-quotes", f'"{SECRETS["acme"]}"')
    signed("hex-decoded", "hexed", "secret-decoded", bytes.fromhex(SECRETS["hexed"]))
    signed("base64-decoded", "based", "secret-decoded", base64.b64decode(SECRETS["based"]))
    signed("upper-case", "hexed", "secret-encoded", SECRETS["hexed"].upper())
    signed("cut", "special", "secret-cut", "correct-horse-battery-staple-")
    signed("empty", "acme", "secret-empty", b"")
    signed("whsec-decoded", "whsec", "whsec", base64.b64decode(SECRETS["whsec"][6:]))
    text = compact(ticket("standard"))
    for name, used in ("whole", SECRETS["standard"]), ("undecoded", SECRETS["standard"][6:]):
        case(f"secret/whsec-{name}", "whsec", text, standard("m", NOW, "v1," + b64(tag(used, f"m.{NOW}.", text))))
    text = compact(ticket("acme"))
    case("secret/other-tenant", "other-owner", text, desk(tag("globex", text)))
    case("secret/sender-s", "wrong-path", text, desk(tag("desk", text)))
    case("secret/tenant-s", "wrong-path", text, desk(tag("globex", text)), "--path /webhook/servicedesk/desk")
    case("secret/other-sender", "other-owner", text, desk(tag("msp", text)), "--path /webhook/servicedesk/desk")
    case("secret/old", "key-expired", text, desk(tag("acme-old", text)))
    case("secret/new", "key-not-yet-valid", text, desk(tag("acme-new", text)))
    case("secret/unknown", "", text, desk(tag("nobody-knows-this-secret", text)))
    idle = compact(ticket("idle"))
    case("secret/idle", "owner-inactive", idle, desk(tag("idle", idle)))


def algorithm():
    text = compact(ticket("acme"))
    for hash in "sha1", "sha384", "sha512", "md5":
        case(f"algorithm/{hash}", "other-hash", text, desk(tag("acme", text, hash=hash)))
    secret = SECRETS["acme"].encode()
    case("algorithm/secret-body", "no-hmac", text, desk(hashlib.sha256(secret + text).digest()))
    case("algorithm/body-secret", "no-hmac", text, desk(hashlib.sha256(text + secret).digest()))
    case("algorithm/body-alone", "no-hmac", text, desk(hashlib.sha256(text).digest()))
    case("algorithm/swapped", "swapped", text, desk(tag(text, secret)))
    case("algorithm/base64", "encoding", text, desk(b64(tag("acme", text))))
    case("algorithm/base64url", "encoding", text, desk(base64.urlsafe_b64encode(tag("acme", text)).decode().rstrip("=")))
    case("algorithm/base64-of-hex", "encoding", text, desk(b64(tag("acme", text).hex().encode())))
    case("algorithm/other-prefix", "prefix", text, desk("hmac-sha256 " + tag("acme", text).hex()))
    case("algorithm/quoted", "prefix", text, desk('"' + tag("acme", text).hex() + '"'))
    case("algorithm/two", "rewritten-json,encoding", text, desk(b64(tag("acme", json.dumps(ticket("acme"))))))
    case("algorithm/two-more", "rewritten-json,secret-space", text, desk(tag(SECRETS["acme"] + "\n", json.dumps(ticket("acme")))))
    deluge = compact(ticket("deluge"))
    case("algorithm/hex", "encoding", deluge, desk(tag("deluge", deluge)))
    github = compact(ticket("github"))
    case("algorithm/no-prefix", "prefix", github, {"X-Hub-Signature-256": tag("github", github).hex()})
    case("algorithm/sha1-github", "other-hash,prefix", github, {"X-Hub-Signature-256": "sha1=" + tag("github", github, hash="sha1").hex()})


def time():
    zendesk = compact(ticket("zendesk"))

    def zen(name, expected, time, *texts):
        case(f"time/{name}", expected, zendesk, {
            "X-Zendesk-Webhook-Signature": b64(tag("zendesk", *texts)), "X-Zendesk-Webhook-Signature-Timestamp": time})

    zen("stale", "time-stale", "2026-11-27T09:20:00Z", "2026-11-27T09:20:00Z", zendesk)
    zen("zone", "time-stale", "2026-11-27T10:30:01Z", "2026-11-27T10:30:01Z", zendesk)
    zen("unix", "time-form", NOW, str(NOW), zendesk)
    zen("body-alone", "other-content", TIME, zendesk)
    zen("separator", "other-content", TIME, TIME, ".", zendesk)
    zen("order", "other-content", TIME, zendesk, TIME)
    dotted = compact(ticket("dotted"))

    def dot(name, expected, time, *texts):
        case(f"time/{name}", expected, dotted, {
            "X-Desk-Signature": "v1=" + tag("dotted", *texts).hex(), "X-Desk-Timestamp": time})

    dot("milliseconds", "time-form", NOW * 1000, f"{NOW * 1000}.", dotted)
    dot("signed-milliseconds", "other-content", NOW, f"{NOW * 1000}.", dotted)
    case("time/in-signature", "other-content,prefix", dotted, {
        "X-Desk-Signature": f"t={NOW},v1=" + tag("dotted", f"{NOW}.", dotted).hex()})
    dot("no-separator", "other-content", NOW, str(NOW), dotted)
    text = compact(ticket("standard"))
    case("time/standard", "time-stale", text, standard("m", NOW + 400, "v1," + b64(tag(STANDARD_KEY, f"m.{NOW + 400}.", text))))
    case("time/no-id", "other-content", text, standard("m", NOW, "v1," + b64(tag(STANDARD_KEY, f"{NOW}.", text))))
    case("time/missing", "signed-header-missing", text, {
        "webhook-id": "m", "webhook-signature": "v1," + b64(tag(STANDARD_KEY, f"m.{NOW}.", text))})
    acme = compact(ticket("acme"))
    case("time/unexpected", "other-content", acme, {**desk(tag("acme", f"{NOW}.", acme)), "X-Request-Timestamp": NOW})


def header():
    acme = compact(ticket("acme"))
    signature = tag("acme", acme).hex()
    case("header/name", "header-name", acme, {"X-Signature": signature})
    case("header/underscore", "header-underscore", acme, {"X_ServiceDesk_Signature": signature})
    case("header/mode", "wrong-mode", acme, {"X-Hub-Signature-256": "sha256=" + signature})
    case("header/none", "header-missing", acme, {"User-Agent": "x"})
    github = compact(ticket("github"))
    case("header/mode-2", "wrong-mode", github, desk(tag("github", github)))
    case("header/secret", "secret-sent", acme, {"Authorization": "Bearer " + SECRETS["acme"]})
    tls = compact(ticket("tls"))
    case("header/plain-http", "not-over-tls", tls, {"X-Webhook-Secret": SECRETS["tls"]})
    case("header/token-signs", "wrong-mode,not-over-tls", tls, desk(tag("tls", tls)))
    case("header/token-header", "header-name", tls, {"Authorization": "Bearer " + SECRETS["tls"]}, "--https")
    bearer = compact(ticket("bearer"))
    case("header/scheme", "prefix", bearer, {"Authorization": "Token " + SECRETS["bearer"]})
    case("header/no-scheme", "prefix", bearer, {"Authorization": SECRETS["bearer"]})
    case("header/quotes", "quotes", bearer, {"Authorization": f'Bearer "{SECRETS["bearer"]}"'})
    case("header/digest", "token-digest", bearer, {"Authorization": "Bearer " + sha256_of("bearer")})
    case("header/as-basic", "wrong-mode", bearer, {"Authorization": "Basic " + b64(f'x:{SECRETS["bearer"]}'.encode())})
    basic = compact(ticket("basic"))
    case("header/user", "basic-user", basic, {"Authorization": "Basic " + b64(f'Desk:{SECRETS["basic"]}'.encode())})
    case("header/unencoded", "basic-unencoded", basic, {"Authorization": "Basic desk:" + SECRETS["basic"]})
    case("header/as-bearer", "wrong-mode", basic, {"Authorization": "Bearer " + SECRETS["basic"]})
    case("header/other-token", "other-owner", basic, {"Authorization": "Bearer " + SECRETS["bearer"]})


def tenant():
    text = compact(ticket(None))
    case("tenant/missing", "tenant-missing", text, desk(tag("acme", text)))
    text = compact(ticket("ACME"))
    case("tenant/unknown", "tenant-unknown", text, desk(tag("nobody-has-this", text)))
    case("tenant/unknown-but-signed", "other-owner", text, desk(tag("acme", text)))
    text = compact(ticket("acme"))
    case("tenant/other", "other-tenant", text, desk(tag("desk", text)), "--path /webhook/servicedesk/desk")
    case("tenant/sender-unknown", "sender-unknown", text, desk("0" * 64), "--path /webhook/servicedesk/Desk")
    case("tenant/path", "unknown_path", text, desk(tag("acme", text)), "--path /webhook")
    text = compact(ticket(None, account={"name": "Nobody"}))
    case("tenant/value", "value-unknown", text, desk(tag("msp", text)), "--path /webhook/servicedesk/msp")
    text = compact(ticket(None, account={"name": "Idle"}))
    case("tenant/value-idle", "owner-inactive", text, desk(tag("msp", text)), "--path /webhook/servicedesk/msp")
    text = compact(ticket("acme", priority="urgent"))
    case("tenant/field", "invalid_fields", text, desk(tag("acme", text)))
    text = compact(ticket("acme"))
    case("tenant/type", "unsupported_media_type", text, {**desk(tag("acme", text)), "Content-Type": "text/plain"})


os.makedirs(root, exist_ok=True)
with open(os.path.join(root, "tenants.json"), "w") as output:
    json.dump(FILE, output)
with open(os.path.join(root, "secrets"), "w") as output:
    output.writelines(secret + "\n" for secret in SECRETS.values())
for group in right, body, secret, algorithm, time, header, tenant:
    group()
