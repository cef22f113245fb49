# The errors of nginx itself, above all those before it has chosen a location.
load stack.bash
load raw.bash

# access_line: prints the line of the access log for the last request.
access_line() {
    eventually grep -qs "$(header X-Request-ID)" "$dir"/*/access.log
    grep -h "$(header X-Request-ID)" "$dir"/*/access.log
}

@test "a request line that nginx cannot read is a 400 problem" {
    for target in /%%zz /%% /%%00 /../.. '*' nothing http:// ''; do
        refused 400 "GET $target HTTP/1.1\r\n$end"
    done
    refused 400 "CONNECT example.com:443 HTTP/1.1\r\n$end"
    refused 400 "get / HTTP/1.1\r\n$end"
    refused 400 "GET / HTTP/x\r\n$end"
    refused 400 'nonsense\r\n\r\n'
    refused 400 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
}

@test "a TLS hello to the plain port is a 400 problem" {
    refused 400 '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n'
}

@test "headers that nginx cannot accept are 400 problems" {
    refused 400 'GET / HTTP/1.1\r\n\r\n'
    refused 400 "GET / HTTP/1.1\r\nHost: y\r\n$end"
    refused 400 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'
    refused 400 "GET / HTTP/1.1\r\nLong: $long\r\n$end"
    refused 400 "POST / HTTP/1.1\r\nContent-Length: x\r\n$end"
    refused 400 "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n$end"
    refused 400 "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n$end"
}

@test "405, 414, 501 and 505 before a location is chosen are problems" {
    refused 405 "TRACE / HTTP/1.1\r\n$end"
    refused 405 "CONNECT / HTTP/1.1\r\n$end"
    refused 414 "GET /$long HTTP/1.1\r\n$end"
    refused 501 "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n$end"
    refused 505 "GET / HTTP/9.9\r\n$end"
    refused 505 "GET / HTTP/2.0\r\n$end"
}

@test "an unknown method is 404 or 405, depending on the path" {
    refused 404 "FOO / HTTP/1.1\r\n$end"
    refused 405 "FOO /webhook/servicedesk HTTP/1.1\r\n$end"
    same POST "$(header Allow)"
}

@test "a chunk that nginx cannot read is a 400 problem" {
    refused 400 "POST /webhook/servicedesk HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${end}zz\r\n"
}

@test "plain HTTP to a TLS port is a 400 problem" {
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 1 -keyout "$dir/key.pem" -out "$dir/cert.pem" \
        2>/dev/null
    nginx_start tls "$dir/responder.sock" \
        "s|listen \(.*\);|listen \1 ssl; ssl_certificate $dir/cert.pem; ssl_certificate_key $dir/key.pem;|"
    nginx_use tls
    request /health/live
    problem 400
    url=${url/http:/https:}
    request /health/live -k
    same 200 "$code"
}

@test "HEAD gets the headers of the problem and no body" {
    for path in /%%zz /nothing; do
        raw "HEAD $path HTTP/1.1\r\n$end"
        like '400|404' "$code"
        same application/problem+json "$(header Content-Type)"
        like '[0-9a-f]{32}' "$(header X-Request-ID)"
        same '' "$answer"
    done
}

@test "the body of every error names the status that is sent" {
    local made=
    for status in 400 401 402 403 404 405 406 409 410 411 412 413 414 415 416 421 429 500 501 502 503 504 505 507; do
        made+="location = /made/$status { return $status; } "
    done
    for status in 494 495 496 497; do made+="location = /made/$status { return $status; } "; done
    nginx_start made "$dir/responder.sock" "s|location / {|$made&|"
    nginx_use made
    for status in $(grep -o 'made/[0-9]*' <<<"$made" | cut -d/ -f2); do
        request "/made/$status"
        case $status in 494 | 495 | 496 | 497) status=400 ;; esac
        echo "for $status"
        problem "$status"
        run ! grep -F '"title":"Error"' <<<"$answer"
    done
}

