# Senders: a path of their own, one tenant or a table of them by a value in the payload.
load stack.bash

unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json

acme=correct-horse-battery-staple-acme
desk=correct-horse-battery-staple-desk
msp=correct-horse-battery-staple-msp1

write() {
    umask 077
    jq -n --arg acme "$acme" --arg desk "$desk" --arg msp "$msp" '
        def key(secret): [{id: "1", mode: "servicedesk", secret: secret}];
        {tenants: [{id: "acme", keys: key($acme)}, {id: "globex"}, {id: "initech"}, {id: "hooli", active: false},
            {id: "slow", limit: {per_second: 0.01, burst: 2}}],
        senders: [
            {id: "desk", keys: key($desk), tenant: "globex"},
            {id: "msp", keys: key($msp), tenant_from: {path: "account.name",
                tenants: {"Globex & Söhne": "globex", "4711": "initech", "ACME": "acme", "Hooli": "hooli"}}},
            {id: "idle", active: false, keys: key($desk + "-idle"), tenant: "globex"},
            {id: "token", keys: [{id: "t", mode: "token", header: "X-Webhook-Secret", plaintext: true, secret: ($desk + "-token")}],
                tenant: "initech"},
            {id: "slow", keys: key($desk + "-slow"), tenant: "slow"}
        ]} | '"${1-.}" >"$SERVICEDESK_TENANTS_FILE.new"
    mv "$SERVICEDESK_TENANTS_FILE.new" "$SERVICEDESK_TENANTS_FILE"
}

setup_file() {
    write
    stack_up
}

# from SENDER SECRET BODY: posts to the sender's path.
from() {
    request "/webhook/servicedesk/$1" --data-binary "$3" -H Content-Type:application/json \
        -H "X-ServiceDesk-Signature: $(printf %s "$3" | sign "$2")"
}

refused() {
    problem 401 'Invalid webhook signature'
    same "$1" "$(logged cause)"
    same "${2-null}" "$(logged sender)"
}

@test "a sender with one tenant need not name it" {
    from desk "$desk" "$(ticket 'del(.tenant_id)')"
    accepted
    same globex "$(newest | jq -r .tenant_id)"
    same 'desk 1 globex' "$(logged sender) $(logged key) $(logged tenant_id)"
    from desk "$desk" "$(ticket '.tenant_id = "globex"')"
    accepted
}

@test "401: a sender that names another tenant than its own" {
    from desk "$desk" "$(ticket)"
    refused 'the payload names another tenant' desk
    from msp "$msp" "$(ticket '.account = {name: "ACME"} | .tenant_id = "globex"')"
    refused 'the payload names another tenant' msp
    same 'globex null' "$(logged claimed_tenant) $(logged ticket_id)"
    from desk "$desk" "$(ticket '.priority = "none"')"
    refused 'the payload names another tenant' desk
    # It is nobody's ticket, and counts against no tenant's limit.
    from slow "$desk-slow" "$(ticket 'del(.tenant_id)')"
    accepted
    for _ in 1 2 3; do
        from slow "$desk-slow" "$(ticket '.tenant_id = "globex"')"
        refused 'the payload names another tenant' slow
    done
    from slow "$desk-slow" "$(ticket 'del(.tenant_id)')"
    accepted
    from slow "$desk-slow" "$(ticket 'del(.tenant_id)')"
    same 429 "$code"
    same 2 "$(depth)"
}

@test "a value in the payload determines the tenant, and its member is no unknown field" {
    from msp "$msp" "$(ticket 'del(.tenant_id) | .account = {id: 9, name: "Globex & Söhne"}')"
    accepted
    same globex "$(newest | jq -r .tenant_id)"
    from msp "$msp" "$(ticket 'del(.tenant_id) | .account = {name: "Globex & S\u00f6hne"}' | jq -ac .)"
    accepted
    same globex "$(newest | jq -r .tenant_id)"
    from msp "$msp" "$(ticket 'del(.tenant_id) | .account = {name: 4711}')"
    accepted
    same initech "$(newest | jq -r .tenant_id)"
    from msp "$msp" "$(ticket 'del(.tenant_id) | .account = {name: "ACME"} | .other = 1')"
    wrong other
}

