# Dead jobs: what workers gave up on, and what an operator does about it.
load stack.bash

setup_file() { redis_start; }
setup() {
    cd "$BATS_TEST_TMPDIR"
    redis FLUSHALL >/dev/null
}

dead=enhancement:dead
ctl() { "${program%/*}/servicedeskctl" "$@"; }

# job TICKET: prints a new job.
job() { ticket ".ticket_id = \"$1\"" | ctl job --members event,delivery_id; }

# bury JOB [JQ]: puts it among the dead jobs, as a worker does.
bury() {
    jq -nc --argjson job "$1" '{job: $job, reason: "ValueError: no such model", attempts: 3,
        failed_at: "2026-11-26T10:00:00Z", worker: "worker-1"} | '"${2-.}" | tr -d '\n' | redis -x LPUSH $dead >/dev/null
}

@test "dead list prints a line for each job, oldest first" {
    first=$(job TKT-1) second=$(job TKT-2)
    bury "$first"
    bury "$second" '.reason = "tab\there, \u001b[31mred\u001b[0m"'
    redis LPUSH $dead 'no JSON' >/dev/null
    run -0 ctl dead list
    same 3 ${#lines[@]}
    same "$(jq -r .job_id <<<"$first")"$'\t2026-11-26T10:00:00Z\t3\tacme\tTKT-1\tValueError: no such model' "${lines[0]}"
    # Nothing that a terminal would obey.
    [[ ${lines[1]} == *$'\ttab here,  [31mred [0m' ]]
    same "sha256:$(printf 'no JSON' | sha256sum | cut -c1-16)" "${lines[2]%%$'\t'*}"
    redis DEL $dead >/dev/null
    bury "$second" '.reason = "\u009b31m red \u202e turned\u2028line"'
    bury "$second" '.reason = "é" * 100000'
    run -0 ctl dead list
    [[ ${lines[0]} == *$'\t 31m red   turned line' ]]
    [[ ${lines[1]} == *$'\t'$(printf 'é%.0s' {1..200})… ]]
    redis DEL $dead >/dev/null
    run -0 ctl dead list
    same '' "$output"
}

@test "dead show prints an entry byte for byte" {
    bury "$(job TKT-1)"
    bury "$(job TKT-2)"
    id=$(redis LINDEX $dead 0 | jq -r .job.job_id)
    same "$(redis LINDEX $dead 0)" "$(ctl dead show "$id")"
    same "$(redis LRANGE $dead 0 -1 | tac)" "$(ctl dead show --all)"
}

@test "dead replay queues a job again with its job_id, and takes it from the list" {
    job=$(job TKT-1)
    bury "$job"
    bury "$(job TKT-2)"
    id=$(jq -r .job_id <<<"$job")
    same "$id" "$(ctl dead replay "$id")"
    same "$job" "$(newest)"
    same 1 "$(depth)"
    same TKT-2 "$(redis LRANGE $dead 0 -1 | jq -r .job.ticket_id)"
}

@test "dead replay of a Celery task's job calls the same task again, with event and delivery id as headers" {
    job=$(job TKT-1)
    bury "$job" '.task = "app.enhance"'
    id=$(jq -r .job_id <<<"$job")
    ctl dead replay "$id" --key other:queue
    message=$(redis LINDEX other:queue 0)
    same "$job" "$(jq -c '.body | fromjson | .[0][0]' <<<"$message")"
    same "[\"app.enhance\",\"$id\",\"$id\",\"other:queue\",\"ticket_created\",$(jq .delivery_id <<<"$job")]" \
        "$(jq -c '[.headers.task, .headers.id, .properties.correlation_id, .properties.delivery_info.routing_key,
            .headers.event, .headers.delivery_id]' <<<"$message")"
    # A tag of its own: a worker may still hold the message that failed.
    tag=$(jq -r .properties.delivery_tag <<<"$message")
    like "$uuid4" "$tag"
    [[ $tag != "$id" ]]
    # As what the responder queues, but for the ids.
    same "$(ctl job --format celery <<<"$(ticket)" | jq -c '[paths | map(strings)]')" \
        "$(jq -c 'del(.headers.event, .headers.delivery_id) | [paths | map(strings)]' <<<"$message")"
}

