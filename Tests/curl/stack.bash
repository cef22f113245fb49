# A whole stack for each test file: Redis, two responders under spawn-fcgi and multiwatch, nginx with the shipped files,
# all on sockets in a temporary directory and a free port. Then the helpers of the tests.

bats_require_minimum_version 1.5.0
. "$BATS_TEST_DIRNAME/../../spawn/lib.sh"

dir=${BATS_FILE_TMPDIR-}
secret=correct-horse-battery-staple-0001
queue=enhancement:queue

# The responder's settings; no other setting of the caller applies.
unset "${!SERVICEDESK_@}"
export SERVICEDESK_PROGRAM=$program SERVICEDESK_SECRET=$secret SERVICEDESK_REDIS_URL=unix://$dir/redis.sock
export SERVICEDESK_LOG_FILE=$dir/responder.json SERVICEDESK_RATE=500000r/s

setup_file() { stack_up; }

stack_up() {
    redis_start
    start_responder "$dir/responder.log" "$dir/responder.sock" --processes 2
    wait_up "$pid" responder_answers "$dir/responder.sock" ready
    nginx_start main "$dir/responder.sock"
}

teardown_file() { stack_down; }

stack_down() {
    local file
    for file in "$dir/load.pid" "$dir"/*/nginx.pid "$dir"/*.sock.pid "$dir/redis.pid"; do
        [[ ! -s $file ]] || stop "$(<"$file")"
    done
}

setup() {
    nginx_use main
    redis DEL "$queue" >/dev/null
}

redis() { redis-cli -s "$dir/redis.sock" --raw "$@"; }
redis_start() {
    start_redis "$dir"
    echo "$pid" >"$dir/redis.pid"
}

# nginx_start NAME SOCKET [SED]: starts one more nginx.
nginx_start() {
    mkdir -p "$dir/$1"
    start_nginx "$dir/$1" "$2" $((20000 + RANDOM % 9000)) "${3-}"
    echo "$port" >"$dir/$1/port"
}

# nginx_use NAME: sends the following requests through this one.
nginx_use() { url=http://127.0.0.1:$(<"$dir/$1/port"); }

# --- waiting ---------------------------------------------------------------------------------------------------------

# eventually COMMAND...: waits until it succeeds, for as long as a busy machine may need. A test that allows less time, since
# the time is what it tests, says wait_for.
eventually() { wait_for 30 "$@"; }

# said PATTERN: prints how often the log has it. said_at_least COUNT PATTERN: whether it is that often.
said() { grep -cE "$1" "$SERVICEDESK_LOG_FILE" || true; }
said_at_least() { (($(said "$2") >= $1)); }

# both_say PATTERN COMMAND...: runs the command, and waits until each of the two processes has logged the pattern once more.
both_say() {
    local before
    before=$(said "$1")
    "${@:2}"
    eventually said_at_least $((before + 2)) "$1"
}

# hup: has both processes read their files again.
hup() { pkill -HUP -P "$(<"$dir/responder.sock.pid")"; }

# --- load ------------------------------------------------------------------------------------------------------------

# load_starts CONNECTIONS [JQ]: posts a good ticket, edited, over and over until load_ends; it is signed with $secret.
load_starts() {
    local body
    body=$(ticket "${2-.}")
    BODY=$body TAG=$(printf %s "$body" | sign) wrk -t 1 -c "$1" -d 120s -s "$root/Tests/curl/load.lua" \
        "$url/webhook/servicedesk" >"$dir/load" 3>&- &
    echo $! >"$dir/load.pid"
}

# load_ends: sets $good and $refused, the numbers of responses that were 202 and that were not. None may be missing.
load_ends() {
    local pid
    pid=$(<"$dir/load.pid")
    rm "$dir/load.pid"
    kill -s INT "$pid"
    wait "$pid"
    like 'accepted [0-9]+ refused [0-9]+ broken 0' "$(tail -n 1 "$dir/load")"
    read -r _ good _ refused _ < <(tail -n 1 "$dir/load")
}

# --- asking ----------------------------------------------------------------------------------------------------------

# ticket [JQ]: prints a good ticket, edited.
ticket() {
    jq -nc '{event: "ticket_created", ticket_id: "TKT-1", tenant_id: "acme", description: "The printer is on fire",
        priority: "high", created_at: "2026-01-31T09:30:00+01:00"} | '"${1-.}"
}

# long_ticket CHARACTER [COUNT]: prints a good ticket with that many of it as description, as JSON escapes if not ASCII.
long_ticket() { ticket ".description = \"$1\" * ${2-10000}" | jq -ac .; }

# sign [SECRET] <BODY: prints the signature, computed by openssl, not by the program under test.
sign() { openssl dgst -sha256 -hmac "${1-$secret}" -r | cut -d' ' -f1; }

# request PATH [CURL OPTION...]: sets $code, $answer and the file of headers.
request() {
    headers=$BATS_TEST_TMPDIR/headers
    code=$(curl -sS -m 30 -D "$headers" -o "$BATS_TEST_TMPDIR/answer" -w '%{http_code}' -H Expect: "${@:2}" "$url$1")
    answer=$(<"$BATS_TEST_TMPDIR/answer")
}

# post BODY [CURL OPTION...]: with $signature and $type if they are set, else correct ones; empty means no such header.
post() {
    local body=$BATS_TEST_TMPDIR/body tag
    printf %s "$1" >"$body"
    tag=${signature-$(sign <"$body")}
    request /webhook/servicedesk --data-binary "@$body" -H "Content-Type: ${type-application/json}" \
        -H "X-ServiceDesk-Signature: $tag" "${@:2}"
}

# in_pieces BODY COUNT [chunked]: posts it in that many pieces; sets $code and $answer.
in_pieces() {
    local said
    said=$(printf %s "$1" | python3 "$root/Tests/curl/pieces.py" "$url/webhook/servicedesk" \
        "$(printf %s "$1" | sign)" "${@:2}")
    code=${said%% *} answer=${said#* }
}

header() { tr -d '\r' <"$headers" | sed -n "s/^$1: //Ip"; }

# newest: prints the job that was queued last.
newest() { redis LINDEX "$queue" 0; }

# job_id: prints the id in the last answer. depth: prints how many jobs are queued.
job_id() { jq -r .job_id <<<"$answer"; }
depth() { redis LLEN "$queue"; }

# count STATUS: prints how many requests got that status, according to /metrics.
count() {
    request /metrics
    grep -E "requests_total\{[^}]*status=\"$1\"" <<<"$answer" | awk '{ n += $NF } END { print n + 0 }'
}

# --- expecting -------------------------------------------------------------------------------------------------------

uuid4='[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'

same() { [[ $2 == "$1" ]] || { printf 'expected: %s\ngot:      %s\n' "$1" "$2"; return 1; }; }
like() { [[ $2 =~ ^$1$ ]] || { printf 'expected: %s\ngot:      %s\n' "$1" "$2"; return 1; }; }

accepted() {
    same 202 "$code"
    same application/json "$(header Content-Type)"
    like '\{"status":"accepted","job_id":"'$uuid4'","message":"Enhancement job queued successfully"\}' "$answer"
    same ${#answer} "$(header Content-Length)"
    [ "$(header X-Request-ID)" ]
}

# problem STATUS [DETAIL]: checks for a problem of RFC 9457 with exactly these members.
problem() {
    same "$1" "$code"
    same application/problem+json "$(header Content-Type)"
    jq -e --argjson status "$1" --arg detail "${2-}" --arg id "$(header X-Request-ID)" '
        (keys_unsorted == ["type", "title", "status", "detail", "request_id"]
            or ($status == 400 and keys_unsorted == ["type", "title", "status", "detail", "errors", "request_id"]))
        and .type == "about:blank" and .status == $status and .title != "" and .request_id == $id and $id != ""
        and if $detail == "" then .detail != "" else .detail == $detail end' "$BATS_TEST_TMPDIR/answer" >/dev/null ||
        { echo "not the problem expected: $answer"; return 1; }
}

# wrong FIELD...: checks for a 400 whose errors name these fields, each once.
wrong() {
    problem 400 'Invalid webhook payload'
    same "$(printf '%s\n' "$@" | sort)" "$(jq -r '.errors[].field' <<<"$answer" | sort)"
}

# unavailable PATTERN: checks for a 503 with Retry-After, and for a log line at error with the pattern.
unavailable() {
    same 503 "$code"
    [[ $(header Retry-After) ]]
    eventually grep -qE "\"level\":\"error\".*$1" "$SERVICEDESK_LOG_FILE"
}

# logged MEMBER: prints it from the log line of the last request. reason: prints why it was answered as it was.
logged() {
    local id
    id=$(header X-Request-ID)
    eventually grep -qF "$id" "$SERVICEDESK_LOG_FILE"
    grep -F "$id" "$SERVICEDESK_LOG_FILE" | jq -r ".$1"
}
reason() { logged reason; }

# recovers [CURL OPTION...]: whether a ticket is accepted.
recovers() { post "$(ticket)" "$@" && [[ $code == 202 ]]; }

# ready: whether the queue is usable.
ready() { request /health/ready && [[ $code == 200 ]]; }
