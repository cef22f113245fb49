# A stop can arrive in several ways, and cuts off no request in flight.
load stack.bash

setup_file() { redis_start; }
setup() {
    redis DEL "$queue" >/dev/null
    set=$BATS_TEST_TMPDIR/set
    start_responder "$BATS_TEST_TMPDIR/log" "$set" --processes 2
    watch=$pid
    wait_up "$pid" responder_answers "$set" ready
    # This web server closes its connections after a minute idle: the responders must end by themselves.
    nginx_start "$BATS_TEST_NUMBER" "$set" 's|keepalive_timeout .*|keepalive_timeout 60s;|; s|keepalive_time .*|keepalive_time 1h;|'
    nginx_use "$BATS_TEST_NUMBER"
}
teardown() {
    kill -CONT "$(<"$dir/redis.pid")"
    kill "${posts[@]}" 2>/dev/null || true
    stop "$watch"
    stop "$(<"$dir/$BATS_TEST_NUMBER/nginx.pid")"
}

# under_way COUNT: stops Redis, and posts that many tickets, which then wait for it.
under_way() {
    local body tag
    body=$(ticket) tag=$(printf %s "$(ticket)" | sign)
    kill -STOP "$(<"$dir/redis.pid")"
    posts=()
    for ((n = 0; n < $1; n++)); do
        curl -sS -m 20 -o /dev/null -w '%{http_code}\n' --data-binary "$body" -H 'Content-Type: application/json' \
            -H "X-ServiceDesk-Signature: $tag" "$url/webhook/servicedesk" >>"$BATS_TEST_TMPDIR/codes" 3>&- &
        posts+=($!)
    done
    sleep 0.5
}

# all STATUS: checks that each of those tickets got this status.
all() {
    wait "${posts[@]}"
    same "${#posts[@]} $1" "$(sort "$BATS_TEST_TMPDIR/codes" | uniq -c | awk '{ $1 = $1 } 1')"
}

@test "a stop that arrives directly and through multiwatch counts as one" {
    under_way 20
    # As systemd does with its default KillMode, and a terminal with Ctrl-C.
    kill -TERM $(pgrep -P "$watch") "$watch"
    sleep 0.5
    kill -INT $(pgrep -P "$watch")
    sleep 0.5
    kill -CONT "$(<"$dir/redis.pid")"
    all 202
    same 20 "$(redis LLEN "$queue")"
    wait_for 12 gone "$watch"
}

@test "a second stop two seconds after the first ends the processes at once" {
    under_way 4
    kill -TERM $(pgrep -P "$watch")
    sleep 2.2
    kill -TERM $(pgrep -P "$watch")
    all 502
}

@test "when the drain times out, requests in flight are finished even if the web server keeps its connections" {
    stop "$watch"
    SERVICEDESK_DRAIN_TIMEOUT=1 start_responder "$BATS_TEST_TMPDIR/log" "$set" --processes 2
    watch=$pid
    wait_up "$pid" responder_answers "$set" ready
    for _ in {1..8}; do
        post "$(ticket)"
        accepted
    done
    under_way 8
    kill -TERM "$watch"
    sleep 2.5
    kill -CONT "$(<"$dir/redis.pid")"
    all 202
    wait_for 3 gone "$watch"
}

@test "a second stop ends the processes at once, whatever the quarantine still waits for" {
    stop "$watch"
    SERVICEDESK_QUARANTINE=10 SERVICEDESK_LOG_FILE=$BATS_TEST_TMPDIR/json start_responder "$BATS_TEST_TMPDIR/log" "$set" --processes 1
    watch=$pid
    wait_up "$pid" responder_answers "$set" ready
    kill -STOP "$(<"$dir/redis.pid")"
    post "$(ticket '.priority = "none"')"
    same 400 "$code"
    kill -TERM "$watch"
    sleep 2.2
    kill -TERM "$watch"
    wait_for 2 gone "$watch"
    grep -q 'stopping at once' "$BATS_TEST_TMPDIR/json"
    grep -q 'refused requests are not kept .*the process ends' "$BATS_TEST_TMPDIR/json"
}
