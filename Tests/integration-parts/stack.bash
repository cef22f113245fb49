# For each test file: Redis, a responder set on a unix socket, a responder on TCP, and web servers in front of them, one
# for each way of connecting. Then the cases that every web server has to pass, in addition to Tests/curl.
#
# A test file sets `ways`, and `start_peer WAY`, which calls serve.

load ../curl/stack.bash

PATH=$PATH:/usr/sbin # where Debian puts the servers; not in the path of an ordinary user
socket=$dir/responder.sock

# A tenant that signs, and a sender that cannot.
unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json
password=correct-horse-battery-staple-desk

setup_file() {
    local way
    (
        umask 077
        jq -n --arg secret "$secret" --arg password "$password" '{
            tenants: [{id: "acme", keys: [{id: "1", mode: "servicedesk", secret: $secret}]}],
            senders: [{id: "desk", tenant: "acme",
                keys: [{id: "1", mode: "basic", user: "desk", secret: $password, plaintext: true}]}]
        }' >"$SERVICEDESK_TENANTS_FILE"
    )
    redis_start
    start_responder "$dir/responder.log" "$socket" --processes 2
    start_tcp_responder
    for way in "${ways[@]}"; do
        mkdir -p "$dir/$way"
        start_peer "$way"
    done
}

teardown_file() {
    local file
    for file in "$dir"/*/peer.pid "$dir"/*.sock.pid "$dir/tcp.pid" "$dir/redis.pid"; do
        [[ ! -s $file ]] || stop "$(<"$file")"
    done
}

setup() { redis DEL "$queue" >/dev/null; }

# --- starting --------------------------------------------------------------------------------------------------------

# free PORT: succeeds if nothing listens on it.
free() { ! (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start_tcp_responder: one process on a free port of 127.0.0.1, which it writes to tcp.port.
start_tcp_responder() {
    local number first=$((10000 + RANDOM % 9000))
    for ((number = first; number < first + 100; number++)); do
        free "$number" || continue
        background "$dir/tcp.log" spawn-fcgi -n -a 127.0.0.1 -p "$number" -b 1024 -- "$program"
        wait_up "$pid" tcp_answers "$number" || continue
        echo "$pid" >"$dir/tcp.pid"
        echo "$number" >"$dir/tcp.port"
        return
    done
    die "the responder did not start on TCP: $(tail -n 3 "$dir/tcp.log")"
}
tcp_answers() {
    env -i REQUEST_METHOD=GET SCRIPT_NAME=/health/live /usr/bin/cgi-fcgi -bind -connect "127.0.0.1:$1" </dev/null \
        2>/dev/null | grep -q '^Status: 200'
}

# serve WAY CONFIG SED COMMAND...: starts a web server by COMMAND in the directory of WAY, with a copy of CONFIG there,
# edited by SED and with a free port instead of 8080.
serve() {
    local way=$1 config=$2 edit=$3 first=$((20000 + RANDOM % 9000))
    shift 3
    for ((port = first; port < first + 100; port++)); do
        free "$port" || continue
        sed "s|8080|$port|; $edit" "$BATS_TEST_DIRNAME/$config" |
            sed "s|/run/servicedesk/responder.sock|$socket|" >"$dir/$way/$config"
        background "$dir/$way/output" env -C "$dir/$way" "$@"
        wait_up "$pid" curl -s -o /dev/null -m 5 "http://127.0.0.1:$port/health/live" || continue
        echo "$pid" >"$dir/$way/peer.pid"
        echo "$port" >"$dir/$way/port"
        return
    done
    die "$config for $way does not start: $(tail -n 3 "$dir/$way/output")"
}

# tcp: prints the address of the responder on TCP.
tcp() { echo "127.0.0.1:$(<"$dir/tcp.port")"; }

# --- asking ----------------------------------------------------------------------------------------------------------

# each_way COMMAND...: runs it once for every way, or for those in $only; prints which of them failed.
each_way() {
    local way failed=0 child
    for way in ${only-"${ways[@]}"}; do
        use "$way"
        # In the background, since bash ignores set -e in a command whose status is tested.
        (set -e; "$@") >"$BATS_TEST_TMPDIR/said" 2>&1 &
        child=$!
        wait "$child" && continue
        failed=1
        sed "s/^/$way: /" "$BATS_TEST_TMPDIR/said"
    done
    ((!failed))
}

# use WAY: sends the following requests this way.
use() { url=http://127.0.0.1:$(<"$dir/$1/port"); }

# too_long: prints a good ticket of 200,000 bytes.
too_long() { printf '%-200000s' "$(ticket)"; }

# post_eight NAME: posts eight tickets at once; `codes NAME` then prints their statuses.
post_eight() {
    local body=$BATS_TEST_TMPDIR/body tag transfers=() number
    ticket >"$body"
    tag=$(sign <"$body")
    for number in {1..8}; do
        curl -s -m 20 -o /dev/null -w '%{http_code}\n' -H Content-Type:application/json \
            -H "X-ServiceDesk-Signature: $tag" --data-binary "@$body" "$url/webhook/servicedesk" \
            >"$BATS_TEST_TMPDIR/$1.$number" 3>&- &
        transfers+=($!)
    done
    wait "${transfers[@]}" || true
}
eight_times_202='202 202 202 202 202 202 202 202'
codes() { cat "$BATS_TEST_TMPDIR/$1".* | paste -sd ' '; }

chunked=(-H 'Transfer-Encoding: chunked')

# accepted: as in Tests/curl, but Content-Length may be missing: Apache drops it and sends chunks.
accepted() {
    same 202 "$code"
    same application/json "$(header Content-Type)"
    like '\{"status":"accepted","job_id":"'$uuid4'","message":"Enhancement job queued successfully"\}' "$answer"
    like "(${#answer})?" "$(header Content-Length)"
    [ "$(header X-Request-ID)" ]
}

# --- the cases -------------------------------------------------------------------------------------------------------

good_ticket_is_queued() {
    redis DEL "$queue" >/dev/null
    post "$(ticket)"
    accepted
    same 1 "$(redis LLEN "$queue")"
    same "$(jq -r .job_id <<<"$answer")" "$(newest | jq -r .job_id)"
}

wrong_signature_is_401() {
    signature=$(echo something else | sign) post "$(ticket)"
    problem 401
}

invalid_payload_is_400() {
    post "$(ticket '.priority = "urgent"')"
    wrong priority
}

# With the path of a sender, and a header that some web servers keep to themselves.
senders_ticket_is_queued() {
    ticket 'del(.tenant_id)' >"$BATS_TEST_TMPDIR/body"
    request /webhook/servicedesk/desk --data-binary "@$BATS_TEST_TMPDIR/body" -H Content-Type:application/json \
        -u "desk:$password" "$@"
    accepted
    same acme "$(newest | jq -r .tenant_id)"
    request /webhook/servicedesk/desk --data-binary "@$BATS_TEST_TMPDIR/body" -H Content-Type:application/json \
        -u "desk:another-$password" "$@"
    problem 401
}

# Nothing shows whether such a body is whole: only a signature would.
chunked_ticket_with_a_password_is_411() {
    ticket 'del(.tenant_id)' >"$BATS_TEST_TMPDIR/body"
    request /webhook/servicedesk/desk --data-binary "@$BATS_TEST_TMPDIR/body" -H Content-Type:application/json \
        -u "desk:$password" "${chunked[@]}"
    problem 411
}

unknown_path_is_404() {
    request /health/nothing
    problem 404
}

long_tickets_are_queued() {
    local character
    for character in 😀 漢; do
        post "$(long_ticket "$character")"
        accepted
        same 10000 "$(newest | jq '.description | length')"
        same "$character" "$(newest | jq -r '.description[-1:]')"
    done
}

# chunked_ticket_is_queued [CHARACTER]
chunked_ticket_is_queued() {
    post "$(ticket)" "${chunked[@]}"
    accepted
    [[ ! ${1-} ]] || post "$(long_ticket "$1")" "${chunked[@]}"
    accepted
}

# Twice, since there may be several kept connections.
too_long_is_413_and_the_next_is_queued() {
    local options=("$@")
    for _ in 1 2; do
        post "$(too_long)" "${options[@]}"
        problem 413
        post "$(ticket)"
        accepted
    done
}

# On one connection of the client: a web server that keeps its own then uses the same one again.
too_long_is_413_and_the_next_on_the_same_connection_is_queued() {
    local body=$BATS_TEST_TMPDIR/body said transfer
    too_long >"$body.long"
    ticket | tr -d '\n' >"$body.good"
    transfer() {
        echo -m 20 -sS -o /dev/null -w '%{http_code}\n' -H Expect: -H Content-Type:application/json \
            -H "X-ServiceDesk-Signature:$(sign <"$1")" --data-binary "@$1" "$url/webhook/servicedesk"
    }
    # shellcheck disable=SC2046 # words, none of which has a space
    said=$(curl $(transfer "$body.long") --next $(transfer "$body.good") \
        --next $(transfer "$body.long") --next $(transfer "$body.good") --next $(transfer "$body.good"))
    same '413 202 413 202 202' "$(paste -sd ' ' <<<"$said")"
}

# A web server that gets the 413 while the body is still arriving may not send the rest; Apache then sends the
# next request on the same connection nevertheless.
too_long_in_pieces_is_413_and_the_next_is_queued() {
    for _ in 1 2; do
        in_pieces "$(too_long)" 100
        same 413 "$code"
        post "$(ticket)"
        accepted
    done
}

pieces_are_queued() {
    in_pieces "$(long_ticket a 400)" 300 "$@"
    same 202 "$code"
    in_pieces "$(long_ticket 漢)" 300 "$@"
    same 202 "$code"
    same 10000 "$(newest | jq '.description | length')"
}

# Redis is stopped for a moment, so that all are in flight together.
eight_at_once_are_queued() {
    local posting
    redis DEL "$queue" >/dev/null
    kill -STOP "$(<"$dir/redis.pid")"
    post_eight together &
    posting=$!
    sleep 0.3
    kill -CONT "$(<"$dir/redis.pid")"
    wait "$posting"
    same "$eight_times_202" "$(codes together)"
    same 8 "$(redis LLEN "$queue")"
}

health_answers_get_and_head() {
    local said
    request /health/live
    same 200 "$code"
    [ "$answer" ]
    # All on one connection: a body after HEAD would be taken for the next answer.
    said=$(curl -sS -m 10 -I -o /dev/null -w '%{http_code} %{size_download} %{num_connects}\n' "$url/health/live" \
        --next -sS -m 10 -I -o /dev/null -w '%{http_code} %{size_download} %{num_connects}\n' "$url/health/live" \
        --next -sS -m 10 -o /dev/null -w '%{http_code} %{num_connects}\n' "$url/health/live")
    same '200 0 1 200 0 0 200 0' "$(paste -sd ' ' <<<"$said")"
    post "$(ticket)"
    accepted
}
