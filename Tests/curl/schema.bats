# The schemas of `servicedeskctl schema` say of tickets and jobs what the running responder does.
load stack.bash

setup_file() {
    stack_up
    SERVICEDESK_UNKNOWN_FIELDS=ignore SERVICEDESK_JOB_MEMBERS=event,delivery_id,traceparent \
        start_responder "$dir/lenient.log" "$dir/lenient.sock" --processes 1
    nginx_start lenient "$dir/lenient.sock"
    for subject in job ticket tenants; do ctl schema $subject >"$dir/$subject.json"; done
    ctl schema ticket --ignore-unknown-fields >"$dir/lenient.json"
}

teardown_file() {
    stop "$(<"$dir/lenient.sock.pid")"
    stack_down
}

ctl() { "${program%/*}/servicedeskctl" "$@"; }
compare() { "$root/.build/test-python/bin/python" "$BATS_TEST_DIRNAME/schema.py" "$@"; }

@test "the schemas are valid JSON Schema, their examples fit them, and they are printed as a pretty-printer would" {
    compare schemas "$dir"/{job,ticket,lenient,tenants}.json
    run -64 ctl schema
    run -64 ctl schema queue
    run -64 ctl schema job --ignore-unknown-fields
}

@test "the schema accepts the tickets that the responder accepts, and no others" {
    compare tickets "$url" "$secret" "$dir/ticket.json"
    jobs=$(depth)
    ((jobs > 300))
    redis LRANGE "$queue" 0 -1 >"$BATS_TEST_TMPDIR/jobs"
    compare jobs "$dir/job.json" "$BATS_TEST_TMPDIR/jobs"
}

@test "with --ignore-unknown-fields it agrees with a responder that ignores unknown fields" {
    nginx_use lenient
    compare tickets "$url" "$secret" "$dir/lenient.json"
}

@test "a job has every member of the schema if all are asked for" {
    nginx_use lenient
    parent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
    post "$(ticket)" -H "traceparent: $parent" -H $'tracestate: a=1 \t, b=\x22 \x22' -H 'webhook-id: "!~"'
    post "$(ticket)"
    redis LRANGE "$queue" 0 -1 >"$BATS_TEST_TMPDIR/jobs"
    compare jobs "$dir/job.json" "$BATS_TEST_TMPDIR/jobs"
    members=$(jq -c '.properties | keys_unsorted' "$dir/job.json")
    same "$members" "$(tail -n 1 "$BATS_TEST_TMPDIR/jobs" | jq -c keys_unsorted)"
    same "$(jq -c '. - ["tracestate"]' <<<"$members")" "$(head -n 1 "$BATS_TEST_TMPDIR/jobs" | jq -c keys_unsorted)"
}

@test "the schema refuses a job with a member missing or changed" {
    post "$(ticket)"
    compare spoilt-jobs "$dir/job.json" <<<"$(newest)"
}