@test "dead replay writes the format that an option or the environment names" {
    bury "$(job TKT-1)"
    ctl dead replay --all --format celery --task a.b
    same a.b "$(newest | jq -r .headers.task)"
    bury "$(job TKT-2)"
    SERVICEDESK_JOB_FORMAT=celery ctl dead replay --all
    same tasks.enhance_ticket "$(newest | jq -r .headers.task)"
    redis DEL "$queue" >/dev/null
    bury "$(job TKT-3)" '.task = "app.enhance"'
    ctl dead replay --all --format plain
    same TKT-3 "$(newest | jq -r .ticket_id)"
    # The trace of a plain job goes on in the headers of a message.
    parent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
    job=$(ticket | ctl job --members traceparent --traceparent $parent)
    redis DEL "$queue" >/dev/null
    bury "$(jq -c '.tracestate = "congo=" + "x" * 300' <<<"$job")"
    ctl dead replay --all --format celery
    same "$(jq .traceparent <<<"$job")" "$(newest | jq .headers.traceparent)"
    same 306 "$(newest | jq '.headers.tracestate | length')"
}

@test "dead replay queues a job once, however often it died" {
    job=$(job TKT-1)
    for _ in 1 2 3; do bury "$job"; done
    same "$(jq -r .job_id <<<"$job")" "$(ctl dead replay --all)"
    same 1 "$(depth)"
    same 0 "$(redis LLEN $dead)"
}