@test "401: a value outside the table, or none, or that of an inactive tenant" {
    for value in '{name: "acme"}' '{name: "ACME "}' '{}' '"ACME"' '[{name: "ACME"}]' '{name: ["ACME"]}' '{name: null}'; do
        from msp "$msp" "$(ticket "del(.tenant_id) | .account = $value")"
        refused 'value stands for no tenant' msp
    done
    from msp "$msp" "$(ticket)"
    refused 'value stands for no tenant' msp
    from msp "$msp" "$(ticket 'del(.tenant_id) | .account = {name: "Hooli"}')"
    refused 'tenant inactive' msp
    same 0 "$(depth)"
}

@test "400: a sender's body that is no JSON, with its place" {
    from msp "$msp" '{"account":{"name":"ACME"},"description":"a "quote""}'
    wrong '(body)'
    from msp "$msp" '{"account":{"name":"ACME"},"account":{"name":"Hooli"}}'
    wrong '(body)'
}

@test "401: an unknown or inactive sender, and another's key, look the same" {
    for sender in nobody NOBODY acme desk/x a%2Fb "$(printf 'x%.0s' {1..300})"; do
        from "$sender" "$desk" "$(ticket 'del(.tenant_id)')"
        problem 401 'Invalid webhook signature'
        same 'sender unknown' "$(logged cause)"
    done
    from idle "$desk-idle" "$(ticket)"
    refused 'sender inactive' idle
    from desk "$msp" "$(ticket)"
    refused 'no key matches' desk
    # A sender's key does not count as its tenant's, nor a tenant's as a sender's.
    from desk "$acme" "$(ticket)"
    refused 'no key matches' desk
    post "$(ticket)"
    problem 401
    secret=$desk post "$(ticket '.tenant_id = "globex"')"
    problem 401 'Invalid webhook signature'
    secret=$acme post "$(ticket)"
    accepted
}

@test "a sender that cannot sign has a token, on its path only" {
    body=$(ticket 'del(.tenant_id)')
    request /webhook/servicedesk/token --data-binary "$body" -H Content-Type:application/json -H "X-Webhook-Secret: $desk-token"
    accepted
    same 'token t token' "$(logged sender) $(logged key) $(logged mode)"
    request /webhook/servicedesk --data-binary "$(ticket)" -H Content-Type:application/json -H "X-Webhook-Secret: $desk-token"
    problem 401 'Invalid webhook signature'
    same 'mode not accepted' "$(logged cause)"
    request /webhook/servicedesk/token
    same '405 POST' "$code $(header Allow)"
    request /webhook/servicedesk/
    problem 404
}

@test "/metrics counts 401s by their causes, and the versions of the tenants file" {
    before=$(of_cause 'no key matches')
    from desk "$msp" "$(ticket)"
    same $((before + 1)) "$(of_cause 'no key matches')"
    request /metrics
    grep -qx 'servicedesk_tenants_files 1' <<<"$answer"
}
of_cause() {
    request /metrics
    sed -n "s/^servicedesk_refused_credentials_total{cause=\"$1\"} //p" <<<"$answer"
}

@test "a changed sender is counted, and its tickets go to the new tenant" {
    write '.senders[0].tenant = "initech" | del(.senders[3]) | .senders[1].tenant_from.tenants["New"] = "acme"'
    eventually grep -q 'tenants reloaded: 5; tenants: 0 added, 0 removed, 0 changed; senders: 0 added, 1 removed, 2 changed; keys: 0 added, 1 removed, 0 changed' "$SERVICEDESK_LOG_FILE"
    sleep 1.2
    from desk "$desk" "$(ticket 'del(.tenant_id)')"
    accepted
    same initech "$(newest | jq -r .tenant_id)"
}

@test "--check reports a sender's faults with their places" {
    write '.senders[0].tenant = "nobody" | .senders[1].tenant_from.tenants["x"] = "nobody" | .senders[2].keys = []
        | .senders[3].tenant_from = {path: "", tenants: {}} | .tenants += [{id: "orphan"}]'
    run -78 "$program" --check
    for fault in 'senders[0].tenant: is not one of the file'"'"'s tenants' \
        'senders[1].tenant_from.tenants: 1 of them are none of the file'"'"'s tenants' \
        'senders[2].keys: expected 1 to 8 keys, found 0' 'senders[3]: has both tenant and tenant_from' \
        'tenants[5].keys: expected 1 to 8 keys, or a sender for the tenant'; do
        [[ $output == *"$fault"* ]] || { echo "no $fault in $output"; return 1; }
    done
}
