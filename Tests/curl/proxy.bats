# A proxy between the responder and Redis that hangs up on CLIENT SETNAME.
load stack.bash

setup_file() {
    local port first=$((20000 + RANDOM % 9000))
    redis_start
    for ((port = first; port < first + 100; port++)); do
        background "$dir/proxy.log" python3 "$BATS_TEST_DIRNAME/no_client.py" "$dir/redis.sock" "$port"
        ! wait_up "$pid" eval '[[ $(redis-cli -p $port PING 2>/dev/null) == PONG ]]' || break
    done
    echo "$pid" >"$dir/proxy.pid"
    export SERVICEDESK_REDIS_URL=redis://127.0.0.1:$port
    start_responder "$dir/responder.log" "$dir/responder.sock" --processes 2
    nginx_start main "$dir/responder.sock"
}

teardown_file() {
    stop "$(<"$dir/proxy.pid")"
    stack_down
}

@test "behind a proxy that hangs up on CLIENT the connection has no name, and tickets are 202" {
    wait_for 5 recovers
    grep -q 'hung up on' "$dir/proxy.log"
    redis DEL "$queue" >/dev/null
    for number in 1 2 3 4; do
        post "$(ticket)"
        accepted
        post "$(ticket)" -H "webhook-id: proxy-$number"
        accepted
    done
    same 8 "$(depth)"
    same 0 "$(redis CLIENT LIST | grep -c servicedesk-responder)"
}

@test "behind it lost connections are made again" {
    wait_for 5 recovers
    redis CLIENT KILL TYPE normal SKIPME yes >/dev/null
    wait_for 5 recovers
    sleep 1 # for the other process
    for _ in 1 2 3 4; do
        post "$(ticket)"
        accepted
    done
}
