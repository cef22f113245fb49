# The command line, and settings that are wrong.
load stack.bash

setup_file() { :; }
setup() { cd "$BATS_TEST_TMPDIR"; }

@test "--check and --version" {
    run -0 "$program" --check
    run -0 "$program" --version
    [[ $output == *[0-9]* ]]
}

@test "all faults at once, exit 78, and no secret shown" {
    export SERVICEDESK_SECRET=cuckoo SERVICEDESK_REDIS_URL=http://x SERVICEDESK_LOG_LEVEL=loud SERVICEDESK_MAX_BODY=many
    run -78 "$program" --check
    for name in SERVICEDESK_SECRET SERVICEDESK_REDIS_URL SERVICEDESK_LOG_LEVEL SERVICEDESK_MAX_BODY; do
        same 1 "$(grep -c "$name" <<<"$output")"
    done
    [[ $output != *cuckoo* ]]
    run -78 "$root/spawn/responder" "$PWD/responder.sock"
    [[ ! -e responder.sock && ! -e responder.sock.pid ]]
}

@test "no secret at all, or tenants that are not there" {
    unset SERVICEDESK_SECRET
    run -78 "$program" --check
    SERVICEDESK_TENANTS_FILE=$PWD/nowhere run -78 "$program" --check
}

@test "a socket is served by one set" {
    start_responder log "$PWD/responder.sock" --processes 1
    run -1 "$root/spawn/responder" "$PWD/responder.sock"
    [[ $output == *spawn/restart* ]]
    responder_answers "$PWD/responder.sock" live
    stop "$pid"
}

@test "the socket is for user and group only" {
    start_responder log "$PWD/private/responder.sock" --processes 1
    same 660 "$(stat -c %a private/responder.sock)"
    same 750 "$(stat -c %a private)"
    stop "$pid"
}

@test "the scheduler's usual policy becomes batch, another one stays" {
    start_responder log "$PWD/responder.sock" --processes 1
    same B "$(ps -o cls= --ppid "$pid" | tr -d ' ')"
    stop "$pid"
    printf '#!/bin/sh\nexec chrt -i 0 %s "$@"\n' "$SERVICEDESK_PROGRAM" >idle
    chmod +x idle
    SERVICEDESK_PROGRAM=$PWD/idle start_responder log "$PWD/idle.sock" --processes 1
    same IDL "$(ps -o cls= --ppid "$pid" | tr -d ' ')"
    stop "$pid"
}

@test "servicedeskctl signs as openssl does" {
    head -c 100000 /dev/urandom >body
    same "$(sign <body)" "$("${program%/*}/servicedeskctl" sign <body)"
}
