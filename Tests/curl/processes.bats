# Several processes on one socket: sharing it, dying, reopening logs, being replaced.
load stack.bash

children() { pgrep -P "$(<"$dir/responder.sock.pid")"; }
two() { same 2 "$(children | wc -l)" >/dev/null; }

# connections: prints the inodes of the connections that the responders have accepted.
connections() { awk -v path="$dir/responder.sock" '$6 == "03" && $NF == path { print $7 }' /proc/net/unix | sort; }

# unharmed: ends a load of 32 connections, and checks that there were only 202s, and as many jobs or up to 32 more, which
# were in flight when wrk left.
unharmed() {
    local jobs
    load_ends
    ((good && !refused))
    jobs=$(redis LLEN "$queue")
    echo "$good answers 202, $jobs jobs"
    ((jobs >= good && jobs <= good + 32))
}

@test "each of the processes serves by itself" {
    eventually two
    for child in $(children); do
        sleep 3.5 # until nginx has closed its connections
        kill -STOP "$child"
        post "$(ticket)" -m 5 || code=none
        kill -CONT "$child"
        accepted
    done
}

@test "bodies around every boundary of records and buffers, on one connection" {
    good=$(ticket)
    sizes=$(seq 8050 8230; seq 16340 16390; seq 24540 24580; seq 32700 32790; seq 65480 65560; seq 98260 98310
        seq 131040 131072)
    cd "$BATS_TEST_TMPDIR"
    next=
    for size in $sizes; do
        printf "%-${size}s" "$good" >"$size"
        printf '%s\nurl = "%s/webhook/servicedesk"\ndata-binary = "@%s"\nheader = "Content-Type: application/json"
header = "X-ServiceDesk-Signature: %s"\noutput = answer\nwrite-out = "%%{http_code} %%{num_connects} %s\\n"\n' \
            "$next" "$url" "$size" "$(sign <"$size")" "$size"
        next=next
    done >config
    curl -sS -K config >codes
    same '' "$(grep -v '^202 ' codes || true)"
    same 1 "$(awk '{ n += $2 } END { print n }' codes)"
    same "$(wc -l <codes)" "$(redis LLEN "$queue")"
}

@test "nginx keeps its connections to the responder" {
    load_starts 32
    sleep 1
    connections >"$BATS_TEST_TMPDIR/first"
    sleep 0.5
    connections >"$BATS_TEST_TMPDIR/then"
    unharmed
    (($(wc -l <"$BATS_TEST_TMPDIR/then") <= 64))
    [[ $(comm -12 "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/then") ]]
}

@test "metrics are in Prometheus text format" {
    post "$(ticket)"
    request /metrics
    same 200 "$code"
    like 'text/plain.*' "$(header Content-Type)"
    run ! grep -vE '^(# (HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]* .*|[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^}]*\})? [-+0-9.eE]+|[a-zA-Z_:][a-zA-Z0-9_:]*_bucket\{[^}]*le="\+Inf"[^}]*\} [0-9]+)$' \
        "$BATS_TEST_TMPDIR/answer"
    # Every sample belongs to a family that has been declared, and none occurs twice.
    same '' "$(awk '/^# TYPE/ { type[$3] = 1 } /^[^#]/ { f = $1; sub(/\{.*/, "", f); g = f; sub(/_(bucket|sum|count)$/, "", g)
        if (!(f in type) && !(g in type)) print f; s = $0; sub(/ [^ ]*$/, "", s); if (seen[s]++) print s }' <<<"$answer")"
}

@test "metrics are the sum of all processes, whichever answers" {
    before=$(count 202)
    body=$(ticket)
    tag=$(printf %s "$body" | sign)
    seq 40 | xargs -P 8 -I{} curl -sS -o /dev/null -H 'Content-Type: application/json' \
        -H "X-ServiceDesk-Signature: $tag" --data-binary "$body" "$url/webhook/servicedesk"
    same 40 "$(redis LLEN "$queue")"
    for _ in {1..8}; do same $((before + 40)) "$(count 202)"; done
}

@test "a killed process is replaced, and its counters are kept" {
    post "$(ticket)"
    accepted
    before=$(count 202)
    eventually two
    kill -KILL "$(children | head -n 1)"
    sleep 0.5
    eventually two
    for _ in {1..10}; do
        post "$(ticket)"
        accepted
    done
    same $((before + 10)) "$(count 202)"
}

@test "HUP reopens the log file" {
    mv "$SERVICEDESK_LOG_FILE" "$dir/old.json"
    hup
    eventually test -e "$SERVICEDESK_LOG_FILE"
    sleep 0.5
    for _ in {1..6}; do
        post "$(ticket)"
        accepted
        id=$(header X-Request-ID)
        eventually grep -q "$id" "$SERVICEDESK_LOG_FILE"
        run ! grep "$id" "$dir/old.json"
    done
}

@test "a restart under load costs no request, and the counters go on" {
    before=$(count 202)
    redis DEL "$queue"
    old=$(<"$dir/responder.sock.pid")
    load_starts 32
    sleep 2
    SECONDS=0
    "$root/spawn/restart" "$dir/responder.sock" --processes 2 3>&-
    echo "replaced in $SECONDS s"
    ((SECONDS <= 11))
    gone "$old"
    sleep 1
    unharmed
    [[ $(<"$dir/responder.sock.pid") != "$old" ]]
    post "$(ticket)"
    accepted
    # Up to 32 requests may have been in flight when wrk left.
    after=$(count 202)
    ((after > before + good && after <= before + good + 33))
}

@test "a new set that does not become ready leaves the old one running" {
    old=$(<"$dir/responder.sock.pid")
    SERVICEDESK_REDIS_URL=unix://$dir/nowhere.sock run -1 "$root/spawn/restart" "$dir/responder.sock" 3>&-
    same "$old" "$(<"$dir/responder.sock.pid")"
    [[ ! -e $dir/responder.sock.new ]]
    post "$(ticket)"
    accepted
}

@test "TERM ends the set, and nginx then answers 502" {
    pid=$(<"$dir/responder.sock.pid")
    load_starts 32
    sleep 1
    load_ends
    kill -TERM "$pid"
    wait_for 11 gone "$pid"
    post "$(ticket)"
    problem 502
}
