# What nginx decides by itself, and what it must pass on unchanged.
load stack.bash

# access ID: prints a request's line of the access log, which is buffered for a second.
access() {
    eventually grep -qs "$1" "$dir"/*/access.log
    grep -h "$1" "$dir"/*/access.log
}

# padded SIZE: prints a good ticket, padded with white space, which JSON allows.
padded() { printf "%-$1s" "$(ticket)"; }

@test "the shipped files, as they are, pass nginx -t" {
    mkdir "$BATS_TEST_TMPDIR/prefix"
    run -0 nginx -t -p "$BATS_TEST_TMPDIR/prefix" -c "$root/nginx/nginx.conf" -e stderr
}

@test "413 from nginx, from the first byte too many" {
    post "$(padded 131072)x"
    problem 413
    same '' "$(access "$(header X-Request-ID)" | jq -r .upstream_status)"
    post "$(padded 131072)"
    accepted
}

@test "413 for a chunked body, which declares no length" {
    post "$(padded 131073)" -H 'Transfer-Encoding: chunked'
    problem 413
}

@test "202 for a chunked body" {
    for size in 200 9000 131072; do
        post "$(padded $size)" -H 'Transfer-Encoding: chunked'
        accepted
    done
}

@test "413 from the responder if nginx has a higher limit" {
    nginx_start large "$dir/responder.sock" 's|client_max_body_size .*|client_max_body_size 1m;|'
    nginx_use large
    post "$(padded 131073)"
    problem 413
    same 413 "$(access "$(header X-Request-ID)" | jq -r .upstream_status)"
    post "$(padded 131072)"
    accepted
}

@test "429 with Retry-After for a request beyond the burst" {
    SERVICEDESK_RATE=1r/m nginx_start slow "$dir/responder.sock" 's|burst=[0-9]*|burst=2|'
    nginx_use slow
    for _ in 1 2 3; do
        post "$(ticket)"
        accepted
    done
    post "$(ticket)"
    problem 429
    like '[0-9]+' "$(header Retry-After)"
    request /health/live
    same 200 "$code"
}

@test "502 with Retry-After if nothing listens on the socket" {
    nginx_start nobody "$dir/nobody.sock"
    nginx_use nobody
    post "$(ticket)"
    problem 502
    like '[0-9]+' "$(header Retry-After)"
}

@test "504 if the responder does not answer, and the POST is sent once" {
    socat -u "UNIX-LISTEN:$dir/mute.sock,fork" "OPEN:$dir/mute.log,creat,append" 3>&- &
    mute=$!
    nginx_start mute "$dir/mute.sock" 's|fastcgi_read_timeout .*|fastcgi_read_timeout 1s;|'
    nginx_use mute
    post "$(ticket)"
    kill "$mute"
    problem 504
    same 1 "$(grep -ac 'printer is on fire' "$dir/mute.log")"
}

@test "404 and 400 of nginx itself are problems too" {
    request /nothing
    problem 404
    printf 'POST /webhook/servicedesk HTTP/1.1\r\n\r\n' | socat -t 5 - "TCP:${url#http://}" >"$BATS_TEST_TMPDIR/raw"
    grep -q '^HTTP/1.1 400' "$BATS_TEST_TMPDIR/raw"
    tail -n 1 "$BATS_TEST_TMPDIR/raw" | jq -e '.status == 400' >/dev/null
}

@test "metrics are for loopback only, health is not" {
    request /metrics
    same 200 "$code"
    request /metrics --interface 127.0.0.2
    problem 403
    request /health/live --interface 127.0.0.2
    same 200 "$code"
}

@test "/health/ and /metrics take no large body, and the responder never sees one" {
    head -c 140000 /dev/zero >"$BATS_TEST_TMPDIR/zeros"
    refused=()
    for path in /health/live /health/ready /metrics; do
        for request in '413 POST' '413 GET' '413 GET chunked' '405 POST chunked'; do
            read -r status method encoding <<<"$request"
            request "$path" -X "$method" --data-binary "@$BATS_TEST_TMPDIR/zeros" \
                ${encoding:+-H "Transfer-Encoding: $encoding"}
            problem "$status"
            refused+=("$(header X-Request-ID)")
        done
    done
    post "$(ticket)"
    accepted
    for id in "${refused[@]}"; do same '' "$(access "$id" | jq -r .upstream_status)"; done
}

@test "/health/ and /metrics take GET and HEAD only, and the responder sees no other method" {
    refused=()
    for path in /health/live /health/ready /metrics; do
        for method in POST PUT DELETE OPTIONS TRACE FOO; do
            request "$path" -X "$method"
            problem 405
            same 'GET, HEAD' "$(header Allow)"
            refused+=("$(header X-Request-ID)")
        done
        request "$path"
        same 200 "$code"
        request "$path" -I
        same 200 "$code"
    done
    for id in "${refused[@]}"; do same '' "$(access "$id" | jq -r .upstream_status)"; done
}

@test "a 405 of the webhook is the responder's, not nginx's" {
    request /webhook/servicedesk
    problem 405
    same 405 "$(access "$(header X-Request-ID)" | jq -r .upstream_status)"
}

@test "only the listed headers reach the responder" {
    socat -u "UNIX-LISTEN:$dir/params.sock" "CREATE:$dir/params.raw" 3>&- &
    nginx_start params "$dir/params.sock" 's|fastcgi_read_timeout .*|fastcgi_read_timeout 1s;|'
    nginx_use params
    post "$(ticket)" -H 'Cookie: cuckoo' -H 'X-Request-ID: cuckoo' -H 'Idempotency-Key: key-1' -H 'Webhook-Id: id-1'
    problem 504
    for name in REQUEST_METHODPOST SCRIPT_NAME/webhook/servicedesk CONTENT_TYPEapplication/json REMOTE_ADDR127.0.0.1 \
        "REQUEST_ID$(header X-Request-ID)" HTTP_IDEMPOTENCY_KEYkey-1 HTTP_WEBHOOK_IDid-1; do
        grep -aqF "$name" "$dir/params.raw"
    done
    run ! grep -aE 'cuckoo|HTTP_(HOST|ACCEPT|USER_AGENT)' "$dir/params.raw"
}

@test "the stock fastcgi_params work too" {
    [[ -f /etc/nginx/fastcgi_params ]] || skip "/etc/nginx/fastcgi_params is not installed"
    nginx_start stock "$dir/responder.sock" \
        '/fastcgi_param /d; s|^fastcgi_pass_request_headers off;|include /etc/nginx/fastcgi_params;|'
    nginx_use stock
    post "$(ticket)"
    accepted
}

@test "the access log has the request id, the status, and the upstream's status and times" {
    post "$(ticket)"
    access "$(header X-Request-ID)" | jq -e '.status == 202 and .upstream_status == "202" and .method == "POST"
        and .uri == "/webhook/servicedesk" and .client == "127.0.0.1"
        and ([.upstream_connect, .upstream_header, .upstream_response] | all(test("^[0-9]+[.][0-9]+$")))' >/dev/null
}
