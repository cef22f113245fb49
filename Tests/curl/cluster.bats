# A real Redis Cluster of two nodes. The first has every slot; the responder is configured with the second.
load stack.bash

# at NODE WORD...: sends a command to one node.
at() { redis-cli -p "$(<"$dir/port-$1")" --raw "${@:2}"; }
has_slots() { at "$1" CLUSTER INFO | grep -q 'cluster_slots_ok:16384'; }

# node_start NODE: starts it on a free port and, for the traffic between nodes, on the one 10,000 above.
node_start() {
    mkdir -p "$dir/node-$1"
    for _ in {1..20}; do
        echo $((20000 + RANDOM % 9000)) >"$dir/port-$1"
        background "$dir/node-$1/log" redis-server --dir "$dir/node-$1" --port "$(<"$dir/port-$1")" --bind 127.0.0.1 \
            --save '' --cluster-enabled yes --cluster-config-file nodes.conf
        echo "$pid" >"$dir/node-$1.pid"
        ! wait_up "$pid" eval "at $1 PING >/dev/null 2>&1" || return 0
    done
    return 1
}

setup_file() {
    node_start 0
    node_start 1
    at 0 CLUSTER ADDSLOTSRANGE 0 16383
    at 0 CLUSTER MEET 127.0.0.1 "$(<"$dir/port-1")"
    for node in 0 1; do eventually has_slots "$node"; done
    export SERVICEDESK_REDIS_URL=redis://127.0.0.1:$(<"$dir/port-1") SERVICEDESK_QUARANTINE=10
    start_responder "$dir/responder.log" "$dir/responder.sock" --processes 2
    wait_up "$pid" responder_answers "$dir/responder.sock" ready
    nginx_start main "$dir/responder.sock"
    SERVICEDESK_QUEUE_KEY={enhancement}:queue SERVICEDESK_LOG_FILE=$dir/tagged.json \
        start_responder "$dir/tagged.log" "$dir/tagged.sock" --processes 2
    nginx_start tagged "$dir/tagged.sock"
}

teardown_file() {
    local file
    for file in "$dir"/{main,tagged}/nginx.pid "$dir"/*.sock.pid "$dir"/node-?.pid; do
        [[ ! -s $file ]] || stop "$(<"$file")"
    done
}

setup() {
    nginx_use main
    at 0 DEL "$queue" >/dev/null
}

@test "MOVED is followed: the job is in the queue of the node that has it" {
    for number in 1 2 3 4; do
        post "$(ticket)"
        accepted
        same "$number" "$(at 0 LLEN "$queue")"
    done
    eventually grep -q 'redirects the queue to 127.0.0.1:' "$SERVICEDESK_LOG_FILE"
}

@test "the quarantine is kept, and replayed, on the node that has the queue" {
    quarantine() { "${program%/*}/servicedeskctl" quarantine "$@"; }
    kept() { [[ $(quarantine list | wc -l) == 1 ]]; }
    export SERVICEDESK_REDIS_URL=redis://127.0.0.1:$(<"$dir/port-1")
    ticket >"$BATS_TEST_TMPDIR/corrected"
    for name in main tagged; do
        nginx_use "$name"
        [[ $name == main ]] || export SERVICEDESK_QUEUE_KEY={enhancement}:queue
        list=${SERVICEDESK_QUEUE_KEY-$queue}
        post "$(ticket '.priority = "none"')"
        same 400 "$code"
        eventually kept
        quarantine replay "$(quarantine list | cut -f1)" --body "$BATS_TEST_TMPDIR/corrected"
        same '1 0' "$(at 0 LLEN "$list") $(quarantine list | wc -l)"
        at 0 DEL "$list"
    done
    same '1 1' "$(at 0 EXISTS '{enhancement:queue}:quarantine:all/') $(at 0 EXISTS '{enhancement}:queue:quarantine:all/')"
}

@test "a named delivery is queued once, by the script, on the node that has the queue" {
    post "$(ticket)" -H 'webhook-id: moved'
    accepted
    first=$(job_id)
    post "$(ticket)" -H 'webhook-id: moved'
    accepted
    same "$first" "$(job_id)"
    same 1 "$(at 0 LLEN "$queue")"
}

@test "a queue whose key has a hash tag of its own: plain and named deliveries are 202" {
    nginx_use tagged
    for number in 1 2 3 4; do
        post "$(ticket)"
        accepted
        post "$(ticket)" -H "webhook-id: tagged-$number"
        accepted
        first=$(job_id)
        post "$(ticket)" -H "webhook-id: tagged-$number"
        accepted
        same "$first" "$(job_id)"
        same $((number * 2)) "$(at 0 LLEN '{enhancement}:queue')"
    done
    same 1 "$(at 0 EXISTS '{enhancement}:queue:seen:acme:tagged-1')"
}

@test "servicedeskctl finds the node that has the queue" {
    export SERVICEDESK_REDIS_URL=redis://127.0.0.1:$(<"$dir/port-1")
    ctl() { "${program%/*}/servicedeskctl" "$@"; }
    same 1 "$(echo one | ctl push)"
    same 1 "$(ctl depth)"
    same one "$(ctl pop | head -n 1)"
    # One hash tag for both lists, so that one step can take a job from one to the other.
    at 0 LPUSH '{enhancement}:dead' '{"job":{"ticket_id":"T-1"},"reason":"x"}' >/dev/null
    ctl dead replay --all --dead-key '{enhancement}:dead' --key '{enhancement}:queue'
    same '{"ticket_id":"T-1"}' "$(at 0 LINDEX '{enhancement}:queue' 0)"
    at 0 DEL '{enhancement}:queue' >/dev/null
    at 0 LPUSH enhancement:dead '{"job":{"ticket_id":"T-2"},"reason":"x"}' >/dev/null
    run -1 ctl dead replay --all
    [[ $output == *'in a cluster both lists need one hash tag, such as {enhancement}:queue'* ]]
    same 1 "$(at 0 LLEN enhancement:dead)"
}

@test "a start in a cluster checks the format of the jobs in the queue" {
    at 0 LPUSH "$queue" '{"job_id":"1"}' >/dev/null
    SERVICEDESK_REDIS_URL=redis://127.0.0.1:$(<"$dir/port-1") SERVICEDESK_JOB_FORMAT=celery \
        SERVICEDESK_LOG_FILE=$dir/celery.json \
        start_responder "$dir/celery.log" "$dir/celery.sock" --processes 1
    eventually grep -q "$queue holds plain jobs, and SERVICEDESK_JOB_FORMAT is celery" "$dir/celery.json"
}

@test "ASK is followed while the queue's slot is migrating" {
    slot=$(at 0 CLUSTER KEYSLOT "$queue")
    at 1 CLUSTER SETSLOT "$slot" IMPORTING "$(at 0 CLUSTER MYID)"
    at 0 CLUSTER SETSLOT "$slot" MIGRATING "$(at 1 CLUSTER MYID)"
    for number in 1 2 3; do
        post "$(ticket)"
        accepted
        same "OK $number" "$(printf 'ASKING\nLLEN %s\n' "$queue" | at 1 | tr '\n' ' ' | sed 's/ $//')"
    done
    same 0 "$(at 0 EXISTS "$queue" 2>&1 | grep -c '^[1-9]')"
}
