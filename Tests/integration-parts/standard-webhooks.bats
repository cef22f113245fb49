# The library of Standard Webhooks from PyPI signs tickets that are accepted, and its ids are recognised.
load ../curl/stack.bash

python=$root/.build/test-python/bin/python
unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json

setup_file() {
    "$python" - >"$dir/secret" <<'END'
import base64, secrets
print("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
END
    (umask 077 && jq -n --arg secret "$(<"$dir/secret")" \
        '{tenants: [{id: "acme", keys: [{id: "1", mode: "standard-webhooks", secret: $secret}]}]}' >"$SERVICEDESK_TENANTS_FILE")
    stack_up
}

# send ID [SECONDS] [EDIT]: posts the ticket as the library signs it, that many seconds ago; EDIT is a sed script for the body
# after it was signed.
send() {
    ticket >"$BATS_TEST_TMPDIR/body"
    "$python" - "$(<"$dir/secret")" "$1" "${2-0}" "$BATS_TEST_TMPDIR/body" >"$BATS_TEST_TMPDIR/fields" <<'END'
import datetime, sys
from standardwebhooks import Webhook
secret, name, age, path = sys.argv[1:]
time = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=int(age))
body = open(path, encoding="utf-8").read()
print(f"webhook-id: {name}\nwebhook-timestamp: {int(time.timestamp())}")
print("webhook-signature:", Webhook(secret).sign(msg_id=name, timestamp=time, data=body))
END
    sed -i "${3-}" "$BATS_TEST_TMPDIR/body"
    request /webhook/servicedesk --data-binary "@$BATS_TEST_TMPDIR/body" -H Content-Type:application/json \
        -H "@$BATS_TEST_TMPDIR/fields"
}

@test "Standard Webhooks: what the library signs is accepted, and its id is recognised when it comes again" {
    send msg_1
    accepted
    first=$(job_id)
    send msg_1 120
    accepted
    same "$first" "$(job_id)"
    send msg_2
    accepted
    [[ $(job_id) != "$first" ]]
    same 2 "$(depth)"
}

@test "Standard Webhooks: a changed body and a stale time are refused" {
    send msg_3 0 's/fire/ice/'
    problem 401 'Invalid webhook signature'
    send msg_3 310
    problem 401 'Invalid webhook signature'
    send msg_3 -310
    problem 401 'Invalid webhook signature'
    same 0 "$(depth)"
}
