# Stacks, each of a Redis, a responder and an nginx: `newest` and `debian` for these two releases of Celery, `plain` for the
# plain format; a test file names those that it needs in `stacks`. Then the helpers of the tests. A stack's workers run the
# recipes of Tests/worker with the work of work.py, and as Redis users with the rights that the README there names.

load ../curl/stack.bash
load workers/tls.bash

recipes=$root/Tests/worker
newest_python=$root/.build/celery-python/bin/python

setup_file() {
    local name
    for name in "${stacks[@]}"; do
        use "$name"
        mkdir -p "$WORK"
        touch "$WORK/runs"
        redis_start
        start_responder "$dir/responder.log" "$dir/responder.sock" --processes 1
        wait_up "$pid" responder_answers "$dir/responder.sock" ready
        nginx_start main "$dir/responder.sock"
        for name in celery-worker redis-worker brpop-worker; do grant "$name"; done
    done
}

teardown_file() {
    local name
    for name in "${stacks[@]}"; do
        use "$name"
        kill_workers
        stack_down
    done
}

setup() { :; } # the workers go on from test to test; each test has tickets of its own

# use NAME: turns to that stack.
use() {
    dir=$BATS_FILE_TMPDIR/$1
    export SERVICEDESK_REDIS_URL="unix://$dir/redis.sock?db=1" SERVICEDESK_LOG_FILE=$dir/responder.json
    export SERVICEDESK_JOB_MEMBERS=event,delivery_id,traceparent WORK=$dir/work
    unset SERVICEDESK_JOB_FORMAT
    [[ $1 == plain ]] || export SERVICEDESK_JOB_FORMAT=celery
    [[ ! -s $dir/main/port ]] || nginx_use main
}
redis() { redis-cli -s "$dir/redis.sock" -n 1 --raw "$@"; }
ctl() { "${program%/*}/servicedeskctl" "$@"; }

# with_each_celery COMMAND...: runs it beside a worker of each at the same time, and prints which of them failed.
with_each_celery() {
    local name failed=0
    for name in newest debian; do
        (
            BATS_TEST_TMPDIR+=/$name
            mkdir -p "$BATS_TEST_TMPDIR"
            use "$name"
            set -e
            need_celery
            "$@"
        ) >"$BATS_TEST_TMPDIR/$name.said" 2>&1 3>&- &
        echo $! >"$BATS_TEST_TMPDIR/$name.pid"
    done
    for name in newest debian; do
        wait "$(<"$BATS_TEST_TMPDIR/$name.pid")" && continue
        failed=1
        sed "s/^/$name: /" "$BATS_TEST_TMPDIR/$name.said"
        tail -n 5 "$BATS_FILE_TMPDIR/$name"/worker.*.log
    done
    ((!failed))
}

# --- workers ---------------------------------------------------------------------------------------------------------