@test "a request that stops half-way gets no response, and its connection is closed" {
    nginx_start hasty "$dir/responder.sock" 's|\(client_[a-z]*_timeout\) .*|\1 1s;|'
    nginx_use hasty
    for bytes in "GET / HTTP/1.1\r\nHost: x\r\n" \
        "POST /webhook/servicedesk HTTP/1.1\r\nContent-Length: 9\r\n${end}x"; do
        timeout 5 python3 "$BATS_TEST_DIRNAME/stalled.py" "${url##*:}" 1 "$bytes" >"$BATS_TEST_TMPDIR/stalled"
        same '1 closed, 0 bytes' "$(tail -n 1 "$BATS_TEST_TMPDIR/stalled")"
    done
}

@test "408 is never sent, not even by return" {
    nginx_start silent "$dir/responder.sock" 's|location / {|& return 408; |'
    nginx_use silent
    raw "GET / HTTP/1.1\r\n$end"
    same '' "$code$answer"
}

@test "a client cannot request the location of the problems" {
    request /servicedesk-problem
    problem 404
    request '/servicedesk-problem?GET,%20PUT' -X POST -d x
    problem 404
    same '' "$(header Allow)"
    request /servicedesk-problem -I
    same 404 "$code"
}

@test "405 lists the methods of the path" {
    for path in /health/live /health/ready '/metrics?x' /%%6detrics; do
        refused 405 "TRACE $path HTTP/1.1\r\n$end"
        same 'GET, HEAD' "$(header Allow)"
    done
    refused 405 "TRACE /webhook/servicedesk?x HTTP/1.1\r\n$end"
    same POST "$(header Allow)"
    refused 405 "TRACE /elsewhere HTTP/1.1\r\n$end"
    same 'GET, HEAD, POST' "$(header Allow)"
    refused 404 "GET /elsewhere?GET HTTP/1.1\r\n$end"
    same '' "$(header Allow)"
}

@test "404, not a redirect, for a path without its last slash" {
    request /health
    problem 404
}

@test "an operator's own locations and errors stay as they are" {
    local own='error_page 400 402 /own; location = /own { internal; return 200 "own error"; }'
    own+=' location = /plain { return 404; } location = /paid { return 402; }'
    nginx_start operator "$dir/responder.sock" \
        "/^ *server {/,/^ *}/{ /errors.conf/d; s|location / {.*|$own| }"
    run -0 nginx -t -p "$dir/operator" -c "$dir/operator/nginx/nginx.conf" -e stderr
    nginx_use operator
    post "$(ticket)"
    accepted
    request /plain
    same '404 text/html' "$code $(header Content-Type)"
    request /paid
    same '402 own error' "$code $answer"
    raw "GET /%%zz HTTP/1.1\r\n$end"
    same '400 own error' "$code $answer"
    request /metrics --interface 127.0.0.2
    problem 403
}

@test "a 429 for a body over the server's own limit stays a 429" {
    SERVICEDESK_RATE=1r/m nginx_start strict "$dir/responder.sock" \
        's|burst=[0-9]* nodelay||; s|location / {|client_max_body_size 1k; &|'
    nginx_use strict
    post "$(ticket)"
    accepted
    post "$(printf %-9000s "$(ticket)")"
    problem 429
}

@test "the access log has the method and the path of a refused request, not the problem's" {
    refused 405 "TRACE /health/live?a=b HTTP/1.1\r\n$end"
    same 'TRACE /health/live' "$(access_line | jq -r '"\(.method) \(.uri)"')"
    refused 400 "POST /%%zz HTTP/1.1\r\n$end"
    same 'POST /%zz' "$(access_line | jq -r '"\(.method) \(.uri)"')"
    refused 400 '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n'
    same ' 400' "$(access_line | jq -r '"\(.method)\(.uri) \(.status)"')"
}
