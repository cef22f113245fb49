# The quarantine: requests whose payload was refused are kept beside the queue, shown, corrected and replayed.
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
kept() { wait_for 3 eval "[[ \$(redis XLEN '$stream') == $1 ]]"; }
first() { redis XRANGE "$stream" - + COUNT 1 | head -1; }
# outcome NAME: prints how many requests had it.
outcome() {
    request /metrics
    grep "quarantined_requests_total{outcome=\"$1\"}" <<<"$answer" | awk '{ print $2 }'
}

@test "a refused payload is kept with its faults, and without a credential" {
    from desk '{"id":"7","priority":{"name":"High"}}' -H 'webhook-id: d-1' -H 'Authorization: Bearer visible-credential'
    wrong description
    kept 1
    run -0 ctl quarantine list --json
    same 'globex desk 1 d-1 invalid_fields json description' \
        "$(jq -r '[.tenant, .sender, .key, .delivery, .reason, .type, .faults[0].field] | join(" ")' <<<"$output")"
    same "$(header X-Request-ID)" "$(jq -r .request_id <<<"$output")"
    same null "$(jq -r .body <<<"$output")"
    same '{"id":"7","priority":{"name":"High"}}' "$(ctl quarantine show "$(first)" | jq -r .body)"
    same "$(jq -c .errors "$BATS_TEST_TMPDIR/answer")" "$(ctl quarantine show "$(first)" | jq -c .faults)"
    like "$(first)"$'\t2.*Z\tglobex\tdesk\tinvalid_fields\tdescription: is required.*' "$(ctl quarantine list)"
    ! redis XRANGE "$stream" - + | grep -E 'visible-credential|[0-9a-f]{64}'
}

@test "what is broken JSON, a form, or not UTF-8 is kept byte for byte" {
    printf '{"id":"7","description":"caf\351"}' >"$BATS_TEST_TMPDIR/latin1"
    from msp "$(printf '{"id":"7","description":"caf\351"}')"
    same 400 "$code"
    type=application/x-www-form-urlencoded from desk 'payload={"id"'
    kept 2
    ctl quarantine show "$(first)" --body | cmp - "$BATS_TEST_TMPDIR/latin1"
    same 'null msp' "$(ctl quarantine show "$(first)" | jq -r '"\(.tenant) \(.sender)"')"
    same form "$(ctl quarantine list --json | tail -1 | jq -r .type)"
}

@test "nothing else is kept: neither accepted nor unauthenticated requests, nor other refusals" {
    from globex "$(ticket '.tenant_id = "globex"')"
    accepted
    signature=$(sign other <<<'{"id":"7"}') from desk '{"id":"7"}'
    same 401 "$code"
    from msp '{"id":"7","subject":"s","account":"nobody"}'
    same 401 "$code"
    from globex "$(ticket)"
    same 401 "$code"
    type=text/plain from desk '{"id":"7"}'
    same 415 "$code"
    from globex "$(ticket '.tenant_id = "globex" | .priority = "none"')"
    kept 1
}

@test "a corrected body is queued as the tenant's, once, and leaves the quarantine" {
    from desk '{"id":"7","priority":{"name":"High"}}'
    kept 1
    id=$(first)
    run -1 ctl quarantine replay "$id"
    [[ $output == *"$id is not queued: description: is required"* ]] || { echo "$output"; false; }
    kept 1
    ctl quarantine show "$id" --body | jq '.subject = "No mail"' >"$BATS_TEST_TMPDIR/corrected"
    run -0 --separate-stderr ctl quarantine replay "$id" --body "$BATS_TEST_TMPDIR/corrected"
    same "$id"$'\t'"$(newest | jq -r .job_id)" "$output"
    same '["globex","7","high","No mail"]' "$(newest | jq -c '[.tenant_id, .ticket_id, .priority, .description]')"
    same 0 "$(redis XLEN "$stream")"
    run -1 ctl quarantine replay "$id"
    same "servicedeskctl: the quarantine has no request $id" "$output"
    same 1 "$(depth)"
    # Its name is the entry's id: had the removal failed, a second replay would queue nothing.
    same 1 "$(redis EXISTS "{$queue}:seen:globex:$id")"
}