# grant USER: creates the Redis user as the README says.
grant() {
    local rules
    while read -ra rules; do
        [[ ${#rules[@]} == 0 ]] || redis ACL SETUSER "${rules[@]/PASSWORD/secret}" >/dev/null
    done < <(sed -n ':join; /\\$/ { N; s/\\\n *//; b join; }; '"s/^ *ACL SETUSER \($1 \)/\1/p" "$recipes/README.md")
}

# as USER: prints the variables of a worker of this stack, which goes to $worker_url if that is set.
as() {
    printf '%s\n' "SERVICEDESK_REDIS_URL=${worker_url:-unix://$1:secret@$dir/redis.sock?db=1}" \
        WORKER_ATTEMPTS=3 "WORKER_BACKOFF=${WORKER_BACKOFF-0.2}" WORKER_LEASE=3 WORKER_VISIBILITY=4 OTEL_BSP_SCHEDULE_DELAY=200 \
        "PYTHONPATH=$recipes:$BATS_TEST_DIRNAME/workers" PYTHONDONTWRITEBYTECODE=1
}

# celery COMMAND...: runs it with the Celery of this stack, and with results; if $reader is empty, with all rights.
celery() {
    local app=celery_probe
    [[ $dir != */newest ]] || app=celery_traced
    celery_python -m celery -A "$app" "$@"
}

# celery_python ARGUMENT...: runs the Python that has the Celery of this stack, as a worker of it.
celery_python() {
    local python=/usr/bin/python3
    [[ $dir != */newest ]] || python=$newest_python
    local results=${worker_url:-redis+socket://${reader-celery-worker:secret@}$dir/redis.sock?virtual_host=1}
    # shellcheck disable=SC2046 # words, none of which has a space
    env $(as celery-worker) CELERY_RESULT_BACKEND="$results" "$python" "$@"
}

# need_celery: starts a worker, unless there is one already, and waits until it takes jobs.
need_celery() {
    local file number=0
    for file in "$dir"/worker.*.pid; do
        [[ ! -s $file ]] || gone "$(<"$file")" || return 0
    done
    while [[ -e $dir/worker.$number.log ]]; do ((number += 1)); done
    export -f celery celery_python as
    export recipes newest_python dir BATS_TEST_DIRNAME
    background "$dir/worker.$number.log" bash -c 'celery "$@"' - worker --concurrency 2 --hostname "$number@test" \
        --loglevel info --without-gossip --without-mingle --without-heartbeat
    echo "$pid" >"$dir/worker.$number.pid"
    eventually grep -q ' ready\.$' "$dir/worker.$number.log"
}

# start_plain NAME RECIPE: starts a worker of that recipe for the plain format.
start_plain() {
    # shellcheck disable=SC2046 # words, none of which has a space
    background "$dir/worker.$1.log" env $(as "${2/_/-}") \
        "${python-$newest_python}" "$BATS_TEST_DIRNAME/workers/redis_probe.py" "$2"
    echo "$pid" >"$dir/worker.$1.pid"
}

# as_pair COMMAND...: runs it between two of redis_worker.py, one with the newest redis-py and one with Debian's.
as_pair() {
    use plain
    kill_workers # of a test that failed
    start_plain one redis_worker
    python=/usr/bin/python3 start_plain two redis_worker
    "$@"
    stop "$(<"$dir/worker.one.pid")"
    stop "$(<"$dir/worker.two.pid")"
    rm "$dir"/worker.{one,two}.pid
}

# kill_worker FILE: kills it and its children, as a machine that dies would. kill_workers: all of this stack.
kill_worker() {
    kill -s KILL -- "-$(<"$1")" 2>/dev/null || true
    rm "$1"
}
kill_workers() {
    local file
    for file in "$dir"/worker.*.pid; do [[ ! -s $file ]] || kill_worker "$file"; done
}

# --- jobs ------------------------------------------------------------------------------------------------------------

# send TICKET_ID [CURL OPTION...]: posts a ticket with that id.
send() {
    post "$(ticket ".ticket_id = \"$1\"")" "${@:2}"
    same 202 "$code"
}

# runs TICKET_ID [JQ]: prints the runs of its job, or that of each.
runs() { jq -c --arg id "$1" "select(.job.ticket_id == \$id) | ${2-.}" "$WORK/runs"; }
ran() { (($(runs "$1" | wc -l) >= $2)); }
finish() { touch "$WORK/$1"; }

# key: prints the key to deduplicate by of the ticket posted last.
key() { echo "acme:sha256:$(sha256sum <"$BATS_TEST_TMPDIR/body" | cut -d ' ' -f 1)"; }
is_done() { [[ $(redis EXISTS "$queue:done:$1") == 1 ]]; }

# once TICKET_ID: waits until the job posted last is done, and checks that it ran once.
once() {
    eventually is_done "$(key)"
    same 1 "$(runs "$1" | wc -l)"
}

# dead TICKET_ID: prints what is in the list of the dead of that job. is_dead: whether there is something.
dead() { redis LRANGE enhancement:dead 0 -1 | jq -c --arg id "$1" 'select(.job.ticket_id? == $id)'; }
is_dead() { [[ $(dead "$1") ]]; }

# are_no_jobs ERRORS: whether these, sorted, are what was wrong with the messages that are dead because they are no jobs.
are_no_jobs() {
    same "$1" "$(redis LRANGE enhancement:dead 0 -1 | jq -r 'select((.job | type) == "string" and .attempts == 0).reason
        | capture("^not a job: (?<error>\\w+)").error' | sort | paste -sd ' ')"
}

# nothing_is_left: whether no job is anywhere, and nothing is recorded about one that is not done.
nothing_is_left() {
    [[ ! $(redis KEYS "$queue*" | grep -v ":done:\|:workers$\|:alive:\|:known:") ]]
}

# --- what every worker has to do -------------------------------------------------------------------------------------

arrive_byte_for_byte() {
    python3 "$mixed" post "$url" "$secret" "$BATS_TEST_TMPDIR/mixed"
    python3 "$mixed" check "$BATS_TEST_TMPDIR/mixed" "$WORK/runs"
    eventually nothing_is_left
}
mixed=$BATS_TEST_DIRNAME/workers/mixed.py

# ids_in_log: prints trace and span id of the last request, according to the log.
ids_in_log() {
    eventually grep -qF "$(job_id)" "$SERVICEDESK_LOG_FILE"
    grep -F "$(job_id)" "$SERVICEDESK_LOG_FILE" | jq -r '.trace_id + " " + .span_id'
}
span_of() { jq -r --arg id "$1" 'select(.attributes["messaging.message.id"] == $id)
    | (.context.trace_id + " " + .parent_id) | gsub("0x"; "")' "$WORK/spans"; }
has_span() { [[ $(span_of "$1") ]]; }

# It fails three times, is dead, and succeeds the fourth time.
runs_when_replayed() {
    local key
    send FAIL-3
    key=$(key)
    eventually is_dead FAIL-3
    # Without the responder's settings: a dead job knows its task.
    same "$(job_id)" "$(env -u SERVICEDESK_JOB_FORMAT "${program%/*}/servicedeskctl" dead replay "$(job_id)")"
    eventually is_done "$key"
    same "4 $(job_id)" "$(runs FAIL-3 .job.job_id | jq -rs '"\(length) \(unique | join(" "))"')"
    same '' "$(dead FAIL-3)"
    eventually nothing_is_left
}

was_denied_nothing() { same '' "$(redis ACL LOG)"; }
