# The quarantine where something is in its way: rights, a stop, Redis itself; and with one secret for all tenants.
load stack.bash

export SERVICEDESK_QUARANTINE=50 SERVICEDESK_QUARANTINE_TENANT=20
stream="{$queue}:quarantine"

ctl() { "${program%/*}/servicedeskctl" "$@"; }

# The rights that the README names, and those less one of them.
granted=$(sed -n "s/^    ACL SETUSER responder on >PASSWORD //p" "$root/README.md")
more=$(sed -n 's/.*needs `\(~{enhancement:queue}:quarantine ~[^`]*\)`.*/\1/p' "$root/README.md")

setup_file() {
    redis_start
    redis ACL SETUSER enough on '>p' $granted $more
    redis ACL SETUSER lacking on '>p' $granted $more -expire
    for name in enough lacking; do
        SERVICEDESK_REDIS_URL=unix://$name:p@$dir/redis.sock SERVICEDESK_LOG_FILE=$dir/$name.json \
            start_responder "$dir/$name.log" "$dir/$name.sock" --processes 1
        wait_up "$pid" responder_answers "$dir/$name.sock" ready
        nginx_start "$name" "$dir/$name.sock"
    done
}

teardown_file() {
    local file
    for file in "$dir"/*/nginx.pid "$dir"/*.sock.pid "$dir/redis.pid"; do
        [[ ! -s $file ]] || stop "$(<"$file")"
    done
}

setup() {
    use enough
    redis DEL "$queue" "$stream" "$stream:all/" >/dev/null
}

# A test that fails must not leave Redis stopped.
teardown() { kill -CONT "$(<"$dir/redis.pid")"; }

# use NAME: sends the following requests to the responder of that user.
use() {
    nginx_use "$1"
    SERVICEDESK_LOG_FILE=$dir/$1.json
}

# failures: prints how many requests could not be kept.
failures() { curl -sS "$url/metrics" | awk '/outcome="failed"/ { print $2 }'; }
kept() { eventually eval "[[ \$(redis XLEN '$stream') == $1 ]]"; }
first() { redis XRANGE "$stream" - + COUNT 1 | head -1; }

@test "the rights in the README are enough, and with one secret a ticket names its tenant itself" {
    [[ $more ]]
    post "$(ticket '.priority = "none"')"
    wrong priority
    kept 1
    same null "$(ctl quarantine list --json | jq .tenant)"
    ctl quarantine show "$(first)" --body | jq -c '.priority = "low"' >"$BATS_TEST_TMPDIR/corrected"
    run -0 ctl quarantine replay "$(first)" --body "$BATS_TEST_TMPDIR/corrected"
    same acme "$(newest | jq -r .tenant_id)"
    same '1 0' "$(depth) $(redis XLEN "$stream")"
}

@test "without a right nothing is kept that would never expire, and the log names the reason once" {
    use lacking
    for n in 1 2 3; do
        post "$(ticket '.priority = "none"')"
        wrong priority
        eventually grep -qF "$(header X-Request-ID)" "$SERVICEDESK_LOG_FILE"
    done
    eventually eval '[[ $(nginx_use lacking; request /metrics; grep -c "outcome=\"failed\"} 3" <<<"$answer") == 1 ]]'
    same 0 "$(redis XLEN "$stream")"
    like '3[0-9]{3}' "$(redis TTL "$stream:all/")"
    same 1 "$(grep -c 'refused requests are not kept.*lacks a right.*grant it +incrby +expire +xtrim +xadd' "$SERVICEDESK_LOG_FILE")"
    post "$(ticket)"
    accepted
}

@test "while Redis does not answer a refusal comes at once, and is kept afterwards or counted" {
    redis_pid=$(<"$dir/redis.pid")
    kill -STOP "$redis_pid"
    # Redis has five seconds for a reply: whoever waited for it would not answer within four.
    for n in {1..10}; do
        post "$(ticket '.priority = "none"')" -m 4
        wrong priority
    done
    kill -CONT "$redis_pid"
    # What Redis had not taken within five seconds is counted.
    eventually eval '(( $(redis XLEN "$stream") + $(failures) == 10 ))'
}

@test "a stop keeps what still waits" {
    redis_pid=$(<"$dir/redis.pid")
    kill -STOP "$redis_pid"
    for n in {1..5}; do post "$(ticket '.priority = "none"')"; done
    kill -TERM "$(<"$dir/enough.sock.pid")"
    sleep 0.5
    kill -CONT "$redis_pid"
    kept 5
}