@test "a named delivery keeps its name: what the sender sends again in the meantime is not queued twice" {
    from desk '{"id":"7"}' -H 'webhook-id: d-2'
    kept 1
    echo -n '{"id":"7","subject":"s"}' >"$BATS_TEST_TMPDIR/corrected"
    from desk '{"id":"7","subject":"s"}' -H 'webhook-id: d-2'
    accepted
    job=$(job_id)
    run -0 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected"
    same "$job" "${output#*$'\t'}"
    same '1 0' "$(depth) $(redis XLEN "$stream")"
    # With another body it is another delivery of that name.
    from desk '{"id":"8"}' -H 'webhook-id: d-2'
    kept 1
    echo -n '{"id":"8","subject":"s"}' >"$BATS_TEST_TMPDIR/corrected"
    run -1 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected"
    [[ $output == *'same name but with another body was queued'* ]]
    same "$(first)" "$(ctl quarantine drop "$(first)")"
    same '1 0' "$(depth) $(redis XLEN "$stream")"
}

@test "a signed name stays a signed one" {
    body='{"tenant_id":"acme"}' id=msg_1 time=$(date +%s)
    tag=$(printf %s "$id.$time.$body" | openssl dgst -sha256 -hmac 01234567890123456789012345678901 -binary | base64)
    request /webhook/servicedesk -H "webhook-id: $id" -H "webhook-timestamp: $time" -H "webhook-signature: v1,$tag" \
        -H Content-Type:application/json --data-binary "$body"
    same 400 "$code"
    kept 1
    same true "$(ctl quarantine list --json | jq .delivery_signed)"
    ticket >"$BATS_TEST_TMPDIR/corrected"
    run -0 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected"
    same 1 "$(redis EXISTS "{$queue}:seen:signed/acme:msg_1")"
}

@test "a replay keeps the tenant, and asks whether it may still send" {
    from globex "$(ticket '.tenant_id = "globex" | .priority = "none"')"
    from msp '{"id":"7","account":"G"}'
    kept 2
    cp "$SERVICEDESK_TENANTS_FILE" "$BATS_TEST_TMPDIR/tenants.json"
    ticket >"$BATS_TEST_TMPDIR/corrected"
    run -1 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected"
    [[ $output == *'the payload names another tenant'* ]] || { echo "$output"; false; }
    echo -n '{"id":"7","account":"A","subject":"s"}' >"$BATS_TEST_TMPDIR/corrected"
    second=$(ctl quarantine list | tail -1 | cut -f1)
    run -1 ctl quarantine replay "$second" --body "$BATS_TEST_TMPDIR/corrected"
    [[ $output == *'a ticket of another tenant than globex'* ]] || { echo "$output"; false; }
    jq '.tenants[1].active = false' "$SERVICEDESK_TENANTS_FILE" >"$BATS_TEST_TMPDIR/new"
    cat "$BATS_TEST_TMPDIR/new" >"$BATS_TEST_TMPDIR/tenants.json"
    run -1 ctl quarantine replay --all --tenants-file "$BATS_TEST_TMPDIR/tenants.json"
    [[ $output == *'the tenant globex is not in the tenants file, or inactive'*'tenant inactive'* ]] || { echo "$output"; false; }
    SERVICEDESK_TENANTS_FILE='' run -1 ctl quarantine replay --all
    [[ $output == *'set SERVICEDESK_TENANTS_FILE'* ]]
    same '0 2' "$(depth) $(redis XLEN "$stream")"
    same 2 "$(ctl quarantine drop --all | wc -l)"
    same 0 "$(redis XLEN "$stream")"
    run -64 ctl quarantine drop
    run -64 ctl quarantine replay --all --body x
    run -1 ctl quarantine show -- '-'
    run -1 ctl quarantine drop 1700000000000
}

