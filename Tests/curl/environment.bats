# Unusual environments, files and descriptors: bytes, limits, a listener that another process controls.
load stack.bash

setup_file() {
    redis_start
    mkdir "$dir/nowhere"
}
setup() {
    cd "$BATS_TEST_TMPDIR"
    redis DEL "$queue" >/dev/null
    unset SERVICEDESK_LOG_FILE
    started=()
}
teardown() { for pid in "${started[@]}"; do stop "$pid"; done; }

# serve [COMMAND PREFIX...]: one responder on s, under spawn-fcgi, with nginx before it; its log is in the file log.
serve() {
    background log "$@" spawn-fcgi -n -s "$PWD/s" -M 0660 -- "$program"
    started+=("$pid")
    wait_up "$pid" responder_answers "$PWD/s" ready
    proxy
}

# listen WAY: the same with a socket on which another program listens.
listen() {
    background log python3 "$BATS_TEST_DIRNAME/listen.py" "$PWD/s" "$1" "$program"
    started+=("$pid")
    wait_up "$pid" responder_answers "$PWD/s" ready
    proxy
}

proxy() {
    responder=$pid
    start_nginx "$PWD" "$PWD/s" $((20000 + RANDOM % 9000)) 's|keepalive 64;|keepalive 1;|'
    started=("$pid" "${started[@]}")
    url=http://127.0.0.1:$port
}

# --- values are bytes ------------------------------------------------------------------------------------------------

@test "a secret that is not UTF-8 is used byte for byte" {
    secret=$'\xff\xfe\x80\xc3\x28 bytes of a secret \xf0\x9f and more \xed\xa0\x80'
    SERVICEDESK_SECRET=$secret serve
    post "$(ticket)"
    accepted
    printf %s "$(ticket)" >body
    same "$(sign <body)" "$(SERVICEDESK_SECRET=$secret "${program%/*}/servicedeskctl" sign <body)"
    # Neither its replacement characters nor another byte are accepted.
    for guess in "$(printf %s "$secret" | iconv -f latin1 -t utf8)" "${secret/$'\xfe'/$'\xfd'}"; do
        secret=$guess post "$(ticket)"
        problem 401
    done
}

@test "a secret of 11 bytes that are not UTF-8 has 11 bytes, and is refused" {
    SERVICEDESK_SECRET=$'\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff' run -78 "$program" --check
    [[ $output == *'SERVICEDESK_SECRET has 11 bytes'* ]]
}

@test "a control character at the end of a value is refused, and the setting is named" {
    for end in $'\r' $'\n' $'\t'; do
        SERVICEDESK_SECRET=$secret$end run -78 "$program" --check
        [[ $output == *'SERVICEDESK_SECRET ends with the control character'* && $output != *"$secret"* ]]
        SERVICEDESK_QUEUE_KEY=queue$end run -78 "$program" --check
        [[ $output == *'SERVICEDESK_QUEUE_KEY ends with'* ]]
    done
    SERVICEDESK_QUEUE_KEY=$'q\xff' run -78 "$program" --check
    [[ $output == *'SERVICEDESK_QUEUE_KEY is not valid UTF-8'* ]]
}

@test "SERVICEDESK_MAX_AGE limits how long a captured request can be sent again" {
    SERVICEDESK_MAX_AGE=300 serve
    post "$(ticket ".created_at = \"$(date -u -d '250 seconds ago' +%FT%TZ)\"")"
    accepted
    for time in '350 seconds ago' '350 seconds'; do
        post "$(ticket ".created_at = \"$(date -u -d "$time" +%FT%TZ)\"")"
        wrong created_at
    done
    same 2 "$(count 400)"
}

# --- a start that fails ----------------------------------------------------------------------------------------------

@test "--check opens what a start opens, and names the setting and the path" {
    ln -s /no/such/directory/log astray
    for path in /no/such/directory/log "$PWD" "$PWD/astray"; do
        SERVICEDESK_LOG_FILE=$path run -78 "$program" --check
        [[ $output == *SERVICEDESK_LOG_FILE*"$path"* ]]
        SERVICEDESK_LOG_FILE=$path run -78 "$root/spawn/responder" "$PWD/s"
        [[ $output == *SERVICEDESK_LOG_FILE*"$path"* && ! -e s ]]
    done
    SERVICEDESK_RUNTIME_DIR=/no/such run -78 "$program" --check
    [[ $output == *SERVICEDESK_RUNTIME_DIR*/no/such* ]]
}

