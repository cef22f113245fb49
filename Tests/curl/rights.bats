# Redis users without a right that a setting needs; and waiting for replicas, of which Redis has one.
load stack.bash

setup_file() {
    redis_start
    redis ACL SETUSER waiter on '>p' '~*' +@all -wait
    redis ACL SETUSER counter on '>p' '~*' +@all -llen
    replica_start
    redis ACL SETUSER patient on '>p' '~*' +@all
    for name in waiter counter patient; do
        SERVICEDESK_REDIS_URL=unix://$name:p@$dir/redis.sock SERVICEDESK_LOG_FILE=$dir/$name.json \
            SERVICEDESK_REDIS_WAIT=$([[ $name == counter ]] || echo 1,100) \
            SERVICEDESK_MAX_QUEUE_DEPTH=$([[ $name != counter ]] || echo 2) \
            start_responder "$dir/$name.log" "$dir/$name.sock" --processes 1
        nginx_start "$name" "$dir/$name.sock"
    done
}

teardown_file() {
    local file
    for file in "$dir"/*/nginx.pid "$dir"/*.sock.pid "$dir"/{replica,redis}.pid; do
        [[ ! -s $file ]] || stop "$(<"$file")"
    done
}

# replica_start: Redis gets a port for it.
replica_start() {
    local port first=$((20000 + RANDOM % 9000))
    redis CONFIG SET bind 127.0.0.1 >/dev/null
    for ((port = first; port < first + 100; port++)); do
        [[ $(redis CONFIG SET port "$port" 2>&1) != OK ]] || break
    done
    mkdir "$dir/replica"
    background "$dir/replica/log" redis-server --dir "$dir/replica" --port 0 --unixsocket "$dir/replica/redis.sock" \
        --save '' --replicaof 127.0.0.1 "$port"
    echo "$pid" >"$dir/replica.pid"
    eventually eval 'redis INFO replication | grep -q state=online'
}

setup() { redis DEL "$queue" >/dev/null; }

# use NAME: sends the following requests to the responder of that user.
use() {
    nginx_use "$1"
    SERVICEDESK_LOG_FILE=$dir/$1.json
}

@test "SERVICEDESK_REDIS_WAIT without the right +wait: 503 and nothing is queued, then 202 once it is granted" {
    use waiter
    for number in 1 2 3; do
        post "$(ticket)"
        unavailable 'Redis answered NOPERM to WAIT: .* the right \+wait'
        post "$(ticket)" -H "webhook-id: wait-$number"
        same 503 "$code"
        same 0 "$(depth)"
    done
    run ! ready
    same 1 "$(said 'the right \+wait')"
    redis ACL SETUSER waiter +wait >/dev/null
    wait_for 5 recovers
    same 1 "$(depth)"
    ready
    post "$(ticket)" -H 'webhook-id: wait-1'
    accepted
    same 2 "$(depth)"
}

@test "a right +wait that is taken away: one ticket is queued unconfirmed, and then none" {
    use waiter
    redis ACL SETUSER waiter +wait >/dev/null
    wait_for 5 recovers
    redis DEL "$queue" >/dev/null
    redis ACL SETUSER waiter -wait >/dev/null
    for _ in 1 2 3; do
        post "$(ticket)"
        same 503 "$code"
    done
    same 1 "$(depth)"
    redis ACL SETUSER waiter +wait >/dev/null
    wait_for 5 recovers
    same 2 "$(depth)"
}

# Eight posts in quick succession: on a busy machine each curl would come late enough to be let through.
is_full() {
    local body=$BATS_TEST_TMPDIR/several
    ticket >"$body"
    curl -sS -m 30 -o /dev/null -w '%{http_code}\n' -H Content-Type:application/json --data-binary "@$body" \
        -H "X-ServiceDesk-Signature: $(sign <"$body")" "$url/webhook/servicedesk?[1-8]" | grep -q 503
}

@test "SERVICEDESK_MAX_QUEUE_DEPTH without the right +llen: one line names it, and tickets are told when it is full" {
    use counter
    for _ in 1 2; do
        post "$(ticket)"
        accepted
    done
    wait_for 3 is_full
    # Since nobody tells the length, one ticket after the other does: four times a second.
    for _ in 1 2 3; do
        wait_for 3 recovers
        wait_for 3 is_full
    done
    (($(depth) >= 5))
    same 1 "$(said 'the right \+llen')"
    redis DEL "$queue" >/dev/null
    wait_for 3 recovers
    recovers
    same 2 "$(depth)"
}

@test "the rights in the README are enough, with +select for another database" {
    # The README's line as it is, with a name and a password of ours.
    read -ra rights < <(sed -n 's/^ *ACL SETUSER responder on >PASSWORD //p' "$root/README.md")
    ((${#rights[@]}))
    redis ACL SETUSER readme on '>p' "${rights[@]}" >/dev/null
    for database in 0 1 1; do
        # The second time in database 1 with the right.
        name=readme-$database-$(redis ACL GETUSER readme | grep -c +select || true)
        SERVICEDESK_REDIS_URL="unix://readme:p@$dir/redis.sock?db=$database" SERVICEDESK_LOG_FILE=$dir/$name.json \
            start_responder "$dir/$name.log" "$dir/$name.sock" --processes 1
        nginx_start "$name" "$dir/$name.sock"
        use "$name"
        if [[ $name == readme-1-0 ]]; then
            post "$(ticket)"
            unavailable "Redis answered NOPERM"
            redis ACL SETUSER readme +select >/dev/null
            continue
        fi
        wait_for 5 recovers
        post "$(ticket)" -H "webhook-id: $name"
        accepted
        [[ $(redis -n "$database" LLEN "$queue") -ge 2 ]]
    done
}

# Redis reads nothing more of a connection that waits for replicas: requests must not queue up behind one another there.
@test "however many requests wait for a replica that has stopped, each is told so in time" {
    use patient
    kill -s STOP "$(<"$dir/replica.pid")"
    load_starts 100
    sleep 2
    load_ends
    kill -s CONT "$(<"$dir/replica.pid")"
    ((!good && refused >= 500))
    same not_replicated "$(jq -r 'select(.status == 503).reason' "$SERVICEDESK_LOG_FILE" | sort -u)"
    longest=$(jq -r 'select(.status == 503).milliseconds' "$SERVICEDESK_LOG_FILE" | sort -g | tail -n 1)
    echo "the longest took $longest ms of $refused"
    ((${longest%.*} < 2000))
    wait_for 5 recovers
}

@test "WAIT that is ended early fails its own jobs only, and blames no right" {
    use patient
    kill -s STOP "$(<"$dir/replica.pid")"
    SERVICEDESK_REDIS_URL=unix://patient:p@$dir/redis.sock SERVICEDESK_REDIS_WAIT=1,4000 SERVICEDESK_LOG_FILE=$dir/long.json \
        start_responder "$dir/long.log" "$dir/long.sock" --processes 1
    nginx_start long "$dir/long.sock"
    use long
    (
        eventually eval 'redis CLIENT LIST | grep -q "flags=b.*cmd=wait"'
        redis CLIENT UNBLOCK "$(redis CLIENT LIST | sed -n 's/^id=\([0-9]*\) .*flags=b.*cmd=wait.*/\1/p')" ERROR
    ) 3>&- &
    post "$(ticket)"
    wait $!
    same 503 "$code"
    same 'Redis answered UNBLOCKED to WAIT: the job is queued, but may not be replicated' "$(logged error)"
    kill -s CONT "$(<"$dir/replica.pid")"
    wait_for 5 recovers
    run ! grep -E 'the right|answering 503 at once' "$SERVICEDESK_LOG_FILE"
}