@test "a replay is read under the profile that its sender has now" {
    from desk '{"id":"7","summary":"No mail"}'
    kept 1
    run -1 ctl quarantine replay --all
    jq '.senders[0].profile = "generic"' "$SERVICEDESK_TENANTS_FILE" | private "$BATS_TEST_TMPDIR/tenants.json"
    run -0 ctl quarantine replay --all --tenants-file "$BATS_TEST_TMPDIR/tenants.json"
    same '["globex","7","No mail"]' "$(newest | jq -c '[.tenant_id, .ticket_id, .description]')"
    same 0 "$(redis XLEN "$stream")"
}

@test "what a tenant sent does not become another's when its sender is given away or removed" {
    from desk '{"id":"7"}'
    kept 1
    echo -n '{"id":"7","subject":"s"}' >"$BATS_TEST_TMPDIR/corrected"
    jq '.senders[0].tenant = "acme"' "$SERVICEDESK_TENANTS_FILE" | private "$BATS_TEST_TMPDIR/given"
    run -1 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected" --tenants-file "$BATS_TEST_TMPDIR/given"
    [[ $output == *'a ticket of another tenant than globex'* ]] || { echo "$output"; false; }
    jq 'del(.senders[0])' "$SERVICEDESK_TENANTS_FILE" | private "$BATS_TEST_TMPDIR/removed"
    run -1 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected" --tenants-file "$BATS_TEST_TMPDIR/removed"
    [[ $output == *'the sender desk is not in the tenants file, or inactive'* ]] || { echo "$output"; false; }
    same '0 1' "$(depth) $(redis XLEN "$stream")"
}

@test "a replay that ends before the removal, or comes at once from several operators, queues once" {
    redis ACL SETUSER operator on '>p' '~*' +lindex +xrange +eval +get +set +lpush >/dev/null
    from desk '{"id":"7"}'
    kept 1
    id=$(first)
    echo -n '{"id":"7","subject":"s"}' >"$BATS_TEST_TMPDIR/corrected"
    replay() { ctl quarantine replay "$id" --body "$BATS_TEST_TMPDIR/corrected"; }
    SERVICEDESK_REDIS_URL=unix://operator:p@$dir/redis.sock run -1 --separate-stderr replay
    [[ $stderr == *"$id is queued, and stays in the quarantine: Redis answered NOPERM"* ]] || { echo "$stderr"; false; }
    same "$id"$'\t'"$(newest | jq -r .job_id) 1" "$output $(redis XLEN "$stream")"
    # As long as an entry can be kept, its id is remembered.
    (($(redis TTL "{$queue}:seen:globex:$id") > 31000000))
    operators=()
    for n in {1..5}; do
        replay >/dev/null 2>&1 3>&- &
        operators+=($!)
    done
    wait "${operators[@]}" || true
    same '1 0' "$(depth) $(redis XLEN "$stream")"
}

@test "with one secret for all, all are counted together, and a replay needs no tenants file" {
    nginx_use shared
    stream={shared}:queue:quarantine
    export SERVICEDESK_TENANTS_FILE='' SERVICEDESK_QUEUE_KEY={shared}:queue
    for n in {1..15}; do
        post "$(ticket ".priority = $n")"
        same 400 "$code"
        post "$(ticket ".priority = $n | .tenant_id = \"globex\"")"
    done
    wait_for 3 eval '(($(outcome kept) + $(outcome limited) == 30))'
    same '20 10 0' "$(outcome kept) $(outcome limited) $(outcome failed)"
    same '20 20' "$(redis XLEN "$stream") $(redis GET "$stream:all/")"
    ticket '.ticket_id = "CORRECTED"' >"$BATS_TEST_TMPDIR/corrected"
    run -0 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected"
    same CORRECTED "$(redis LINDEX "$SERVICEDESK_QUEUE_KEY" 0 | jq -r .ticket_id)"
    SERVICEDESK_TENANTS_FILE=$dir/tenants.json run -1 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected"
    [[ $output == *'no tenant is known of it'* ]]
}

