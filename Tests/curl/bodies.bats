# Bodies in every shape in which clients and web servers send them.
load stack.bash


setup_file() {
    stack_up
    SERVICEDESK_MAX_BODY=65536 start_responder "$dir/small.log" "$dir/small.sock" --processes 1
    echo "$pid" >"$dir/small.pid"
    nginx_start small "$dir/small.sock"
    # This nginx accepts larger bodies than the responder, so that the responder has to refuse them.
    nginx_start large "$dir/responder.sock" 's|client_max_body_size .*|client_max_body_size 4m;|
        s|client_body_buffer_size .*|client_body_buffer_size 4m;|'
    nginx_start streaming "$dir/responder.sock" 's|fastcgi_request_buffering on|fastcgi_request_buffering off|
        s|client_max_body_size .*|client_max_body_size 4m;|'
    nginx_start "by itself" "$dir/responder.sock" 's|fastcgi_keep_conn on|fastcgi_keep_conn off|
        s|client_max_body_size .*|client_max_body_size 4m;|'
}

teardown_file() {
    stop "$(<"$dir/small.pid")"
    stack_down
}

# long SIZE: prints a body of that many bytes.
long() { head -c "$1" /dev/zero | tr '\0' x; }

# --- bodies over the limit -------------------------------------------------------------------------------------------

@test "a body over the limit is 413, and the next ticket on its connection is accepted" {
    for size in 131073 140000 1000000 1048576; do
        for _ in {1..4}; do
            nginx_use large
            post "$(long $size)" -m 4
            problem 413 'Webhook payload too large'
            post "$(ticket)" -m 4
            accepted
            # With the shipped files, and a responder whose limit is below that of nginx.
            nginx_use small
            post "$(long 100000)" -m 4
            problem 413 'Webhook payload too large'
            post "$(ticket)" -m 4
            accepted
        done
    done
}

@test "a body over the limit at another path is 405, and the next ticket is accepted" {
    nginx_use large
    for path in /health/live /metrics; do
        for _ in {1..5}; do
            env -i REQUEST_METHOD=POST SCRIPT_NAME=$path CONTENT_LENGTH=140000 \
                /usr/bin/cgi-fcgi -bind -connect "$dir/responder.sock" <<<"$(long 140000)" | grep -q '^Status: 405'
            post "$(ticket)" -m 4
            accepted
        done
    done
}

@test "without keepalive a 413 comes as quickly as a 202" {
    nginx_use "by itself"
    for size in 131073 1000000; do
        post "$(long $size)" -m 2
        problem 413 'Webhook payload too large'
    done
}

@test "a body of more than 1 MiB is 413 too, and the next ticket is accepted" {
    nginx_use large
    for _ in {1..5}; do
        post "$(long 2000000)" -m 4
        problem 413 'Webhook payload too large'
        post "$(ticket)" -m 4
        accepted
    done
}

@test "bodies over the limit are counted" {
    nginx_use large
    request /metrics
    before=$(sed -n 's/^servicedesk_oversize_requests_total //p' <<<"$answer")
    for _ in 1 2 3; do post "$(long 140000)"; done
    request /metrics
    same $((before + 3)) "$(sed -n 's/^servicedesk_oversize_requests_total //p' <<<"$answer")"
}

# --- bodies in pieces ------------------------------------------------------------------------------------------------

@test "a ticket in a thousand pieces is accepted, with its length or in chunks" {
    for name in main streaming; do
        nginx_use "$name"
        for framing in '' chunked; do
            in_pieces "$(printf '%-1000s' "$(ticket)")" 1000 $framing
            same 202 "$code"
            in_pieces "$(long_ticket 票)" 300 $framing
            same 202 "$code"
        done
    done
    same 8 "$(redis LLEN "$queue")"
}

@test "tickets of 60 and 119 KB are accepted over a unix socket, with their length or in chunks" {
    for name in main streaming "by itself"; do
        nginx_use "$name"
        for character in 票 😀; do
            post "$(long_ticket $character)" -m 4
            accepted
            post "$(long_ticket $character)" -m 4 -H 'Transfer-Encoding: chunked'
            accepted
            same 10000 "$(newest | jq '.description | length')"
        done
    done
}

@test "tickets over HTTP/2 are accepted, with and without their length" {
    local listen='s|listen \(.*\);|listen \1 http2;|'
    nginx_start http2 "$dir/responder.sock" "$listen"
    nginx_start http2-streaming "$dir/responder.sock" \
        "$listen; s|fastcgi_request_buffering on|fastcgi_request_buffering off|"
    for name in http2 http2-streaming; do
        nginx_use $name
        for body in "$(ticket)" "$(long_ticket 😀)"; do
            post "$body" -m 4 --http2-prior-knowledge
            accepted
            # curl does not know the length of what comes through a pipe.
            printf %s "$body" >"$BATS_TEST_TMPDIR/body"
            request /webhook/servicedesk -m 4 --http2-prior-knowledge -X POST -T - -H 'Content-Type: application/json' \
                -H "X-ServiceDesk-Signature: $(sign <"$BATS_TEST_TMPDIR/body")" < <(cat "$BATS_TEST_TMPDIR/body")
            accepted
        done
    done
    same 8 "$(redis LLEN "$queue")"
}

@test "a body without Content-Length that is cut short is a 401" {
    nginx_use streaming
    body=$(ticket)
    signature=$(printf %s "$body" | sign) post "${body%?}" -H 'Transfer-Encoding: chunked'
    problem 401 'Invalid webhook signature'
}

@test "a ticket of 119 KB from cgi-fcgi, which writes 8 KB at a time, is accepted" {
    long_ticket 😀 >"$BATS_TEST_TMPDIR/body"
    env -i REQUEST_METHOD=POST SCRIPT_NAME=/webhook/servicedesk CONTENT_TYPE=application/json \
        CONTENT_LENGTH="$(stat -c %s "$BATS_TEST_TMPDIR/body")" \
        HTTP_X_SERVICEDESK_SIGNATURE="$(sign <"$BATS_TEST_TMPDIR/body")" \
        timeout 4 /usr/bin/cgi-fcgi -bind -connect "$dir/responder.sock" <"$BATS_TEST_TMPDIR/body" |
        grep -q '^Status: 202'
}

# --- manners ---------------------------------------------------------------------------------------------------------

@test "HEAD gets no body from the responder itself" {
    for path in /health/live /health/ready /metrics /nothing; do
        env -i REQUEST_METHOD=HEAD SCRIPT_NAME=$path /usr/bin/cgi-fcgi -bind -connect "$dir/responder.sock" \
            >"$BATS_TEST_TMPDIR/head"
        tr -d '\r' <"$BATS_TEST_TMPDIR/head" >"$BATS_TEST_TMPDIR/lines"
        grep -q '^Content-Length: [1-9]' "$BATS_TEST_TMPDIR/lines"
        same '' "$(sed '1,/^$/d' "$BATS_TEST_TMPDIR/lines")"
    done
}

@test "tabs and spaces around the signature are ignored" {
    for space in $'\t' $' \t '; do
        body=$(ticket)
        signature=$space$(printf %s "$body" | sign)$space post "$body"
        accepted
    done
}
