# The schemas of `servicedeskctl schema` say of tickets and jobs what the running responder does.
load stack.bash

setup_file() {
    stack_up
    SERVICEDESK_UNKNOWN_FIELDS=ignore SERVICEDESK_JOB_MEMBERS=event,delivery_id,traceparent \
        start_responder "$dir/lenient.log" "$dir/lenient.sock" --processes 1
    nginx_start lenient "$dir/lenient.sock"
    for subject in job ticket; do ctl schema $subject >"$dir/$subject.json"; done
    ctl schema ticket --ignore-unknown-fields >"$dir/lenient.json"
}

teardown_file() {
    stop "$(<"$dir/lenient.sock.pid")"
    stack_down
}

ctl() { "${program%/*}/servicedeskctl" "$@"; }
compare() { "$root/.build/test-python/bin/python" "$BATS_TEST_DIRNAME/schema.py" "$@"; }

@test "the schemas are valid JSON Schema, their examples fit them, and they are printed as a pretty-printer would" {
    compare schemas "$dir"/{job,ticket,lenient}.json
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
