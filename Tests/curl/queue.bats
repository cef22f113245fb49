# The output: the job in Redis, and the responses while Redis is stopped.
load stack.bash

@test "a job is a compact object of eight members in order" {
    post "$(ticket '.description = "é😀 \"so\" \\ it is\nburning" | .correlation_id = "550E8400-e29b-41d4-a716-446655440000"')"
    accepted
    like '\{"job_id":"'$uuid4'","ticket_id":"TKT-1","tenant_id":"acme","description":"é😀 \\"so\\" \\\\ it is\\nburning","priority":"high","timestamp":"2026-01-31T09:30:00\+01:00","created_at":"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z","correlation_id":"550E8400-e29b-41d4-a716-446655440000"\}' "$(newest)"
}

@test "created_at is now" {
    before=$(date -u +%FT%T)
    post "$(ticket)"
    queued=$(newest | jq -r .created_at)
    [[ $queued > $before && $queued < $(date -u -d '1 second' +%FT%T) ]]
}

@test "a missing or null correlation id is replaced by a new one" {
    for change in . '.correlation_id = null'; do
        post "$(ticket "$change")"
        accepted
        like "$uuid4" "$(newest | jq -r .correlation_id)"
    done
}

@test "an escaped emoji is read as the emoji" {
    body=$(ticket '.description = "HERE"')
    post "${body/HERE/\\ud83d\\ude00}"
    accepted
    same 😀 "$(newest | jq -r .description)"
}

@test "jobs come out first in, first out" {
    for n in {1..20}; do
        post "$(ticket ".ticket_id = \"TKT-$n\"")"
        accepted
    done
    for n in {1..20}; do
        same "TKT-$n" "$(redis BRPOP "$queue" 1 | tail -n 1 | jq -r .ticket_id)"
    done
}

@test "nothing is queued for a ticket that was refused" {
    post '{}'
    problem 400
    signature=00 post "$(ticket)"
    problem 401
    same 0 "$(redis LLEN "$queue")"
}

@test "10,000 mixed tickets, read by redis-py and a strict pydantic model" {
    "$root/.build/test-python/bin/python" "$BATS_TEST_DIRNAME/mixed_tickets.py" "$url" "$dir/redis.sock" "$secret"
}

@test "live and ready while Redis is up" {
    for path in live ready; do
        request /health/$path
        same 200 "$code"
        [ "$(header X-Request-ID)" ]
    done
}

@test "a ticket that comes while Redis is loading its data waits for it" {
    post "$(ticket)"
    accepted
    redis EVAL 'for n = 1, 50 do redis.call("SET", n, string.rep("x", 2000)) end' 0 >/dev/null
    redis CONFIG SET rdbcompression no >/dev/null
    redis SAVE >/dev/null
    stop "$(<"$dir/redis.pid")" KILL
    background "$dir/redis.log" redis-server --dir "$dir" --port 0 --unixsocket "$dir/redis.sock" --save '' \
        --key-load-delay 100000 --loading-process-events-interval-bytes 1024
    echo "$pid" >"$dir/redis.pid"
    eventually eval 'redis PING 2>&1 | grep LOADING'
    # One that did not see Redis go: its breaker is closed.
    SERVICEDESK_PUSH_DEADLINE=12 SERVICEDESK_LOG_FILE=$dir/loading.json \
        start_responder "$dir/loading.log" "$dir/loading.sock" --processes 1
    nginx_start loading "$dir/loading.sock"
    nginx_use loading
    post "$(ticket)"
    accepted
    same 2 "$(depth)"
    grep -q 'cannot be reached: Redis answered LOADING: Redis is busy or loading; pushes are retried; trying again' "$dir/loading.json"
    run ! grep 'answering 503 at once' "$dir/loading.json"
    stop "$(<"$dir/loading.sock.pid")"
    stop "$(<"$dir/redis.pid")"
    redis_start
    nginx_use main
    wait_for 15 recovers
}

@test "503 while Redis is stopped, 202 again once it is back" {
    post "$(ticket)"
    accepted
    stop "$(<"$dir/redis.pid")"

    post "$(ticket '.ticket_id = "TKT-REFUSED"')"
    problem 503 'Queue unavailable, please retry'
    like '[0-9]+' "$(header Retry-After)"
    eventually grep -q TKT-REFUSED "$SERVICEDESK_LOG_FILE"
    same 'error acme' "$(grep TKT-REFUSED "$SERVICEDESK_LOG_FILE" | jq -r '"\(.level) \(.tenant_id)"' | sort -u)"

    request /health/live
    same 200 "$code"
    request /health/ready
    same 503 "$code"
    post '{}' # a bad payload is refused without Redis
    problem 400

    redis_start
    wait_for 15 recovers
    accepted
    request /health/ready
    same 200 "$code"
    # The job from before has survived; the one that was answered 503 was never queued.
    [[ $(redis LRANGE "$queue" 0 -1) != *TKT-REFUSED* ]]
    (($(redis LLEN "$queue") >= 2))
}