@test "spawn/responder makes the directory that SERVICEDESK_RUNTIME_DIR names, since systemd has emptied the one above" {
    export SERVICEDESK_RUNTIME_DIR=$PWD/run/counters
    start_responder log "$PWD/run/s" --processes 1
    started+=("$pid")
    same '750 750' "$(stat -c %a run run/counters | xargs)"
    [[ $(ls run/counters) == *counters-* ]]
}

@test "a runtime directory that cannot be made is reported with all other faults" {
    : >file
    SERVICEDESK_RUNTIME_DIR=$PWD/file/x SERVICEDESK_LOG_LEVEL=loud run -78 "$root/spawn/responder" "$PWD/s"
    [[ $output == *SERVICEDESK_RUNTIME_DIR*"$PWD/file/x"* && $output == *SERVICEDESK_LOG_LEVEL* && ! -e s ]]
    # The program does not need the directory of the socket.
    SERVICEDESK_RUNTIME_DIR=$PWD run -1 timeout 5 "$root/spawn/responder" "$PWD/file/s"
}

@test "a log file may be a symbolic link to a file that does not exist yet" {
    mkdir logs
    ln -s logs/log link
    export SERVICEDESK_LOG_FILE=$PWD/link
    run -0 "$program" --check
    [[ ! -e logs/log ]]
    serve
    post "$(ticket)"
    accepted
    eventually test -s logs/log
}

@test "--check creates no files" {
    SERVICEDESK_LOG_FILE=$PWD/new.log SERVICEDESK_RUNTIME_DIR=$PWD run -0 "$program" --check
    same '' "$(ls)"
}

@test "a process that cannot start waits a second before it exits" {
    SECONDS=0
    SERVICEDESK_LOG_FILE=/no/such/directory/log run -78 spawn-fcgi -n -s "$PWD/s" -- "$program"
    ((SECONDS >= 1))
    run -78 "$program" </dev/null
    [[ $output == *'descriptor 0 is not a listening socket'* ]]
    run -78 "$program" <&-
    [[ $output == *'descriptor 0 is not a listening socket'* ]]
}

@test "a file that cannot be opened again on HUP is named, with its setting" {
    mkdir logs
    (umask 027 && printf 'acme %s\n' "$secret" >tenants)
    unset SERVICEDESK_SECRET
    export SERVICEDESK_LOG_FILE=$PWD/logs/log SERVICEDESK_TENANTS_FILE=$PWD/tenants
    serve
    rm tenants
    mv logs elsewhere
    kill -HUP "$responder"
    eventually grep -q "SERVICEDESK_LOG_FILE $PWD/logs/log (open: No such file" elsewhere/log
    eventually grep -q "SERVICEDESK_TENANTS_FILE: $PWD/tenants .*(open: No such file" elsewhere/log
    # The old log and the old tenants are kept.
    post "$(ticket)"
    accepted
    eventually grep -q '"status":202' elsewhere/log
}

# --- logs that cannot be written -------------------------------------------------------------------------------------

