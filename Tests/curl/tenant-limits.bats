# Limits per tenant: what is charged to whom, what two processes share, and one tenant's flood beside another's tickets.
load stack.bash

unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json SERVICEDESK_RUNTIME_DIR=$dir/responder.sock.counters

key=correct-horse-battery-staple-0

# write [JQ]: puts a good file in place, edited. Each test has tenants of its own, so that none waits for another's burst.
write() {
    umask 077
    jq -n --arg key "$key" '
        def key(id): [{id: "1", mode: "servicedesk", secret: ($key + id)}];
        def tenant(id): {id: id, keys: key(id)};
        {tenants: [
            tenant("acme") + {limit: {per_second: 0.5, burst: 3}}, tenant("usual"), tenant("other"), tenant("named"),
            tenant("refused"), tenant("restarted"), tenant("edited"), tenant("moved"), {id: "one", limit: {per_second: 0.01, burst: 2}}, {id: "two"},
            tenant("noisy") + {limit: {per_second: 20, burst: 20}}, tenant("steady") + {limit: {per_second: 100000, burst: 1000000}}],
        senders: [{id: "msp", keys: key("msp"), tenant_from: {path: "account.name", tenants: {One: "one", Two: "two"}}}],
        limit: {per_second: 0.01, burst: 5}} | '"${1-.}" >"$SERVICEDESK_TENANTS_FILE.new"
    mv "$SERVICEDESK_TENANTS_FILE.new" "$SERVICEDESK_TENANTS_FILE"
}

setup_file() {
    write
    stack_up
}

ctl() { "${program%/*}/servicedeskctl" "$@"; }

# of TENANT [CURL OPTION...]: posts a ticket of the tenant.
of() { secret=$key$1 post "$(ticket ".tenant_id = \"$1\"")" "${@:2}"; }

# passing COUNT COMMAND...: runs it so often; prints how many of its posts were answered 202, and how many 429.
passing() {
    local -A codes=()
    for _ in $(seq "$1"); do
        "${@:2}"
        codes[$code]=$((${codes[$code]-0} + 1))
    done
    echo "${codes[202]-0} ${codes[429]-0}"
}

# without PID COMMAND...: runs it while that process is stopped.
children() { pgrep -P "$(<"$dir/responder.sock.pid")"; }
without() {
    kill -STOP "$1"
    "${@:2}"
    kill -CONT "$1"
}

@test "a burst passes; what is beyond it is a 429 with Retry-After, and passes after that time" {
    same '3 1' "$(passing 4 of acme)"
    of acme
    problem 429 'Too many requests of this tenant'
    same 'Too Many Requests' "$(jq -r .title <<<"$answer")"
    like '[12]' "$(header Retry-After)"
    same 'rate_limited acme 1 null' "$(reason) $(logged tenant_id) $(logged key) $(logged ticket_id)"
    same warning "$(logged level)"
    same 3 "$(depth)"
    sleep "$(header Retry-After)"
    of acme
    accepted
    request /metrics
    grep -qx 'servicedesk_requests_total{status="429",reason="rate_limited"} 2' <<<"$answer"
}

@test "a tenant without a limit of its own has the default, and each its own allowance" {
    same '5 2' "$(passing 7 of usual)"
    of usual
    # nginx's own 429 would say 1.
    like '9[0-9]|100' "$(header Retry-After)"
    of other
    accepted
}

@test "two processes share what a tenant has left" {
    eventually eval '(( $(children | wc -l) == 2 ))'
    mapfile -t pids < <(children)
    sleep 3.5 # until nginx has closed its connections
    same '2 0' "$(without "${pids[0]}" passing 2 of restarted)"
    sleep 3.5
    same '3 2' "$(without "${pids[1]}" passing 5 of restarted)"
    "$root/spawn/restart" "$dir/responder.sock" --processes 2 3>&-
    same '0 3' "$(passing 3 of restarted)"
}

@test "a sender's ticket is charged to the tenant that it is of" {
    for account in One Two; do
        body=$(ticket "del(.tenant_id) | .account = {name: \"$account\"}")
        from() {
            request /webhook/servicedesk/msp --data-binary "$body" -H Content-Type:application/json \
                -H "X-ServiceDesk-Signature: $(printf %s "$body" | sign "${key}msp")"
        }
        case $account in
            One) same '2 2' "$(passing 4 from)" ;;
            Two) same '5 1' "$(passing 6 from)" ;;
        esac
    done
    from
    problem 429 'Too many requests of this tenant'
    same 'msp two' "$(logged sender) $(logged tenant_id)"
}

@test "what is refused before is not charged, and what is refused afterwards is" {
    local wrong
    for wrong in {1..8}; do
        secret=wrong post "$(ticket '.tenant_id = "refused"')"
        problem 401
        type=text/plain of refused
        problem 415
    done
    secret=${key}refused post "$(ticket '.tenant_id = "refused" | .priority = "none"')"
    wrong priority
    same '4 1' "$(passing 5 of refused)"
    secret=${key}refused post "$(ticket '.tenant_id = "refused" | .priority = "none"')"
    problem 429
}

@test "a repeated named delivery is charged, too" {
    same '5 1' "$(passing 6 of named -H 'webhook-id: once')"
    same 1 "$(depth)"
}

