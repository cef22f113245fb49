# The recipes of Tests/worker for the plain format behind the real stack.
stacks=(plain)
load workers/stack.bash

# The pid in a run tells which of the two workers has the job.
is_taken_back() {
    local name
    send SLOW-1
    eventually ran SLOW-1 1
    for name in one two; do
        [[ $(<"$dir/worker.$name.pid") == "$(runs SLOW-1 .pid)" ]] || continue
        kill_worker "$dir/worker.$name.pid"
        start_plain "$name" redis_worker
    done
    finish SLOW-1
    eventually is_done "$(key)"
    same 2 "$(runs SLOW-1 | wc -l)"
    cat "$dir"/worker.*.log
    grep -q ': took back 1 from ' "$dir"/worker.*.log
    nothing_is_left
}

# After days without any worker.
is_taken_back_after_days() {
    local job
    job=$(ticket '.ticket_id = "LONG-1"' | ctl job --format plain)
    redis LPUSH "$queue:worker:gone:1:2" "$job"
    redis ZADD "$queue:workers" "$(date -d '3 days ago' +%s)" gone:1:2
    eventually is_done "$(key_in "$job")"
    nothing_is_left
    is_forgotten gone:1:2
}
key_in() { jq -r '"\(.tenant_id):\(.delivery_id)"' <<<"$1"; }

# A command of a dead worker can reach Redis late. `gone` and `older` are dead; only `gone` was seen less than a day ago.
is_taken_back_late() {
    local job
    job=$(ticket '.ticket_id = "LATE-1"' | ctl job --format plain)
    redis SET "$queue:known:gone:1:2" 1 EX 100
    redis ZADD "$queue:workers" 1 gone:1:2 2 older:1:2
    eventually is_forgotten older:1:2
    redis LPUSH "$queue:worker:gone:1:2" "$job"
    eventually is_done "$(key_in "$job")"
    redis DEL "$queue:known:gone:1:2"
    eventually is_forgotten gone:1:2
    nothing_is_left
}
is_forgotten() { [[ ! $(redis ZSCORE "$queue:workers" "$1") ]]; }

# The clock of one worker is 25 hours ahead: it puts a job off, and is killed. That of another is as much behind: it runs that
# job, and is killed in the next one.
is_run_on_time() {
    local key
    use plain
    WORKER_CLOCK=90000 WORKER_BACKOFF=6 start_plain ahead redis_worker
    send FAIL-1
    key=$(key)
    eventually waits_for_later
    kill_worker "$dir/worker.ahead.pid"
    WORKER_CLOCK=-90000 start_plain behind redis_worker
    eventually is_done "$key"
    send SLOW-5
    eventually ran SLOW-5 1
    start_plain right redis_worker
    sleep 2 # in which it looks at the names of the others
    kill_worker "$dir/worker.behind.pid"
    finish SLOW-5
    eventually is_done "$(key)"
    stop "$(<"$dir/worker.right.pid")"
    rm "$dir/worker.right.pid"
    nothing_is_left
}

# One worker is stopped in a run, the other takes its job back, and then the first one's run ends, and fails.
is_in_one_list() {
    local first
    send STUCK-1
    eventually ran STUCK-1 1
    first=$(runs STUCK-1 .pid)
    kill -s STOP "$first"
    eventually ran STUCK-1 2
    finish STUCK-1
    eventually is_done "$(key)"
    kill -s CONT "$first"
    eventually grep -q 'another worker has taken a job back' "$dir"/worker.*.log
    nothing_is_left
    same 2 "$(runs STUCK-1 | wc -l)"
}

ends_after_its_job() {
    local key
    send SLOW-2
    key=$(key)
    eventually ran SLOW-2 1
    kill -s TERM "$(runs SLOW-2 .pid)"
    send AFTER-2 # the other takes this one
    eventually ran AFTER-2 1
    alive "$(runs SLOW-2 .pid)"
    finish SLOW-2
    eventually gone "$(runs SLOW-2 .pid)"
    is_done "$key"
    same 1 "$(runs SLOW-2 | wc -l)"
    nothing_is_left
}