# wakeups PID: prints how often it has gone to sleep.
wakeups() { awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$1/status"; }

# idles PID: checks that it takes less than 20 turns in a second in which nothing happens.
idles() {
    local before
    sleep 0.5
    before=$(wakeups "$1")
    sleep 1
    echo "$(($(wakeups "$1") - before)) turns"
    (($(wakeups "$1") - before < 20))
}

@test "a log beyond the limit of file sizes costs lines, but no process" {
    export SERVICEDESK_LOG_FILE=$PWD/responder.json
    serve bash -c 'ulimit -f 8; exec "$@"' bash
    for _ in {1..60}; do
        post "$(ticket)"
        accepted
    done
    sleep 0.2
    alive "$responder"
    idles "$responder"
    (($(stat -c %s responder.json) <= 8192))
    # Whole lines only.
    jq -c . responder.json >/dev/null
    (($(wc -l <responder.json) > 10))
}

@test "with standard error closed the responder serves, and sleeps while idle" {
    serve bash -c 'exec "$@" 2>&-' bash
    for _ in 1 2 3; do
        post "$(ticket)"
        accepted
    done
    idles "$responder"
}

@test "several processes that share standard error write whole lines" {
    start_responder lines.json "$PWD/set" --processes 4
    started+=("$pid")
    nginx_start lines "$PWD/set"
    nginx_use lines
    body=$(ticket)
    tag=$(printf %s "$body" | sign)
    seq 400 | xargs -P 8 -I{} curl -sS -o /dev/null -H 'Content-Type: application/json' \
        -H "X-ServiceDesk-Signature: $tag" --data-binary "$body" "$url/webhook/servicedesk"
    sleep 0.3
    same 400 "$(jq -c 'select(.status == 202)' lines.json | wc -l)"
    stop "$(<"$dir/lines/nginx.pid")"
}

# --- counters without room -------------------------------------------------------------------------------------------

@test "without room for its counters a process counts for itself, and logs that" {
    mkdir counters
    export SERVICEDESK_RUNTIME_DIR=$PWD/counters
    serve bash -c 'ulimit -f 1; exec "$@"' bash
    grep -q 'cannot hold counters' log
    grep -q "$PWD/counters" log
    post "$(ticket)"
    accepted
    same 1 "$(count 202)"
    alive "$responder"
}

@test "a counters file that is garbage, or is truncated while in use, kills no process" {
    mkdir counters
    head -c 9001 /dev/zero | tr '\0' '\377' >counters/counters-2
    export SERVICEDESK_RUNTIME_DIR=$PWD/counters
    serve
    request /metrics
    same 200 "$code"
    truncate -s 0 counters/counters-2
    post "$(ticket)"
    accepted
    request /metrics
    same 200 "$code"
    alive "$responder"
    sleep 0.1
    grep -q 'the counters file in SERVICEDESK_RUNTIME_DIR was truncated' log
}

# --- listeners -------------------------------------------------------------------------------------------------------

@test "a socket that systemd passes as LISTEN_FDS is served" {
    listen listen-fds
    post "$(ticket)"
    accepted
    # LISTEN_PID names another process.
    LISTEN_FDS=1 LISTEN_PID=1 run -78 "$program" </dev/null
    [[ $output == *'descriptor 0 is not a listening socket'* ]]
}

@test "a turn never waits for a connection, even when another process clears O_NONBLOCK on the shared listener" {
    listen blocking
    for _ in {1..30}; do
        post "$(ticket)" -m 4
        accepted
    done
    idles "$(pgrep -P "$responder")"
    kill -TERM "$responder"
    wait_for 12 gone "$responder"
}

@test "a listener that was shut down is logged, and ends the process with status 1" {
    listen shutdown
    post "$(ticket)"
    accepted
    kill -USR1 "$responder"
    code=0
    wait "$responder" || code=$?
    same 1 "$code"
    grep -q 'the listening socket was shut down' log
    tail -n 1 log | grep -q stopped
}

@test "only the addresses in FCGI_WEB_SERVER_ADDRS may connect over TCP" {
    for allowed in 127.0.0.1,192.0.2.1 192.0.2.1; do
        # Below the ports that clients' connections have, any of which may be taken.
        for _ in {1..20}; do
            port=$((10000 + RANDOM % 9000))
            FCGI_WEB_SERVER_ADDRS=$allowed background log spawn-fcgi -n -a 127.0.0.1 -p $port -- "$program"
            ! wait_up "$pid" bash -c ": <>/dev/tcp/127.0.0.1/$port" || break
        done
        started=("$pid" "${started[@]}")
        tcp=127.0.0.1:$port
        mkdir -p "nginx-$allowed"
        start_nginx "$PWD/nginx-$allowed" nowhere $((20000 + RANDOM % 9000)) "s|unix:nowhere|$tcp|"
        started=("$pid" "${started[@]}")
        url=http://127.0.0.1:$port
        post "$(ticket)" -m 5
        if [[ $allowed == 127* ]]; then accepted; else problem 502; fi
    done
    grep -q 'FCGI_WEB_SERVER_ADDRS does not name its address' log
    FCGI_WEB_SERVER_ADDRS=localhost run -78 "$program" --check
    [[ $output == *FCGI_WEB_SERVER_ADDRS*localhost* ]]
}
