# What workers get: Celery messages, members that a setting adds, and the sender's trace.
load stack.bash

parent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01

setup_file() {
    redis_start
    serve plain
    SERVICEDESK_JOB_MEMBERS=event,delivery_id,traceparent serve members
    SERVICEDESK_JOB_FORMAT=celery serve celery
    SERVICEDESK_JOB_FORMAT=celery SERVICEDESK_JOB_MEMBERS=event,delivery_id,traceparent \
        SERVICEDESK_CELERY_TASK=app.enhance serve celery-members
}

teardown_file() {
    local file
    for file in "$dir"/*/nginx.pid "$dir"/*.sock.pid "$dir/redis.pid"; do
        [[ ! -s $file ]] || stop "$(<"$file")"
    done
}

setup() { redis DEL "$queue" enhancement:dead >/dev/null; }

# serve NAME: starts one more responder with the present settings, and an nginx in front of it.
serve() {
    SERVICEDESK_LOG_FILE=$dir/$1.json start_responder "$dir/$1.log" "$dir/$1.sock" --processes 1
    nginx_start "$1" "$dir/$1.sock"
}

# use NAME: sends the following requests there.
use() {
    nginx_use "$1"
    SERVICEDESK_LOG_FILE=$dir/$1.json
}

ctl() { "${program%/*}/servicedeskctl" "$@"; }

# argument: prints the only argument of the task that the newest message calls.
argument() { newest | jq -c '.body | fromjson | .[0][0]'; }

@test "a Celery message calls the task with the job as its only argument" {
    use celery
    post "$(ticket '.description = "é😀 \"so\" \\ it is\nburning\u0001"')"
    accepted
    id=$(job_id)
    same "$(jq -nc --arg id "$id" '[{job_id: $id, ticket_id: "TKT-1", tenant_id: "acme",
        description: "é😀 \"so\" \\ it is\nburning\u0001", priority: "high", timestamp: "2026-01-31T09:30:00+01:00"}]')" \
        "$(argument | jq -c '[del(.created_at, .correlation_id)]')"
    same '[[0],{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]' \
        "$(newest | jq -c '.body | fromjson | .[0] = [0]')"
    same "$(jq -nc --arg id "$id" '["tasks.enhance_ticket", $id, $id, $id, $id, "({'\''job_id'\'': '\''\($id)'\''},)"]')" \
        "$(newest | jq -c '[.headers.task, .headers.id, .headers.root_id, .properties.correlation_id,
            .properties.delivery_tag, .headers.argsrepr]')"
    same '{"exchange":"","routing_key":"enhancement:queue"}' "$(newest | jq -c .properties.delivery_info)"
    # Only the members of the contract.
    same 8 "$(argument | jq length)"
}

@test "a description of 10,000 characters that JSON escapes reaches the task unchanged" {
    use celery
    for character in a '\"' '\\' 漢 😀 '\u0001'; do
        post "$(long_ticket "$character")"
        accepted
        same "$(long_ticket "$character" | jq -r .description | sha256sum)" "$(argument | jq -r .description | sha256sum)"
    done
}

@test "a named delivery is queued once as a Celery message, and its repeat gets the first job's id" {
    use celery
    post "$(ticket)" -H 'webhook-id: celery-1'
    accepted
    first=$(job_id)
    post "$(ticket)" -H 'webhook-id: celery-1'
    accepted
    same "$first" "$(job_id)"
    same 1 "$(depth)"
    same "$first" "$(newest | jq -r .headers.id)"
    post "$(ticket '.priority = "low"')" -H 'webhook-id: celery-1'
    same 422 "$code"
}

@test "event, delivery id and trace context are members of a plain job if a setting says so" {
    use members
    post "$(ticket '.event = "ticket_updated \"ü\""')" -H 'webhook-id: a"b\c' -H "traceparent: $parent" \
        -H 'tracestate: congo=t61rcWkgMzE'
    accepted
    same '["event","delivery_id","traceparent","tracestate"]' "$(newest | jq -c 'keys_unsorted[8:]')"
    same '["ticket_updated \"ü\"","a\"b\\c","congo=t61rcWkgMzE"]' "$(newest | jq -c '[.event, .delivery_id, .tracestate]')"
    post "$(ticket)"
    accepted
    same "sha256:$(ticket | tr -d '\n' | sha256sum | cut -d' ' -f1)" "$(newest | jq -r .delivery_id)"
    same null "$(newest | jq .tracestate)"
}

@test "with Celery they are headers too, and trace context is a header only" {
    use celery-members
    post "$(ticket)" -H 'webhook-id: c"d\e' -H "traceparent: $parent" -H 'tracestate: congo="x"'
    accepted
    same '["app.enhance","ticket_created","c\"d\\e","congo=\"x\""]' \
        "$(newest | jq -c '.headers | [.task, .event, .delivery_id, .tracestate]')"
    same '["event","delivery_id"]' "$(argument | jq -c 'keys_unsorted[8:]')"
    same "00-0af7651916cd43dd8448eb211c80319c-$(logged span_id)-01" "$(newest | jq -r .headers.traceparent)"
}

@test "the sender's trace goes on in the job and in the log" {
    use members
    post "$(ticket)" -H "traceparent: $parent" -H 'tracestate: congo=t61rcWkgMzE'
    same 0af7651916cd43dd8448eb211c80319c "$(logged trace_id)"
    same b7ad6b7169203331 "$(logged parent_span_id)"
    like '[0-9a-f]{16}' "$(logged span_id)"
    same "00-0af7651916cd43dd8448eb211c80319c-$(logged span_id)-01" "$(newest | jq -r .traceparent)"
    post "$(ticket)" -H "traceparent: ${parent%1}0"
    same "00-0af7651916cd43dd8448eb211c80319c-$(logged span_id)-00" "$(newest | jq -r .traceparent)"
}

@test "without a valid traceparent a trace begins, and the tracestate is ignored" {
    use members
    for value in '' 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331 "${parent^^}" "$parent-more" \
        00-00000000000000000000000000000000-b7ad6b7169203331-01 "$parent,$parent" x; do
        post "$(ticket)" -H "traceparent: $value" -H 'tracestate: congo=t61rcWkgMzE'
        accepted
        [[ $(logged trace_id) != 0af7651916cd43dd8448eb211c80319c ]]
        same "$(header X-Request-ID)" "$(logged trace_id)"
        same null "$(logged parent_span_id)"
        same "00-$(logged trace_id)-$(logged span_id)-01" "$(newest | jq -r .traceparent)"
        same null "$(newest | jq .tracestate)"
    done
    # An invalid tracestate alone is dropped alone.
    post "$(ticket)" -H "traceparent: $parent" -H 'tracestate: CONGO'
    same 0af7651916cd43dd8448eb211c80319c "$(logged trace_id)"
    same null "$(newest | jq .tracestate)"
}

@test "a refusal has a trace in the log, too" {
    use plain
    signature=00 post "$(ticket)" -H "traceparent: $parent"
    same 401 "$code"
    same 0af7651916cd43dd8448eb211c80319c "$(logged trace_id)"
}

@test "servicedeskctl shows, takes and puts back Celery messages as they are" {
    use celery
    post "$(ticket)"
    newest >"$BATS_TEST_TMPDIR/before"
    ctl peek >"$BATS_TEST_TMPDIR/peeked"
    ctl pop >"$BATS_TEST_TMPDIR/popped"
    same 0 "$(depth)"
    tr -d '\n' <"$BATS_TEST_TMPDIR/popped" | ctl push
    newest >"$BATS_TEST_TMPDIR/after"
    cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/peeked"
    cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/popped"
    cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "servicedeskctl job prints what is queued for the same ticket, in either format" {
    for name in plain members celery celery-members; do
        use "$name"
        local -x SERVICEDESK_JOB_FORMAT=plain SERVICEDESK_JOB_MEMBERS= SERVICEDESK_CELERY_TASK=
        [[ $name != *members ]] || SERVICEDESK_JOB_MEMBERS=event,delivery_id,traceparent
        [[ $name != celery* ]] || SERVICEDESK_JOB_FORMAT=celery
        [[ $name != celery-members ]] || SERVICEDESK_CELERY_TASK=app.enhance
        body=$(ticket '.description = "é\u0001 \"x\""')
        post "$body" -H 'webhook-id: m1' -H "traceparent: $parent"
        accepted
        same "$(newest | anonymous)" "$(ctl job --delivery-id m1 --traceparent $parent <<<"$body" | anonymous)"
        redis DEL "{$queue}:seen:acme:m1" >/dev/null
    done
}
# anonymous: hides what is new in each job.
anonymous() { sed -E "s/$uuid4/ID/g; s/(created_at[\\\\\":]+)[^\"\\\\]+/\\1TIME/; s/(80319c-)[0-9a-f]{16}/\\1SPAN/g"; }

@test "servicedeskctl job prints a faulty ticket's errors, and options override the environment" {
    run -1 ctl job <<<'{}'
    [[ ${lines[0]} == 'event: is required' ]]
    SERVICEDESK_JOB_FORMAT=celery run -0 --separate-stderr ctl job --format plain --members event <<<"$(ticket)"
    same ticket_created "$(jq -r .event <<<"$output")"
    run -64 ctl job --format avro <<<"$(ticket)"
    run -64 ctl job --members job_id <<<"$(ticket)"
    run -64 ctl job --format celery --task 'a b' <<<"$(ticket)"
}

# warned NAME: whether a start there warns, once it has connected to Redis.
warned() { eventually grep -q 'holds .* jobs, and SERVICEDESK_JOB_FORMAT is' "$dir/$1.json"; }

@test "a start warns of jobs in the other format at either end of the queue, and says what to do" {
    use plain
    post "$(ticket)"
    plain=$(newest)
    use celery
    post "$(ticket)"
    celery=$(newest)
    number=0
    # The format of the new responder, and the jobs from the oldest to the newest: P is plain, C is Celery's.
    for case in 'celery PCC plain' 'celery CCP plain' 'plain CPP celery' 'plain PPC celery'; do
        read -r format jobs other <<<"$case"
        redis DEL "$queue" >/dev/null
        for job in $(grep -o . <<<"$jobs"); do
            if [[ $job == P ]]; then redis LPUSH "$queue" "$plain"; else redis LPUSH "$queue" "$celery"; fi >/dev/null
        done
        name=start$((++number))
        SERVICEDESK_JOB_FORMAT=$format SERVICEDESK_LOG_FILE=$dir/$name.json \
            start_responder "$dir/$name.log" "$dir/$name.sock" --processes 1
        warned "$name"
        grep -q "\"level\":\"warning\".*$queue holds $other jobs.*set a new SERVICEDESK_QUEUE_KEY" "$dir/$name.json"
    done
}

@test "a start does not warn of jobs in its own format, of other messages, or of an empty queue" {
    use celery
    post "$(ticket)"
    redis LPUSH "$queue" 'something else' >/dev/null
    number=10
    for jobs in own none; do
        [[ $jobs == own ]] || redis DEL "$queue" >/dev/null
        name=start$((++number))
        SERVICEDESK_JOB_FORMAT=celery SERVICEDESK_LOG_FILE=$dir/$name.json \
            start_responder "$dir/$name.log" "$dir/$name.sock" --processes 1
        eventually grep -q 'connected to Redis' "$dir/$name.json"
        sleep 0.3
        run -1 grep -E 'holds|not checked' "$dir/$name.json"
    done
}

@test "a start does not read an entry that is too long for a job into memory" {
    head -c 100000000 /dev/zero | redis -x LPUSH "$queue" >/dev/null
    SERVICEDESK_LOG_FILE=$dir/long.json start_responder "$dir/long.log" "$dir/long.sock" --processes 1
    eventually grep -q "$queue was not checked: .*more than 1048576 bytes" "$dir/long.json"
    peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$(pgrep -P "$(<"$dir/long.sock.pid")")/status")
    echo "$peak KiB"
    ((peak < 60000))
}

@test "a start without the right to LINDEX says that it has not checked the format, and serves" {
    redis ACL SETUSER limited on '>pw' '~*' +lpush +ping +client >/dev/null
    SERVICEDESK_REDIS_URL=unix://limited:pw@$dir/redis.sock SERVICEDESK_LOG_FILE=$dir/limited.json \
        start_responder "$dir/limited.log" "$dir/limited.sock" --processes 1
    eventually grep -q 'was not checked: Redis answered NOPERM to LINDEX' "$dir/limited.json"
    nginx_start limited "$dir/limited.sock"
    use limited
    post "$(ticket)"
    accepted
}
