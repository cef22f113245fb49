# Tests/worker: the golden jobs, and the example of a worker's own tests.
load stack.bash

setup_file() {
    redis_start
    for format in plain celery; do
        for members in '' event,delivery_id,traceparent; do
            name=$format${members:+-all}
            SERVICEDESK_JOB_FORMAT=$format SERVICEDESK_JOB_MEMBERS=$members SERVICEDESK_REDIS_URL=$(redis_url $format) \
                start_responder "$dir/$name.log" "$dir/$name.sock" --processes 1
            nginx_start "$name" "$dir/$name.sock"
        done
    done
}

teardown_file() {
    local file
    for file in "$dir"/*/nginx.pid "$dir"/*.sock.pid "$dir/redis.pid"; do stop "$(<"$file")"; done
}

setup() { redis FLUSHALL >/dev/null; }

python() { PYTHONDONTWRITEBYTECODE=1 "$root/.build/test-python/bin/python" "$@"; }
pytest() { python -m pytest -q -p no:cacheprovider "$root/Tests/worker"; }

# database FORMAT: one for each, or the deliveries of one would be repeats in the other.
database() { [[ $1 == plain ]] && echo 0 || echo 1; }
redis_url() { echo "unix://$dir/redis.sock?db=$(database "$1")"; }

webhook() { echo "http://127.0.0.1:$(<"$dir/$1/port")/webhook/servicedesk"; }

# golden FORMAT: compares, or with UPDATE_GOLDEN writes the file.
golden() {
    local file=$root/Tests/worker/jobs.$1.jsonl made=$BATS_TEST_TMPDIR/made
    python "$root/Tests/worker/golden.py" "$secret" "$(redis_url "$1")" "$(webhook "$1")" "$(webhook "$1-all")" >"$made"
    [[ ! ${UPDATE_GOLDEN-} ]] || cp "$made" "$file"
    diff "$file" "$made"
}

@test "plain jobs are the golden ones, byte for byte" { golden plain; }

@test "Celery messages are the golden ones, byte for byte" { golden celery; }

@test "the example of a worker's own tests passes, with plain jobs and with Celery messages" {
    for format in plain celery; do
        redis -n "$(database $format)" LPUSH "$queue" 'something else' >/dev/null
        SERVICEDESK_URL=$(webhook $format) SERVICEDESK_REDIS_URL=$(redis_url $format) run -0 pytest
        like '[0-9]+ passed in .*' "${lines[-1]}"
        same 'something else' "$(redis -n "$(database $format)" LRANGE "$queue" 0 -1)"
    done
}

@test "without a stack, what needs none passes, and the rest is skipped" {
    run -0 pytest
    like '[0-9]+ passed, 3 skipped in .*' "${lines[-1]}"
}
