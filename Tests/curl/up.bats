# spawn/up, and what it tells a newcomer to do next.
load stack.bash

setup_file() { :; }
setup() {
    cd "$BATS_TEST_TMPDIR"
    unset SERVICEDESK_LOG_FILE SERVICEDESK_REDIS_URL
    # The release is there already; to find that out takes swift seconds.
    mkdir bin
    printf '#!/bin/sh\necho Swift version 9.9\n' >bin/swift
    chmod +x bin/swift
    PATH=$PWD/bin:$PATH
}
teardown() { for file in "$BATS_TEST_TMPDIR"/*.pid; do stop "$(<"$file")"; done; }

# up: starts spawn/up, and waits for its last hints, which are in the file said.
up() {
    background said "$root/spawn/up"
    echo "$pid" >up.pid
    eventually eval 'grep -qs "servicedeskctl sign <FILE" said || gone "$pid"'
    alive "$pid"
}

@test "what spawn/up prints leads servicedeskctl and a worker's tests to its stack" {
    up
    eval "$(grep '^ *export ' said)"
    like "\\{\"job_id\":\"$uuid4\",\"ticket_id\":\"TKT-1001\",.*" "$("${program%/*}/servicedeskctl" peek)"
    PYTHONDONTWRITEBYTECODE=1 run -0 "$root/.build/test-python/bin/python" -m pytest -q -p no:cacheprovider \
        "$root/Tests/worker"
    [[ $output != *skipped* ]]
}

@test "spawn/up does not print the password of a Redis that it was given" {
    start_redis "$PWD"
    echo "$pid" >redis.pid
    port=$((20000 + RANDOM % 9000))
    until redis-cli -s redis.sock CONFIG SET port "$port" | grep OK; do port=$((20000 + RANDOM % 9000)); done
    redis-cli -s redis.sock ACL SETUSER worker on '>cuckoo' '~*' '+@all'
    SERVICEDESK_REDIS_URL=redis://worker:cuckoo@127.0.0.1:$port up
    grep 'SERVICEDESK_REDIS_URL as you have set it' said
    run ! grep cuckoo said
    run ! grep 'export SERVICEDESK_REDIS_URL' said
}