@test "dead replay takes all entries of a job from the list in one step" {
    job=$(job TKT-1)
    bury "$job"
    bury "$job" '.attempts = 4'
    bury "$job" '.attempts = 4'
    background monitor redis-cli -s "$dir/redis.sock" MONITOR
    eventually grep -q OK monitor
    ctl dead replay --all
    eventually grep -q '"LREM"' monitor
    stop "$pid"
    same 0 "$(redis LLEN $dead)"
    # One for each entry, and the one before the push that finds nothing; all in the script.
    same 4 "$(grep -c ' lua\] "LREM"' monitor)"
    same 4 "$(grep -c '"LREM"' monitor)"
    same 3 "$(grep -c '"LREM".*"1" "{' monitor)"
}

@test "a wrong setting is reported before dead replay queues anything" {
    bury "$(job TKT-1)" '.task = "app.enhance"'
    bury "$(job TKT-2)"
    SERVICEDESK_JOB_FORMAT=avro run -64 ctl dead replay --all
    [[ $output == *'SERVICEDESK_JOB_FORMAT is not plain or celery'* ]]
    SERVICEDESK_CELERY_TASK='a b' run -64 ctl dead replay --all
    [[ $output == *SERVICEDESK_CELERY_TASK* ]]
    # A job has the members that it was queued with.
    run -64 ctl dead replay --all --members event
    same 0 "$(depth)"
    same 2 "$(redis LLEN $dead)"
}

@test "a job that somebody else has taken from the list is neither dropped nor queued, and that is reported" {
    for command in drop replay; do
        redis DEL "$queue" >/dev/null
        many 3000
        # The ids of all fill the pipe, so that it waits until the list is empty.
        code=0
        ctl dead $command --all 2>complaints > >(sleep 1; redis DEL $dead >/dev/null; cat >ids) || code=$?
        same 1 $code
        eventually test -s ids
        told=$(wc -l <complaints)
        ((told > 100))
        grep -q 'has left the list in the meantime' complaints
        [[ $command == drop ]] || same 3000 $((told + $(depth)))
    done
}
# many COUNT: puts as many among the dead jobs.
many() {
    redis EVAL "for n = 1, $1 do redis.call('LPUSH', KEYS[1], string.format('{\"job\":{\"job_id\":\"00000000-0000-4000-8000-%012d\"}}', n)) end" \
        1 $dead >/dev/null
}

@test "dead replay queues a message that was unreadable as it was, and leaves what holds no job" {
    redis LPUSH $dead '{"job":"{\"cut","reason":"no JSON","attempts":1}' rubbish '{"job":5}' '{"job":""}' \
        '{"job":{"a":1},"job":null}' >/dev/null
    run -1 --separate-stderr ctl dead replay --all
    same '{"cut' "$(newest)"
    same 1 "$(depth)"
    same 4 "$(redis LLEN $dead)"
    [[ $stderr == *'holds no job that could be queued'* ]]
    # A job for Celery needs an id, and none that would break the message.
    redis LPUSH $dead '{"job":{"a":1}}' '{"job":{"job_id":"\"}"}}' >/dev/null
    run -1 ctl dead replay --all --format celery
    same 1 "$(depth)"
}

@test "dead replay queues a Celery message that a plain worker buried as it was, once, under its job's id" {
    message=$(ticket | ctl job --format celery)
    id=$(jq -r .headers.id <<<"$message")
    bury "$message"
    bury "$message" '.attempts = 4'
    same "$id" "$(ctl dead list | head -n 1 | cut -f 1)"
    run -0 env SERVICEDESK_JOB_FORMAT=celery "${program%/*}/servicedeskctl" dead replay --all
    same "$id" "$output"
    same "$message" "$(newest)"
    same '1 0' "$(depth) $(redis LLEN $dead)"
    bury "$message"
    ctl dead replay "$id" --format celery
    same "$message" "$(newest)"
    same 2 "$(depth)"
}

@test "a dead job stays where it is if Redis refuses the push" {
    bury "$(job TKT-1)"
    redis SET "$queue" 'no list' >/dev/null
    run -1 ctl dead replay --all
    [[ $output == *'Redis answered WRONGTYPE: the key holds'* ]]
    same 1 "$(redis LLEN $dead)"
}

@test "dead drop removes a job, and an id that is not there is an error" {
    bury "$(job TKT-1)"
    bury "$(job TKT-2)"
    id=$(redis LINDEX $dead 0 | jq -r .job.job_id)
    run -1 ctl dead drop nothing
    same 'servicedeskctl: no dead job nothing' "$output"
    same "$id" "$(ctl dead drop "$id")"
    same TKT-1 "$(redis LRANGE $dead 0 -1 | jq -r .job.ticket_id)"
    ctl dead drop --all
    same 0 "$(redis LLEN $dead)"
    run -64 ctl dead drop
    run -64 ctl dead drop --all "$id"
}

@test "more than a thousand dead jobs are all found" {
    job=$(job TKT-1)
    many 1234
    same 1234 "$(ctl dead list | wc -l)"
    same 00000000-0000-4000-8000-000000000001 "$(ctl dead list | head -n 1 | cut -f 1)"
    same 1234 "$(ctl dead replay --all | sort -u | wc -l)"
    same 1234 "$(depth)"
    same 0 "$(redis LLEN $dead)"
}

@test "another list of dead jobs may be named" {
    redis LPUSH graveyard '{"job":{},"reason":"x"}' >/dev/null
    same 1 "$(ctl dead list --dead-key graveyard | wc -l)"
    ctl dead drop --all --dead-key graveyard
    same 0 "$(redis LLEN graveyard)"
}

@test "dead replay does not put a job among jobs of the other format" {
    bury "$(job TKT-1)"
    redis LPUSH "$queue" "$(ctl job --format celery <<<"$(ticket)")" >/dev/null
    run -1 ctl dead replay --all
    [[ $output == *'not queued: the queue holds celery jobs'*'would lose a plain job'*'--key or --format'* ]]
    same 1 "$(depth)"
    same 1 "$(redis LLEN $dead)"
    ctl dead replay --all --format celery
    same 2 "$(depth)"
    bury "$(job TKT-2)" '.task = "app.enhance"'
    redis DEL "$queue" >/dev/null
    redis LPUSH "$queue" "$(job TKT-3)" 'something else' >/dev/null
    run -1 ctl dead replay --all
    [[ $output == *'not queued: the queue holds plain jobs'*'would lose a celery job'* ]]
    ctl dead replay --all --key other:queue
    same 1 "$(redis LLEN other:queue)"
}

@test "dead replay queues nothing if the user may not take the job from the list" {
    bury "$(job TKT-1)"
    redis ACL SETUSER keeper on '>pw' '~*' +lrange +lindex +eval +lpos +lpush >/dev/null
    export SERVICEDESK_REDIS_URL=unix://keeper:pw@$dir/redis.sock
    for _ in 1 2; do run -1 ctl dead replay --all; done
    same 0 "$(depth)"
    redis ACL SETUSER keeper +lrem >/dev/null
    ctl dead replay --all
    same 1 "$(depth)"
    same 0 "$(redis LLEN $dead)"
}
