# Exactly once for deliveries that their sender names, and what a real Redis refuses.
load stack.bash

# Whatever a test has left.
teardown() { redis ACL SETUSER default +@all >/dev/null; }

@test "a repeated named delivery gets the first job's id, and queues nothing" {
    for name in webhook-id Idempotency-Key; do
        redis DEL "$queue" >/dev/null
        post "$(ticket)" -H "$name: msg-$name"
        accepted
        first=$(job_id)
        post "$(ticket)" -H "$name: msg-$name"
        accepted
        same "$first" "$(job_id)"
        same 1 "$(depth)"
    done
}

@test "twenty repeats at the same time queue one job" {
    body=$(ticket)
    tag=$(printf %s "$body" | sign)
    for _ in {1..20}; do
        curl -sS -m 30 -o /dev/null -w '%{http_code}\n' --data-binary "$body" -H 'Content-Type: application/json' \
            -H "X-ServiceDesk-Signature: $tag" -H 'webhook-id: at-once' "$url/webhook/servicedesk" &
    done >"$BATS_TEST_TMPDIR/codes"
    wait
    same 20 "$(grep -c 202 "$BATS_TEST_TMPDIR/codes")"
    same 1 "$(depth)"
}

@test "422: a delivery id with another body" {
    post "$(ticket)" -H 'webhook-id: conflict'
    accepted
    post "$(ticket '.priority = "low"')" -H 'webhook-id: conflict'
    same 422 "$code"
    same 1 "$(depth)"
}

@test "two tenants may use the same delivery id" {
    for tenant in acme globex; do
        post "$(ticket ".tenant_id = \"$tenant\"")" -H 'webhook-id: shared'
        accepted
    done
    same 2 "$(depth)"
}

@test "400: a delivery id that is not 1 to 255 visible ASCII characters" {
    post "$(ticket)" -H "webhook-id: $(printf 'x%.0s' {1..255})"
    accepted
    for id in "$(printf 'x%.0s' {1..256})" 'a b' 'é'; do
        post "$(ticket)" -H "webhook-id: $id"
        same 400 "$code"
    done
    same 1 "$(depth)"
}

@test "a delivery id without a valid signature leaves no idempotency key" {
    signature=$(printf '0%.0s' {1..64}) post "$(ticket)" -H 'webhook-id: unsigned'
    same 401 "$code"
    same 0 "$(redis EXISTS "{$queue}:seen:acme:unsigned")"
}

@test "an idempotency key expires after a day, and a script that Redis has lost is sent again" {
    redis SCRIPT FLUSH >/dev/null
    post "$(ticket)" -H 'webhook-id: expiring'
    accepted
    ttl=$(redis TTL "{$queue}:seen:acme:expiring")
    ((ttl > 86300 && ttl <= 86400))
}

@test "503 while the queue's key is not a list, 202 again afterwards" {
    redis SET "$queue" text >/dev/null
    post "$(ticket)"
    unavailable WRONGTYPE
    redis DEL "$queue" >/dev/null
    wait_for 10 recovers
}

@test "503 while Redis is out of memory, 202 again within seconds" {
    redis CONFIG SET maxmemory 1 >/dev/null
    post "$(ticket)"
    redis CONFIG SET maxmemory 0 >/dev/null
    unavailable OOM
    wait_for 5 recovers
}

@test "503 while Redis is a replica, 202 again within seconds" {
    redis REPLICAOF 127.0.0.1 1 >/dev/null
    post "$(ticket)"
    redis REPLICAOF NO ONE >/dev/null
    [[ $code == 503 || $code == 202 ]]
    wait_for 5 recovers
}

@test "503 for a named delivery if the Redis user may not set its key, and nothing is queued" {
    redis ACL SETUSER default resetkeys '~*' -set >/dev/null
    post "$(ticket)" -H 'webhook-id: no-right'
    redis ACL SETUSER default +set >/dev/null
    unavailable NOPERM
    same 0 "$(depth)"
    wait_for 10 recovers
}

# Two responders, of which each has its own connection and breaker: several tickets reach both.
@test "without the rights +eval and +evalsha plain tickets stay 202, named ones are 503, and /health/ready is 200" {
    redis ACL SETUSER default -eval -evalsha >/dev/null
    for number in 1 2 3 4 5 6; do
        post "$(ticket)" -H "webhook-id: no-script-$number"
        unavailable 'Redis answered NOPERM'
        same queue_misconfigured "$(reason)"
        post "$(ticket)"
        accepted
        ready
    done
    redis ACL SETUSER default +eval +evalsha >/dev/null
    same 6 "$(depth)"
    post "$(ticket)" -H 'webhook-id: no-script-1'
    accepted
}

@test "503, not 422, where the idempotency key holds a value that is not ours" {
    redis SET "{$queue}:seen:acme:foreign" "somebody else's" >/dev/null
    post "$(ticket)" -H 'webhook-id: foreign'
    unavailable 'holds a value that this program did not write'
    same 0 "$(depth)"
    post "$(ticket)"
    accepted
    redis DEL "{$queue}:seen:acme:foreign" >/dev/null
    post "$(ticket)" -H 'webhook-id: foreign'
    accepted
}

@test "503 while Redis has fewer replicas than it requires" {
    redis CONFIG SET min-replicas-to-write 1 >/dev/null
    post "$(ticket)"
    redis CONFIG SET min-replicas-to-write 0 >/dev/null
    unavailable NOREPLICAS
    wait_for 5 recovers
}

@test "a connection that Redis kills is replaced, and a ticket is accepted" {
    redis CLIENT KILL TYPE normal SKIPME yes >/dev/null
    wait_for 5 recovers
}

@test "a wrong signature is answered in milliseconds while Redis is stopped" {
    kill -STOP "$(<"$dir/redis.pid")"
    start=$(date +%s%N)
    signature=$(printf '0%.0s' {1..64}) post "$(ticket)"
    wrong=$code
    request /health/live
    elapsed=$((($(date +%s%N) - start) / 1000000))
    kill -CONT "$(<"$dir/redis.pid")"
    same 401 "$wrong"
    same 200 "$code"
    ((elapsed < 500))
    wait_for 10 recovers
}
