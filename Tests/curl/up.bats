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
teardown() { for file in "$BATS_TEST_TMPDIR"/*.pid; do [[ ! -s $file ]] || stop "$(<"$file")"; done; }

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

# listening: starts a Redis of the user's own; $port is its port on every loopback address.
listening() {
    start_redis "$PWD"
    echo "$pid" >redis.pid
    redis-cli -s redis.sock CONFIG SET bind '127.0.0.1 -::1' | grep OK
    port=$((20000 + RANDOM % 9000))
    until redis-cli -s redis.sock CONFIG SET port "$port" | grep OK; do port=$((20000 + RANDOM % 9000)); done
}

# user RIGHT...: lets the user "worker" connect, with the password "cuckoo" and these rights.
user() { redis-cli -s redis.sock ACL SETUSER worker reset on '>cuckoo' '~*' "$@" | grep OK; }

@test "spawn/up does not print the password of a Redis that it was given" {
    listening
    user +@all
    SERVICEDESK_REDIS_URL=redis://worker:cuckoo@127.0.0.1:$port up
    grep 'SERVICEDESK_REDIS_URL as you have set it' said
    run ! grep cuckoo said
    run ! grep 'export SERVICEDESK_REDIS_URL' said
}

@test "a password in a file and another queue are used for the job and for the hints" {
    listening
    user +@all
    (umask 077 && echo cuckoo >password)
    export SERVICEDESK_REDIS_URL=redis://worker@127.0.0.1:$port SERVICEDESK_QUEUE_KEY=other SERVICEDESK_REDIS_PASSWORD_FILE=$PWD/password
    up
    grep '^{"job_id":.*TKT-1001' said
    unset SERVICEDESK_REDIS_URL SERVICEDESK_QUEUE_KEY SERVICEDESK_REDIS_PASSWORD_FILE
    eval "$(grep '^ *export ' said)"
    like '\{"job_id":.*TKT-1001.*' "$("${program%/*}/servicedeskctl" peek)"
}

@test "the job is shown of a Redis with an IPv6 address" {
    grep -qs '^0\{31\}1 ' /proc/net/if_inet6 || skip 'no IPv6 here'
    listening
    SERVICEDESK_REDIS_URL=redis://[::1]:$port run -0 "$root/spawn/up" --once 3>&-
    [[ $output == *$'\n{"job_id":'*TKT-1001* ]]
}

@test "spawn/up says which settings it does not use, and works without them" {
    echo 'too short' >file
    SERVICEDESK_SECRET_FILE=$PWD/file SERVICEDESK_TENANTS_FILE=$PWD/file SERVICEDESK_REDIS_PASSWORD_FILE=$PWD/file \
        run -0 "$root/spawn/up" --once 3>&-
    for name in SECRET TENANTS REDIS_PASSWORD; do [[ $output == *"SERVICEDESK_${name}_FILE is ignored: "* ]]; done
    [[ $output == *$'\n{"job_id":'*TKT-1001* ]]
    SERVICEDESK_SECRET=$secret run -0 "$root/spawn/up" --once 3>&-
    [[ $output != *ignored* ]]
}

@test "a job that cannot be looked up is told from one that a worker has taken" {
    listening
    export SERVICEDESK_REDIS_URL=redis://worker:cuckoo@127.0.0.1:$port
    user +lpush +eval +evalsha +get +set
    run -1 "$root/spawn/up" --once 3>&-
    [[ $output == *'its job cannot be looked up: '*NOPERM* && $output != *cuckoo* ]]
    user +@all
    redis-cli -s redis.sock DEL $queue
    redis-cli -s redis.sock BRPOP $queue 0 >taken 3>&- &
    run -0 "$root/spawn/up" --once 3>&-
    grep TKT-1001 taken
    [[ $output == *'a worker has taken it' ]]
    seq 1000 | sed "s/.*/LPUSH $queue &/" | redis-cli -s redis.sock >waiting
    run -0 "$root/spawn/up" --once 3>&-
    [[ $output == *'more jobs than these are waiting' ]]
}