@test "a job is written as the responder writes it" {
    from desk '{"id":"7"}'
    kept 1
    echo -n '{"id":"7","subject":"s"}' >"$BATS_TEST_TMPDIR/corrected"
    run -0 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected" --format celery --members event,delivery_id
    same 'tasks.enhance_ticket ticket_changed' "$(newest | jq -r '"\(.headers.task) \(.headers.event)"')"
    from desk '{"id":"8"}'
    kept 1
    run -1 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected"
    [[ $output == *'the queue holds celery jobs'*'choose another --format'* ]]
}

@test "one tenant cannot push out another's, and the oldest of all go first" {
    from globex "$(ticket '.tenant_id = "globex" | .priority = "none"')"
    kept 1
    globex=$(first)
    limited=$(outcome limited)
    for n in {1..30}; do from acme "$(ticket ".priority = $n")"; done
    kept 21
    same "$((limited + 10))" "$(outcome limited)"
    same "$globex" "$(first)"
    # Once the tenant's count expires it has room again; the process that knows of the limit looks a minute later.
    like '3[0-9]{3}' "$(redis TTL "$stream:acme")"
    for n in {1..40}; do redis XADD "$stream" '*' body x >/dev/null; done
    from globex "$(ticket '.tenant_id = "globex" | .priority = "none"')"
    kept 50
    like '60[0-9]{4}' "$(redis TTL "$stream")"
    same 50 "$(ctl quarantine list | grep -vc "$globex")"
}

@test "what is older than its time goes with the next one" {
    redis XADD "$stream" 1000-1 body x >/dev/null
    from globex "$(ticket '.tenant_id = "globex" | .priority = "none"')"
    wait_for 3 eval "[[ \$(redis XRANGE '$stream' - + COUNT 1 | head -1) != 1000-1 ]]"
    same 1 "$(redis XLEN "$stream")"
}

@test "entries that something else wrote are listed, shown and dropped, and crash nothing" {
    redis XADD "$stream" '*' body '{"id":1}' faults '[[' tenant $'a\e[2J' extra x >/dev/null
    redis XADD "$stream" '*' x y >/dev/null
    same 2 "$(ctl quarantine list | wc -l)"
    ! ctl quarantine list | grep -q $'\e'
    ctl quarantine show --all | jq -e .id >/dev/null
    run -1 ctl quarantine replay --all
    same 2 "$(ctl quarantine drop --all | wc -l)"
}

@test "a quarantine that Redis refuses changes no answer, and is counted and logged" {
    redis SET "$stream" 'not a stream' >/dev/null
    failed=$(outcome failed)
    from desk '{"id":"7"}'
    wrong description
    wait_for 3 eval "(( \$(outcome failed) > $failed ))"
    wait_for 3 grep -q '"level":"error".*refused requests are not kept in .*quarantine.*WRONGTYPE' "$SERVICEDESK_LOG_FILE"
    from globex "$(ticket '.tenant_id = "globex"')"
    accepted
    redis DEL "$stream" >/dev/null
    for n in 1 2 3 4; do from desk '{"id":"7"}'; done
    wait_for 3 grep -q '"level":"info".*refused requests are kept again' "$SERVICEDESK_LOG_FILE"
}

@test "failures that come and go do not fill the log" {
    told() { grep -c 'refused requests are not kept' "$SERVICEDESK_LOG_FILE" || true; }
    before=$(told)
    for round in 1 2 3 4; do
        redis SET "$stream" 'not a stream' >/dev/null
        failed=$(outcome failed)
        for n in 1 2 3 4; do from msp '{"id":"7","account":"G"}'; done
        wait_for 3 eval "(( \$(outcome failed) == $failed + 4 ))"
        redis DEL "$stream" >/dev/null
        for n in 1 2 3 4; do from msp '{"id":"7","account":"G"}'; done
        kept 4
    done
    # At most once for each of the two processes.
    (($(told) <= before + 2))
}
