# The Celery recipe of Tests/worker behind the real stack, with the newest Celery and with Debian's.
stacks=(newest debian)
load workers/stack.bash

has_what_apply_async_sets() {
    local ours theirs
    send PLAIN-1
    ours=$(redis RPOP "$queue")
    # shellcheck disable=SC2046 # words, none of which has a space
    env $(as celery-worker) "$newest_python" "$BATS_TEST_DIRNAME/workers/own_message.py" <<<"$ours"
    theirs=$(redis RPOP "$queue")
    diff <(jq -S "$common" <<<"$ours") <(jq -S "(.body |= @base64d) | del(.properties.body_encoding) | $common" <<<"$theirs")
    same PLAIN-1 "$(jq -r '.body | fromjson | .[0][0].ticket_id' <<<"$ours")"
}
# Values that may differ become their types, and what we add goes.
common='del(.headers["event", "delivery_id", "traceparent"]) | .body |= fromjson
    | (.headers["origin", "argsrepr"], .properties["reply_to", "delivery_tag"]) |= (. // "" | type)'

returns_its_result() {
    send PLAIN-2
    once PLAIN-2
    same 22 "$(reader='' celery result "$(job_id)" | tail -n 1)"
    same "({'job_id': '$(job_id)'},)" "$(runs PLAIN-2 .request.argsrepr | jq -r .)"
}

is_tried_again() {
    send FAIL-2
    eventually is_done "$(key)"
    same '0 1 2' "$(runs FAIL-2 .request.retries | paste -sd ' ')"
    # Neither the first message nor those that Celery sends for a retry show a ticket's text.
    same "({'job_id': '$(job_id)'},)" "$(runs FAIL-2 .request.argsrepr | jq -r . | sort -u)"
    same '"ticket_created"' "$(runs FAIL-2 .request.event | sort -u)"
    eventually nothing_is_left
}

has_event_and_delivery_id() {
    send NAMED-1 -H 'webhook-id: from-the-sender'
    eventually ran NAMED-1 1
    same '"ticket_created" "from-the-sender" "ticket_created" "from-the-sender"' "$(runs NAMED-1 \
        '.request.event, .request.delivery_id, .job.event, .job.delivery_id' | paste -sd ' ')"
}

survives_its_process() {
    send SLOW-1
    eventually ran SLOW-1 1
    kill -s KILL "$(runs SLOW-1 .pid)"
    finish SLOW-1
    eventually is_done "$(key)"
    same 2 "$(runs SLOW-1 | wc -l)"
    eventually nothing_is_left
}

# Two jobs run when the worker is killed, two are in the queue.
survives_its_worker() {
    local number keys=()
    for number in 2 3 4 5; do
        send "SLOW-$number"
        keys+=("$(key)")
    done
    eventually ran SLOW-2 1
    eventually ran SLOW-3 1
    kill_worker "$dir"/worker.*.pid
    for number in 2 3 4 5; do finish "SLOW-$number"; done
    sleep 4.1 # WORKER_VISIBILITY
    need_celery
    for number in 0 1 2 3; do eventually is_done "${keys[number]}"; done
    same '2 2 1 1' "$(for number in 2 3 4 5; do runs "SLOW-$number" | wc -l; done | paste -sd ' ')"
    eventually nothing_is_left
}

die_with_their_reason() {
    send POISON-1
    send KILL-1
    eventually is_dead POISON-1
    wait_for 40 is_dead KILL-1
    same '["ValueError: no use",3]' "$(dead POISON-1 | jq -c '[.reason, .attempts]')"
    same '["its worker died each time",3]' "$(dead KILL-1 | jq -c '[.reason, .attempts]')"
    same 3 "$(runs POISON-1 | wc -l)"
    same 3 "$(runs KILL-1 | wc -l)"
    dead KILL-1 | jq -e '.job.job_id == "'"$(job_id)"'" and (.worker | length > 0)
        and (.failed_at | test("^[0-9-]{10}T[0-9:.]+Z$"))'
    eventually nothing_is_left
}

runs_once() {
    send SLOW-6
    eventually ran SLOW-6 1
    send SLOW-6
    eventually grep -q 'retry: Retry in 3' "$dir"/worker.*.log
    finish SLOW-6
    once SLOW-6
    eventually nothing_is_left
    same 1 "$(runs SLOW-6 | wc -l)"
}

of_another_name_is_dead() {
    local message
    message=$(jq -nc --arg body '[[{"job_id": "1", "ticket_id": "OTHER-1"}], {}, {}]' '{body: $body,
        "content-encoding": "utf-8", "content-type": "application/json", headers: {id: "1", task: "tasks.other"},
        properties: {delivery_tag: "1", delivery_mode: 2, delivery_info: {exchange: "", routing_key: "q"}}}')
    redis LPUSH "$queue" "$message"
    eventually is_dead OTHER-1
    same 'not a task of this worker: tasks.other' "$(dead OTHER-1 | jq -r .reason)"
}

# Its time is up in the pause after Redis could not be reached.
survives_its_time_limit() {
    local message id
    message=$(ticket '.ticket_id = "LATE-1"' | ctl job --members delivery_id | jq -c '.headers.timelimit = [null, 3]')
    redis LPUSH "$queue" "$message"
    id=$(jq -r .headers.id <<<"$message")
    eventually is_done "$(jq -r '.body | fromjson | .[0][0] | "\(.tenant_id):\(.delivery_id)"' <<<"$message")"
    grep -qF "Soft time limit (3s) exceeded for $task[$id]" "$dir"/worker.*.log
    grep -qF "$id goes back into the queue" "$dir"/worker.*.log
    same 2 "$(runs LATE-1 | wc -l)"
    eventually nothing_is_left
}
task=tasks.enhance_ticket

is_ended_only_if_stuck() { celery_python "$BATS_TEST_DIRNAME/workers/watched.py" 2>&1; }

are_dead_if_they_are_no_jobs() {
    local message edit
    message=$(ticket | ctl job --members delivery_id)
    for edit in '.body = "7"' '.body = "[[], {}, {}]"' '.body = "[" * 200000' \
        '.body |= sub("\"high\""; "[" * 700 + "]" * 700)' '.body |= sub("sha256:"; "\\ud800")'; do
        jq -jc "$edit" <<<"$message" | redis -x LPUSH "$queue"
    done
    eventually are_no_jobs 'DecodeError TypeError TypeError UnicodeEncodeError ValueError'
    eventually nothing_is_left
}

# There is a worker in between that goes to Redis over TLS.
needs_the_right_certificate() {
    tls_on
    same 3 "$(connections localhost stranger | grep -c 'CERTIFICATE_VERIFY_FAILED.*self-signed certificate')"
    same 3 "$(connections 127.0.0.1 ca | grep -c "CERTIFICATE_VERIFY_FAILED.*not valid for '127.0.0.1'")"
    kill_workers
    over_tls celery-worker localhost ca need_celery
    send TLS-1
    once TLS-1
    same 22 "$(over_tls default localhost ca celery result "$(job_id)" | tail -n 1)"
    kill_workers
}
connections() { over_tls celery-worker "$@" celery_python "$BATS_TEST_DIRNAME/workers/celery_connections.py"; }

is_lost_if_plain() {
    redis LPUSH "$queue" '{"job_id":"1","ticket_id":"LOST-1"}'
    eventually grep -qF "KeyError('properties')" "$dir"/worker.*.log
    eventually nothing_is_left
    same '' "$(dead LOST-1)$(runs LOST-1)"
}

@test "a Celery message has the headers and properties that apply_async of the newest release sets" {
    use newest
    has_what_apply_async_sets
}
@test "Celery: a job becomes a task, its result comes back, and its argsrepr is its job_id" {
    with_each_celery returns_its_result
}
@test "Celery: a job that fails twice is tried again, and keeps its headers" { with_each_celery is_tried_again; }
@test "Celery: a thousand mixed jobs arrive, byte for byte, each once" { with_each_celery arrive_byte_for_byte; }
@test "Celery: event and delivery id are headers, and members of the job" { with_each_celery has_event_and_delivery_id; }
@test "Celery: the span of a run is a child of the webhook's, and that of the sender's" {
    local trace=4bf92f3577b34da6a3ce929d0e0e4736
    use newest
    need_celery
    send TRACE-1
    eventually has_span "$(job_id)"
    same "$(ids_in_log)" "$(span_of "$(job_id)")"
    send TRACE-2 -H "traceparent: 00-$trace-00f067aa0ba902b7-01"
    eventually has_span "$(job_id)"
    same "$(ids_in_log)" "$(span_of "$(job_id)")"
    like "$trace [0-9a-f]{16}" "$(ids_in_log)"
}
@test "Celery: a job whose process is killed is run again" { with_each_celery survives_its_process; }
@test "Celery: deliveries that come twice, the second during the run of the first, run once" { with_each_celery runs_once; }
@test "Celery: a job that always fails, and one that kills its process, are dead after three runs" {
    with_each_celery die_with_their_reason
}
@test "Celery: a dead job that is replayed runs again" { with_each_celery runs_when_replayed; }
@test "Celery: no job is lost with a worker that is killed" { with_each_celery survives_its_worker; }
@test "Celery: a job for an unknown task becomes a dead job" { with_each_celery of_another_name_is_dead; }
@test "Celery: no job is lost if its time is up just after Redis could not be reached" {
    with_each_celery survives_its_time_limit
}
@test "Celery: a worker that takes no jobs ends itself, and one that has just ended a long run does not" {
    with_each_celery is_ended_only_if_stuck
}
@test "Celery: a message that is no job becomes a dead job" { with_each_celery are_dead_if_they_are_no_jobs; }
@test "Celery: over TLS, Redis must have a certificate for its name by a trusted CA" {
    with_each_celery needs_the_right_certificate
}
@test "Celery: a plain job is lost" { with_each_celery is_lost_if_plain; }
@test "Celery: the rights in the README are enough" { with_each_celery was_denied_nothing; }
