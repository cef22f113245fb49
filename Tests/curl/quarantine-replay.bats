# Requests of the quarantine, corrected and replayed: as whose, under which name, and once.
load quarantine.bash

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
    # Its sender gave it no name.
    same '' "$(redis --scan --pattern "{$queue}:seen:*")"
}

@test "a job has the delivery id that the responder would have given it" {
    from globex "$(ticket '.tenant_id = "globex" | .extra = 1')"
    from globex "$(ticket '.tenant_id = "globex" | .extra = 2')" -H 'webhook-id: d-7'
    kept 2
    digest=$(ticket '.tenant_id = "globex" | .extra = 1' | tr -d '\n' | sha256sum | cut -d' ' -f1)
    run -0 ctl quarantine replay --all --ignore-unknown-fields --members delivery_id
    same $'d-7\n'"sha256:$digest" "$(redis LRANGE "$queue" 0 -1 | jq -r .delivery_id)"
}

@test "the responder's settings count for a replay" {
    from globex "$(ticket '.tenant_id = "globex" | .extra = 1')" -H 'webhook-id: w-1'
    kept 1
    run -1 ctl quarantine replay --all
    [[ $output == *'extra: is not a known field'* ]]
    export SERVICEDESK_UNKNOWN_FIELDS=ignore
    SERVICEDESK_DELIVERY_WINDOW=100 run -0 ctl quarantine replay --all
    (($(redis TTL "{$queue}:seen:globex:w-1") <= 100))
    redis DEL "{$queue}:seen:globex:w-1" >/dev/null
    # No name is remembered.
    from globex "$(ticket '.tenant_id = "globex" | .extra = 1')" -H 'webhook-id: w-1'
    kept 1
    SERVICEDESK_DELIVERY_WINDOW=0 run -0 ctl quarantine replay --all
    same '2 0 0' "$(depth) $(redis XLEN "$stream") $(redis EXISTS "{$queue}:seen:globex:w-1")"
    for wrong in SERVICEDESK_DELIVERY_WINDOW=-1 SERVICEDESK_DELIVERY_WINDOW=31536001 SERVICEDESK_UNKNOWN_FIELDS=IGNORE; do
        run -64 env "$wrong" "${program%/*}/servicedeskctl" quarantine replay --all
        [[ $output == *"${wrong%=*} is not "* ]]
    done
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
    [[ $output == *'the ticket of a tenant other than globex'* ]] || { echo "$output"; false; }
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
    [[ $output == *'the ticket of a tenant other than globex'* ]] || { echo "$output"; false; }
    jq 'del(.senders[0])' "$SERVICEDESK_TENANTS_FILE" | private "$BATS_TEST_TMPDIR/removed"
    run -1 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected" --tenants-file "$BATS_TEST_TMPDIR/removed"
    [[ $output == *'the sender desk is not in the tenants file, or inactive'* ]] || { echo "$output"; false; }
    same '0 1' "$(depth) $(redis XLEN "$stream")"
}

@test "a replay without a right queues nothing, and several at once queue once" {
    redis ACL SETUSER operator on '>p' "~$queue" "~{$queue}:seen:*" "~$stream" +lindex +xrange +eval +get +set +lpush >/dev/null
    from desk '{"id":"7"}'
    kept 1
    id=$(first)
    echo -n '{"id":"7","subject":"s"}' >"$BATS_TEST_TMPDIR/corrected"
    replay() { ctl quarantine replay "$id" --body "$BATS_TEST_TMPDIR/corrected"; }
    # Without the right to remove it, it is not queued either.
    SERVICEDESK_REDIS_URL=unix://operator:p@$dir/redis.sock run -1 replay
    [[ $output == *'Redis answered NOPERM'* ]] || { echo "$output"; false; }
    same '0 1' "$(depth) $(redis XLEN "$stream")"
    operators=()
    for n in {1..5}; do
        replay >/dev/null 2>&1 3>&- &
        operators+=($!)
    done
    wait "${operators[@]}" || true
    same '1 0' "$(depth) $(redis XLEN "$stream")"
    # With the rights of the README.
    redis ACL SETUSER operator +xdel >/dev/null
    export SERVICEDESK_REDIS_URL=unix://operator:p@$dir/redis.sock
    for name in d-8 ''; do
        from desk '{"id":"7"}' ${name:+-H "webhook-id: $name"}
        kept 1
        id=$(first)
        run -0 --separate-stderr replay
        same "$id"$'\t'"$(newest | jq -r .job_id) 0" "$output $(redis XLEN "$stream")"
    done
}

@test "a request leaves the quarantine in the step that queues it" {
    cd "$BATS_TEST_TMPDIR"
    for id in d-9 ''; do
        from globex "$(ticket '.tenant_id = "globex" | .extra = 1')" ${id:+-H "webhook-id: $id"}
    done
    kept 2
    background monitor redis-cli -s "$dir/redis.sock" MONITOR
    eventually grep -q OK monitor
    run -0 ctl quarantine replay --all --ignore-unknown-fields
    eventually eval '[[ $(grep -c "lua\] .LPUSH" monitor) == 2 ]]'
    stop "$pid"
    same '2 0' "$(depth) $(redis XLEN "$stream")"
    same 0 "$(grep '"XDEL"\|"LPUSH"' monitor | grep -vc ' lua\]')"
}

@test "a request that has left the quarantine since it was read is not queued" {
    from globex "$(ticket '.tenant_id = "globex" | .extra = 1')"
    kept 1
    id=$(first)
    # Both are read before the first is replayed.
    run -1 --separate-stderr ctl quarantine replay "$id" "$id" --ignore-unknown-fields
    same "$id"$'\t'"$(newest | jq -r .job_id)" "$output"
    same "servicedeskctl: $id is not queued: it has left the quarantine in the meantime" "$stderr"
    same '1 0' "$(depth) $(redis XLEN "$stream")"
}

@test "the names of a request's members reach the terminal with nothing that it would obey" {
    from globex "$(ticket '.tenant_id = "globex" | ."\u001b]0;pwn\u0007\u009b31m" = 1')"
    kept 1
    run -1 ctl quarantine replay --all
    same "servicedeskctl: $(first) is not queued:  ]0;pwn  31m: is not a known field" "$output"
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