# KILL-2 kills three workers; the third one's job is for a fourth to bury.
are_dead_with_their_reason() {
    local number
    send POISON-2
    redis LPUSH "$queue" 'not "JSON"'
    printf '[%.0s' {1..200000} | redis -x LPUSH "$queue"
    redis LPUSH "$queue" '{"job_id":"\ud800"}'
    printf '{"description":"secret \xff"}' | redis -x LPUSH "$queue"
    eventually is_dead POISON-2
    same '["ValueError: no use",3]' "$(dead POISON-2 | jq -c '[.reason, .attempts]')"
    same 3 "$(runs POISON-2 | wc -l)"
    redis LRANGE enhancement:dead 0 -1 | jq -e 'select(.job == "not \"JSON\"" and .attempts == 0).reason | test("not a job")'
    eventually are_no_jobs 'JSONDecodeError RecursionError UnicodeDecodeError UnicodeEncodeError'
    run ! grep secret "$dir"/worker.*.log
    send KILL-2
    for number in 1 2 3; do
        eventually ran KILL-2 $number
        python=/usr/bin/python3 start_plain "more-$number" redis_worker
    done
    eventually is_dead KILL-2
    same '["its worker died each time",3]' "$(dead KILL-2 | jq -c '[.reason, .attempts]')"
    for number in 1 2 3; do stop "$(<"$dir/worker.more-$number.pid")"; done
    nothing_is_left
}

is_run_once() {
    send SLOW-3
    eventually ran SLOW-3 1
    send SLOW-3
    eventually waits_for_later
    finish SLOW-3
    once SLOW-3
    eventually nothing_is_left
    same 1 "$(runs SLOW-3 | wc -l)"
}
waits_for_later() { (($(redis ZCARD "$queue:later") == 1)); }

# needs_the_right_certificate RECIPE NUMBER
needs_the_right_certificate() {
    local name=tls-$2 user=${1/_/-}
    redis LPUSH "$queue" "$(ticket ".ticket_id = \"TLS-$2\"" | ctl job --format plain)"
    over_tls "$user" localhost stranger start_plain "$name-stranger" "$1"
    eventually grep -q 'CERTIFICATE_VERIFY_FAILED.*self-signed certificate' "$dir/worker.$name-stranger.log"
    kill_worker "$dir/worker.$name-stranger.pid"
    over_tls "$user" 127.0.0.1 ca start_plain "$name-address" "$1"
    eventually grep -q "CERTIFICATE_VERIFY_FAILED.*not valid for '127.0.0.1'" "$dir/worker.$name-address.log"
    kill_worker "$dir/worker.$name-address.pid"
    over_tls "$user" localhost ca start_plain "$name" "$1"
    eventually ran "TLS-$2" 1
    stop "$(<"$dir/worker.$name.pid")"
    rm "$dir/worker.$name.pid"
}

dies_with_its_worker() {
    use plain
    start_plain three brpop_worker
    send FINE-1
    eventually ran FINE-1 1
    send SLOW-4
    eventually ran SLOW-4 1
    kill_worker "$dir/worker.three.pid"
    nothing_is_left
    ! is_done "$(key)"
}

@test "redis-py: a job is run, and what a killed worker held is taken back" { as_pair is_taken_back; }
@test "redis-py: what a worker held is taken back even days after it died" { as_pair is_taken_back_after_days; }
@test "redis-py: what comes into the list of a dead worker is taken back, too" { as_pair is_taken_back_late; }
@test "redis-py: wrong clocks neither delay jobs nor keep them from being taken back" { is_run_on_time; }
@test "redis-py: a job that was taken back stays with the other worker when its first run fails" { as_pair is_in_one_list; }
@test "redis-py: a worker that gets TERM finishes its job" { as_pair ends_after_its_job; }
@test "redis-py: a job that always fails, kills its worker or is not one becomes a dead job, with its reason" {
    as_pair are_dead_with_their_reason
}
@test "redis-py: a dead job that is replayed runs again" { as_pair runs_when_replayed; }
@test "redis-py: deliveries that come twice, the second during the run of the first, run once" { as_pair is_run_once; }
@test "redis-py: a thousand mixed jobs arrive, byte for byte, each once" { as_pair arrive_byte_for_byte; }
@test "OpenTelemetry finds the webhook's span in a plain job" {
    use plain
    send TRACE-3
    same "$(ids_in_log)" "$(redis RPOP "$queue" | "$newest_python" -c '
import json, sys
from opentelemetry import propagate, trace
span = trace.get_current_span(propagate.extract(json.load(sys.stdin))).get_span_context()
print(f"{span.trace_id:032x} {span.span_id:016x}")')"
}
@test "BRPOP: a job dies with its worker" { dies_with_its_worker; }
@test "redis-py, BRPOP: over TLS, Redis must have a certificate for its name by a trusted CA" {
    use plain
    tls_on
    needs_the_right_certificate redis_worker 1
    needs_the_right_certificate brpop_worker 2
    python=/usr/bin/python3 needs_the_right_certificate redis_worker 3
    python=/usr/bin/python3 needs_the_right_certificate brpop_worker 4
}
@test "plain workers: the rights in the README are enough" {
    use plain
    was_denied_nothing
}