# Edits of a good tenants file, in jq, and whether it is good afterwards.
tenants_files() {
    cat <<'END'
good .
good .tenants[0].active = false
good .tenants[0].keys[0].not_before = "2026-01-01T00:00:00+01:00"
good .tenants[0].keys[0].secret = "é" * 16
bad .tenants[0].keys[0].secret = "short"
good .tenants += [{id: "b", keys: [{id: "1", mode: "servicedesk", secret: ("x" * 32)}]}]
bad .tenants = []
good .senders = []
bad .sender = []
bad .tenants[0].id = "ACME"
bad .tenants[0].id = "acme\n"
bad del(.tenants[0].id)
bad .tenants[0].keys = [range(9) as $n | {id: "\($n)", mode: "servicedesk", secret: ("x" * 32)}]
bad .tenants[0].keys[0].id = ""
bad .tenants[0].keys[0].id = "a b"
bad .tenants[0].keys[0].mode = "none"
bad del(.tenants[0].keys[0].mode)
bad del(.tenants[0].keys[0].secret)
bad .tenants[0].keys[0].secret_file = "x"
bad .tenants[0].keys[0].secret = 5
bad .tenants[0].keys[0].not_after = "tomorrow"
bad .tenants[0].active = "yes"
bad .tenants[0].name = "Acme"
bad .tenants[0].keys[0].note = "x"
good .tenants[0].keys[0] += {mode: "hmac", header: "X-Sig", prefix: "sha256=", encoding: "base64"}
good .tenants[0].keys[0] += {mode: "hmac", header: "X", signed: "timestamp-body", timestamp_header: "T", tolerance: 604800}
bad .tenants[0].keys[0] += {mode: "hmac"}
bad .tenants[0].keys[0] += {mode: "hmac", header: "X_Y"}
bad .tenants[0].keys[0] += {mode: "hmac", header: "X", encoding: "hexadecimal"}
bad .tenants[0].keys[0] += {mode: "hmac", header: "X", signed: "timestamp-body", timestamp_header: "T", tolerance: 0}
bad .tenants[0].keys[0].header = "X"
good .tenants[0].keys[0] |= (.mode = "standard-webhooks" | .secret = "whsec_" + ("ab" * 32))
bad .tenants[0].keys[0].mode = "standard-webhooks"
good .tenants[0].keys[0] |= (.mode = "token" | .plaintext = true | .sha256 = "0a" * 32 | del(.secret))
bad .tenants[0].keys[0] |= (.mode = "token" | .sha256 = "0a" * 32)
bad .tenants[0].keys[0] |= (.mode = "token" | .sha256 = "0a" | del(.secret))
bad .tenants[0].keys[0].sha256 = "0a" * 32
good .tenants[0].keys[0] += {mode: "basic", user: "desk"}
bad .tenants[0].keys[0] += {mode: "basic"}
bad .tenants[0].keys[0] += {mode: "basic", user: ""}
good .senders = [{id: "s", tenant: "acme", keys: [{id: "1", mode: "servicedesk", secret: ("t" * 32)}]}]
good .senders = [{id: "s", tenant_from: {path: "a.b", tenants: {"": "acme"}}, keys: [{id: "1", mode: "servicedesk", secret: ("t" * 32)}]}]
bad .senders = [{id: "s", keys: [{id: "1", mode: "servicedesk", secret: ("t" * 32)}]}]
bad .senders = [{id: "s", tenant: "acme", keys: []}]
bad .senders = [{id: "s", tenant: "acme"}]
bad .senders = [{id: "s", tenant_from: {path: "a..b", tenants: {"": "acme"}}, keys: [{id: "1", mode: "servicedesk", secret: ("t" * 32)}]}]
bad .senders = [{id: "s", tenant_from: {path: "a", tenants: {}}, keys: [{id: "1", mode: "servicedesk", secret: ("t" * 32)}]}]
bad .tenants[0].tenant = "acme"
good .senders = [{id: "s", tenant: "acme", profile: "sdp-v3", keys: [{id: "1", mode: "servicedesk", secret: ("t" * 32)}]}]
bad .senders = [{id: "s", tenant: "acme", profile: 5, keys: [{id: "1", mode: "servicedesk", secret: ("t" * 32)}]}]
bad .tenants[0].profile = "sdp-v3"
good .profiles = []
good .profiles = [{id: "own", like: "sdp-v3"}]
bad .profiles = [{id: "own", like: "own"}]
bad .profiles = [{like: "sdp-v3"}]
bad .profiles = [{id: "Own", like: "sdp-v3"}]
bad .profiles = [{id: "own", like: "sdp-v3", key: ["a"]}]
bad .profiles = [{id: "own", like: "sdp-v3", keys: []}]
bad .profiles = [{id: "own", like: "sdp-v3", keys: ["a", "a"]}]
bad .profiles = [{id: "own", like: "sdp-v3", fields: {tenant_id: {path: "a"}}}]
good .profiles = [{id: "own", like: "sdp-v3", fields: {event: {value: "x"}, ticket_id: {path: ["a", "b"], prefix: "A-1"}}}]
good .profiles = [{id: "own", like: "sdp-v3", fields: {correlation_id: {path: "a", otherwise: {path: "b"}}, priority: {value: "low"}}}]
good .profiles = [{id: "own", like: "generic", fields: {priority: {map: {"P1": "critical", " P2 ": "low"}, default: "low"}}}]
bad .profiles = [{id: "own", like: "generic", fields: {priority: {map: {"P1": "critical", "": "low"}}}}]
bad .profiles = [{id: "own", like: "generic", fields: {priority: {map: {"\t": "low"}}}}]
bad .profiles = [{id: "own", like: "generic", fields: {priority: {map: {}}}}]
good .profiles = [{id: "own", like: "generic", fields: {description: {html: false, too_long: "refuse"}, created_at: {time: "epoch_milliseconds", path: "a"}}}]
bad .profiles = [{id: "own", like: "generic", fields: {event: {value: ""}}}]
bad .profiles = [{id: "own", like: "generic", fields: {event: {value: "x", html: true}}}]
bad .profiles = [{id: "own", like: "generic", fields: {ticket_id: {path: []}}}]
bad .profiles = [{id: "own", like: "generic", fields: {ticket_id: {path: "a..b"}}}]
bad .profiles = [{id: "own", like: "generic", fields: {ticket_id: {path: ["a", 5]}}}]
bad .profiles = [{id: "own", like: "generic", fields: {ticket_id: {path: ["a", "a"]}}}]
bad .profiles = [{id: "own", like: "generic", fields: {ticket_id: {prefix: "a"}}}]
bad .profiles = [{id: "own", like: "generic", fields: {ticket_id: {prefix: ""}}}]
bad .profiles = [{id: "own", like: "generic", fields: {ticket_id: {value: "A"}}}]
bad .profiles = [{id: "own", like: "generic", fields: {priority: {map: {"P1": "urgent"}}}}]
bad .profiles = [{id: "own", like: "generic", fields: {priority: {default: "High"}}}]
bad .profiles = [{id: "own", like: "generic", fields: {priority: {value: "High"}}}]
bad .profiles = [{id: "own", like: "generic", fields: {created_at: {time: "epoch"}}}]
bad .profiles = [{id: "own", like: "generic", fields: {description: {too_long: "drop"}}}]
bad .profiles = [{id: "own", like: "generic", fields: {description: {html: "yes"}}}]
bad .profiles = [{id: "own", like: "generic", fields: {description: "a"}}]
bad .profiles = {}
good .tenants[0].limit = {per_second: 5, burst: 100}
good .tenants[0].limit = {per_second: 0.001, burst: 1}
good .limit = {per_second: 100000, burst: 1000000}
good .limit = {per_second: 2.125, burst: 1}
bad .limit = {per_second: 0, burst: 1}
bad .limit = {per_second: -1, burst: 1}
bad .limit = {per_second: 100000.001, burst: 1}
bad .limit = {per_second: "5", burst: 1}
bad .limit = {per_second: 5, burst: 0}
bad .limit = {per_second: 5, burst: 1000001}
bad .limit = {per_second: 5, burst: 1.5}
bad .limit = {per_second: 5}
bad .limit = {burst: 5}
bad .limit = {per_second: 5, burst: 1, per_minute: 5}
bad .limit = 5
bad .tenants[0].limit = {per_second: 5, burst: 0}
bad .senders = [{id: "s", tenant: "acme", limit: {per_second: 5, burst: 1}, keys: [{id: "1", mode: "servicedesk", secret: ("t" * 32)}]}]
END
}

@test "the schema of the tenants file accepts what --check accepts, and nothing else" {
    local files=() expectations=()
    unset SERVICEDESK_SECRET
    umask 077
    while read -r expected edit; do
        file=$BATS_TEST_TMPDIR/tenants.${#files[@]}
        jq -n '{tenants: [{id: "acme", keys: [{id: "1", mode: "servicedesk", secret: ("s" * 32)}]}]} | '"$edit" >"$file"
        checked=bad
        ! SERVICEDESK_TENANTS_FILE=$file "$program" --check 2>/dev/null || checked=good
        same "$expected: $edit" "$checked: $edit"
        files+=("$file")
        expectations+=("$expected: $edit")
    done < <(tenants_files)
    same "$(printf '%s\n' "${expectations[@]}")" \
        "$(paste -d : <(compare files "$dir/tenants.json" "${files[@]}") <(printf '%s\n' "${expectations[@]#*:}"))"
}
