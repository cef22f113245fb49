# The command line, and wrong settings.
load stack.bash

setup_file() { :; }
setup() { cd "$BATS_TEST_TMPDIR"; }

@test "--check and --version succeed" {
    run -0 "$program" --check
    run -0 "$program" --version
    [[ $output == *[0-9]* ]]
}

@test "all faults are reported at once, without secrets, with exit status 78" {
    export SERVICEDESK_SECRET=cuckoo SERVICEDESK_REDIS_URL=http://x SERVICEDESK_LOG_LEVEL=loud SERVICEDESK_MAX_BODY=many
    run -78 "$program" --check
    for name in SERVICEDESK_SECRET SERVICEDESK_REDIS_URL SERVICEDESK_LOG_LEVEL SERVICEDESK_MAX_BODY; do
        same 1 "$(grep -c "$name" <<<"$output")"
    done
    [[ $output != *cuckoo* ]]
    run -78 "$root/spawn/responder" "$PWD/responder.sock"
    [[ ! -e responder.sock && ! -e responder.sock.pid ]]
}

@test "a missing secret or tenants file is refused" {
    unset SERVICEDESK_SECRET
    run -78 "$program" --check
    SERVICEDESK_TENANTS_FILE=$PWD/nowhere run -78 "$program" --check
}

@test "a second set on the same socket is refused" {
    start_responder log "$PWD/responder.sock" --processes 1
    run -1 "$root/spawn/responder" "$PWD/responder.sock"
    [[ $output == *spawn/restart* ]]
    responder_answers "$PWD/responder.sock" live
    stop "$pid"
}

@test "the socket and its directory are for user and group only" {
    start_responder log "$PWD/private/responder.sock" --processes 1
    same 660 "$(stat -c %a private/responder.sock)"
    same 750 "$(stat -c %a private)"
    stop "$pid"
}

# record_policy: makes the program record the scheduling policy under which it is started.
record_policy() {
    printf '%s\n' '#!/bin/sh' '[ $# -gt 0 ] || ps -o cls= -p $$ >>"${0%/*}/policy"' "exec $program \"\$@\"" >program
    chmod +x program
    ln -s "${program%/*}/servicedeskctl" .
    export SERVICEDESK_PROGRAM=$PWD/program
}

@test "the default scheduling policy becomes batch, another one is kept" {
    record_policy
    start_responder log "$PWD/responder.sock" --processes 1
    stop "$pid"
    same B "$(tr -d ' ' <policy)"
    rm policy
    background log chrt --idle 0 "$root/spawn/responder" "$PWD/idle.sock" --processes 1
    wait_up "$pid" responder_answers "$PWD/idle.sock" live
    stop "$pid"
    same IDL "$(tr -d ' ' <policy)"
}

@test "if the scheduling policy cannot be set, the responder starts with the default one" {
    record_policy
    mkdir bin
    printf '#!/bin/sh\nkill -SYS $$\n' >bin/chrt # as a seccomp filter does
    chmod +x bin/chrt
    PATH=$PWD/bin:$PATH start_responder log "$PWD/responder.sock" --processes 1
    stop "$pid"
    same TS "$(tr -d ' ' <policy)"
    same "responder: SCHED_BATCH is not permitted here; keeping the default policy" "$(<log)"
}

@test "servicedeskctl signs as openssl does" {
    head -c 100000 /dev/urandom >body
    same "$(sign <body)" "$("${program%/*}/servicedeskctl" sign <body)"
}
