# The quarantine: what is kept of requests whose payload was refused, and for how long.
load quarantine.bash

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

@test "with one secret for all, all are counted together, and a replay needs no tenants file" {
    nginx_use shared
    stream={shared}:queue:quarantine
    export SERVICEDESK_TENANTS_FILE='' SERVICEDESK_QUEUE_KEY={shared}:queue
    for n in {1..15}; do
        post "$(ticket ".priority = $n")"
        same 400 "$code"
        post "$(ticket ".priority = $n | .tenant_id = \"globex\"")"
    done
    eventually eval '(($(outcome kept) + $(outcome limited) == 30))'
    same '20 10 0' "$(outcome kept) $(outcome limited) $(outcome failed)"
    same '20 20' "$(redis XLEN "$stream") $(redis GET "$stream:all/")"
    ticket '.ticket_id = "CORRECTED"' >"$BATS_TEST_TMPDIR/corrected"
    run -0 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected"
    same CORRECTED "$(redis LINDEX "$SERVICEDESK_QUEUE_KEY" 0 | jq -r .ticket_id)"
    SERVICEDESK_TENANTS_FILE=$dir/tenants.json run -1 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected"
    [[ $output == *'no tenant is known of it'* ]]
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
    eventually eval "[[ \$(redis XRANGE '$stream' - + COUNT 1 | head -1) != 1000-1 ]]"
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
    eventually eval "(( \$(outcome failed) > $failed ))"
    eventually grep -q '"level":"error".*refused requests are not kept in .*quarantine.*WRONGTYPE' "$SERVICEDESK_LOG_FILE"
    from globex "$(ticket '.tenant_id = "globex"')"
    accepted
    redis DEL "$stream" >/dev/null
    for n in 1 2 3 4; do from desk '{"id":"7"}'; done
    eventually grep -q '"level":"info".*refused requests are kept again' "$SERVICEDESK_LOG_FILE"
}

@test "failures that come and go do not fill the log" {
    told() { grep -c 'refused requests are not kept' "$SERVICEDESK_LOG_FILE" || true; }
    before=$(told)
    for round in 1 2 3 4; do
        redis SET "$stream" 'not a stream' >/dev/null
        failed=$(outcome failed)
        for n in 1 2 3 4; do from msp '{"id":"7","account":"G"}'; done
        eventually eval "(( \$(outcome failed) == $failed + 4 ))"
        redis DEL "$stream" >/dev/null
        for n in 1 2 3 4; do from msp '{"id":"7","account":"G"}'; done
        kept 4
    done
    # At most once for each of the two processes.
    (($(told) <= before + 2))
}
