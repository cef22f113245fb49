# What the tests of the quarantine share: tenants, senders, and a responder with one secret for all tenants beside them.
load stack.bash

unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json SERVICEDESK_QUARANTINE=50 SERVICEDESK_QUARANTINE_TENANT=20
stream="{$queue}:quarantine"
key=correct-horse-battery-staple-desk

ctl() { "${program%/*}/servicedeskctl" "$@"; }

setup_file() {
    (
        umask 077
        jq -n --arg key "$key" '
            def keys(id): [{id: "1", mode: "servicedesk", secret: "\($key)-\(id)"}];
            {tenants: [{id: "acme", keys: ([{id: "w", mode: "standard-webhooks",
                    secret: "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}] + keys("acme"))},
                {id: "globex", keys: keys("globex")}],
            senders: [{id: "desk", tenant: "globex", profile: "sdp-v3", keys: keys("desk")},
                {id: "msp", profile: "generic", tenant_from: {path: "account", tenants: {"A": "acme", "G": "globex"}},
                    keys: keys("msp")}]}' >"$SERVICEDESK_TENANTS_FILE"
    )
    stack_up
    # With one secret for all tenants, and a user who may do what the README says, and no more.
    redis ACL SETUSER responder on '>p' '~{shared}:queue' '~{shared}:queue:seen:*' +lpush +eval +evalsha +get +set \
        '~{shared}:queue:quarantine' '~{shared}:queue:quarantine:*' +incrby +expire +xtrim +xadd
    SERVICEDESK_TENANTS_FILE='' SERVICEDESK_SECRET=$secret SERVICEDESK_LOG_FILE=$dir/shared.json \
        SERVICEDESK_REDIS_URL=unix://responder:p@$dir/redis.sock SERVICEDESK_QUEUE_KEY={shared}:queue \
        start_responder "$dir/shared.log" "$dir/shared.sock" --processes 2
    wait_up "$pid" responder_answers "$dir/shared.sock" ready
    nginx_start shared "$dir/shared.sock"
}

teardown_file() {
    stop "$(<"$dir/shared.sock.pid")"
    stack_down
}

setup() {
    nginx_use main
    redis DEL "$queue" "$stream" >/dev/null
    redis --scan --pattern "$stream:*" | while read -r name; do redis DEL "$name"; done >/dev/null
}

# from OWNER BODY [CURL OPTION...]: posts it, to the sender's path unless the owner is a tenant; with $signature and $type
# if they are set, else correct ones.
from() {
    local path=/webhook/servicedesk
    case $1 in desk | msp) path+=/$1 ;; esac
    printf %s "$2" >"$BATS_TEST_TMPDIR/body"
    request "$path" --data-binary "@$BATS_TEST_TMPDIR/body" -H "Content-Type: ${type-application/json}" \
        -H "X-ServiceDesk-Signature: ${signature-$(sign "$key-$1" <"$BATS_TEST_TMPDIR/body")}" "${@:3}"
}

# private FILE: writes what it reads to a file that only its owner can read.
private() { (umask 077; cat >"$1"); }

# kept COUNT: waits until so many requests are in the quarantine. first: prints the id of the oldest.
kept() { eventually eval "[[ \$(redis XLEN '$stream') == $1 ]]"; }
first() { redis XRANGE "$stream" - + COUNT 1 | head -1; }
# outcome NAME: prints how many requests had it.
outcome() {
    request /metrics
    grep "quarantined_requests_total{outcome=\"$1\"}" <<<"$answer" | awk '{ print $2 }'
}
