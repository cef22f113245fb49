# TLS to Redis: names, sessions that are resumed, other nodes of a cluster, and spawn/up.
load redis-tls.bash

setup_file() {
    servers_start
    printf ':1\r\n' >reply
    python3 "$root/Tests/curl/tls_server.py" good.crt good.key reply >talker 3>&- &
    echo $! >talker.server.pid
    eventually test -s talker
    head -n 1 talker >talker.port
}

setup() {
    export SERVICEDESK_REDIS_CA_FILE=$dir/ca.crt
    for name in good named; do redis-cli -s "$dir/$name.redis.sock" DEL "$queue" >/dev/null; done
}

# answers REPLY: what the talker says to LPUSH from now on.
answers() { printf '%s\r\n' "$1" >"$dir/reply"; }
# connections: prints what was noted of the talker's, the oldest first.
connections() { tail -n +2 "$dir/talker"; }

# reload: has the responder read its files again, and waits for it.
reload() {
    local before
    before=$(grep -c 'files for TLS to Redis reloaded' "$SERVICEDESK_LOG_FILE" || true)
    pkill -HUP -P "$(<"$dir/$1.sock.pid")"
    eventually eval "(( \$(grep -c 'files for TLS to Redis reloaded' '$SERVICEDESK_LOG_FILE') > $before ))"
}

@test "a connection asks for the server by name, and resumes the session of the one before, until HUP" {
    answers :1
    with resuming "rediss://localhost:$(port talker)"
    deliver() {
        for n in 1 2 3; do wait_for 5 recovers; done
    }
    deliver
    eventually eval '(($(connections | wc -l) >= 4))'
    # The first of the pool, and the one that looks at the format of the jobs at the start.
    same 2 "$(connections | grep -c 'localhost new')"
    same 'localhost resumed' "$(connections | tail -n +3 | sort -u)"
    before=$(connections | wc -l)
    reload resuming
    deliver
    same 1 "$(connections | tail -n "+$((before + 1))" | grep -c 'localhost new')"
}

@test "another node of a cluster is reached over TLS as well, and must prove to be the node that was announced" {
    with cluster "rediss://localhost:$(port talker)"
    for how in MOVED ASK; do
        answers "-$how 3999 localhost:$(port named)"
        wait_for 5 recovers
        same 1 "$(jobs named)"
        redis-cli -s "$dir/named.redis.sock" DEL "$queue" >/dev/null
        with "cluster-$how" "rediss://localhost:$(port talker)"
    done
    answers "-MOVED 3999 127.0.0.1:$(port named)"
    post "$(ticket)"
    same 503 "$code"
    grep -q "cannot be reached: 127.0.0.1:$(port named): TLS: the server's certificate is not for 127.0.0.1" "$SERVICEDESK_LOG_FILE"
    same 0 "$(jobs named)"
}

@test "servicedeskctl goes to another node over TLS" {
    answers "-MOVED 3999 localhost:$(port named)"
    SERVICEDESK_REDIS_URL=rediss://localhost:$(port talker) run -0 ctl push <<<'{"job":1}'
    same 1 "$(jobs named)"
    answers "-MOVED 3999 127.0.0.1:$(port named)"
    SERVICEDESK_REDIS_URL=rediss://localhost:$(port talker) run -1 ctl push <<<'{"job":1}'
    [[ $output == *"the server's certificate is not for 127.0.0.1"* ]] || { echo "$output"; false; }
}

@test "spawn/up takes a Redis over TLS" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    # The release is built already; swift would take seconds to find that out.
    printf '#!/bin/sh\necho Swift version 9.9\n' >"$BATS_TEST_TMPDIR/bin/swift"
    chmod +x "$BATS_TEST_TMPDIR/bin/swift"
    unset SERVICEDESK_LOG_FILE
    PATH=$BATS_TEST_TMPDIR/bin:$PATH SERVICEDESK_REDIS_URL=rediss://localhost:$(port good) run -0 "$root/spawn/up" --once
    [[ $output == *'202 Accepted'*'"ticket_id":"TKT-1001"'* ]]
    same 1 "$(jobs good)"
}