@test "a reload changes a limit; what was used counts on" {
    same '5 1' "$(passing 6 of edited)"
    run -0 ctl tenant limit edited --per-second 0.01 --burst 8
    same '3 1' "$(passing 4 of edited)"
    run -0 ctl tenant limit edited --per-second 0.01 --burst 2
    same '2 1' "$(passing 3 of edited)"
    run -0 ctl tenant limit edited --none
    run -0 ctl tenant limit --default --none
    same '9 0' "$(passing 9 of edited)"
    same '{"per_second":0.5,"burst":3}' "$(jq -c '.tenants[0].limit' "$SERVICEDESK_TENANTS_FILE")"
}

# reload [JQ]: writes the file, and waits until both processes use it.
reload() { both_say 'tenants reloaded' write "$@"; }

@test "what a tenant has left stays its own, wherever the file has it, and while the file has no limits" {
    reload
    same '5 1' "$(passing 6 of moved)"
    reload '.tenants |= reverse'
    same '0 2' "$(passing 2 of moved)"
    reload 'del(.limit, .tenants[].limit)'
    same '7 0' "$(passing 7 of moved)"
    reload '.tenants |= sort_by(.id)'
    same '0 2' "$(passing 2 of moved)"
    run -1 grep 'limits tenants for itself' "$SERVICEDESK_LOG_FILE"
}

@test "tenant limit edits the file, and refuses what is no limit" {
    run -0 ctl tenant limit usual --per-second 2.50 --burst 7 --json
    same '{"id":"usual","limit":{"per_second":2.5,"burst":7},"kind":"tenant"}' "$(grep -v ^servicedeskctl <<<"$output" | jq -c .)"
    same '{"per_second":2.5,"burst":7}' "$(ctl tenant list usual --json | jq -c '.[0].limit')"
    ctl tenant limit --default --per-second 0.125 --burst 9
    same '{"per_second":0.125,"burst":9}' "$(ctl tenant list other --json | jq -c '.[0].limit')"
    run -0 "$program" --check
    run -1 ctl tenant limit nobody --per-second 1 --burst 1
    for wrong in '' '--per-second 1' '--per-second 1 --burst 1 --none' '--per-second 0 --burst 1' \
        '--per-second 0.0001 --burst 1' '--per-second 1 --burst 0' '--per-second 100001 --burst 1' '--default --none'; do
        run -64 ctl tenant limit usual $wrong
    done
    run -64 ctl tenant limit --none
}

# steady_posts SECONDS: posts of a tenant at a steady pace, one after the other; prints the statuses, counted, and the p99 in ms.
steady_posts() {
    local body=$BATS_TEST_TMPDIR/steady
    ticket '.tenant_id = "steady"' >"$body"
    python3 - "$url/webhook/servicedesk" "$body" "$(sign "${key}steady" <"$body")" "$1" <<'END'
import collections, http.client, sys, time, urllib.parse
url, path, tag, seconds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
body, to = open(path, "rb").read(), urllib.parse.urlsplit(url)
connection = http.client.HTTPConnection(to.netloc)
codes, times, due = collections.Counter(), [], time.monotonic()
end = due + seconds
while due < end:
    time.sleep(max(0, due - time.monotonic()))
    begin = time.monotonic()
    connection.request("POST", to.path, body, {"Content-Type": "application/json", "X-ServiceDesk-Signature": tag})
    answer = connection.getresponse()
    answer.read()
    codes[answer.status] += 1
    times.append(time.monotonic() - begin)
    due += 0.01
print(" ".join(f"{code}:{n}" for code, n in sorted(codes.items())), f"{sorted(times)[int(len(times) * 0.99)] * 1000:.2f}")
END
}

@test "one tenant's flood: the other's answers are all 202" {
    local round quiet loud
    for round in 1 2; do
        quiet=$(steady_posts 3)
        like '202:[0-9]+ [0-9.]+' "$quiet"
        SECONDS=0
        secret=${key}noisy load_starts 16 '.tenant_id = "noisy"'
        sleep 1
        loud=$(steady_posts 3)
        load_ends
        like '202:[0-9]+ [0-9.]+' "$loud"
        # 20 at once and 20 a second.
        ((refused >= 1000 && good <= 20 + 20 * (SECONDS + 1)))
        echo "# p99 of the other: ${quiet#* } ms alone, ${loud#* } ms beside the flood (×$(awk "BEGIN { printf \"%.2f\", ${loud#* } / ${quiet#* } }")); flood: $good of $((good + refused)) accepted in $SECONDS s" >&3
    done
}

@test "without a file to share, a process limits for itself, and the log says so once" {
    reload
    mkdir -p "$dir/odd/limits-1"
    export SERVICEDESK_RUNTIME_DIR=$dir/odd SERVICEDESK_LOG_FILE=$dir/odd.json
    start_responder "$dir/odd.log" "$dir/odd.sock" --processes 1
    nginx_start odd "$dir/odd.sock"
    nginx_use odd
    same '5 1' "$(passing 6 of other)"
    write
    eventually grep -q 'tenants reloaded' "$SERVICEDESK_LOG_FILE"
    of usual
    accepted
    stop "$(<"$dir/odd.sock.pid")"
    same 1 "$(grep -c 'this process limits tenants for itself: SERVICEDESK_RUNTIME_DIR cannot hold' "$SERVICEDESK_LOG_FILE")"
}

@test "a limits file that is truncated stops no process, and the log says so" {
    reload
    truncate -s 0 "$SERVICEDESK_RUNTIME_DIR/limits-1"
    passing 12 of other
    eventually grep -q 'the limits file in SERVICEDESK_RUNTIME_DIR was truncated' "$SERVICEDESK_LOG_FILE"
    of other
    problem 429
    reload '.limit.burst = 3'
    same '3 2' "$(passing 5 of other)"
}
