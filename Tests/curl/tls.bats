# nginx/servicedesk/tls-example.conf, as an operator copies it: TLS, tokens over it, plain HTTP, client certificates,
# real_ip.
load stack.bash
load raw.bash

unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json
token=correct-horse-battery-staple-token
certificate=(--cert "$dir/client.pem" --key "$dir/client.key")

setup_file() {
    (umask 077 && jq -n --arg secret "$secret" --arg token "$token" '{tenants: [
        {id: "acme", keys: [{id: "1", mode: "servicedesk", secret: $secret}]},
        {id: "globex", keys: [{id: "1", mode: "token", secret: $token}, {id: "2", mode: "basic", user: "desk", secret: "\($token)-2"}]}
    ], senders: [{id: "desk", tenant: "globex", keys: [{id: "1", mode: "token", secret: "\($token)-3"}]}]}' >"$SERVICEDESK_TENANTS_FILE")
    make_certificates
    redis_start
    start_responder "$dir/responder.log" "$dir/responder.sock" --processes 1
    wait_up "$pid" responder_answers "$dir/responder.sock" ready
    example_start main
    example_start certificate 's|#ssl_client_c|ssl_client_c|; s|#ssl_verify|ssl_verify|'
    example_start one 's|#ssl_client_c|ssl_client_c|; s|#ssl_verify_client on|ssl_verify_client optional|
        /#location/,/#}/ { s|#||; s|SENDER|desk| }'
    example_start proxied 's|#set_real_ip_from 192.0.2.10|set_real_ip_from 127.0.0.1|; s|#real_ip_h|real_ip_h|'
    example_start untrusted 's|#set_real_ip_from 192|set_real_ip_from 192|; s|#real_ip_h|real_ip_h|'
}

make_certificates() {
    local name
    for name in server client; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$name" \
            -addext 'subjectAltName=DNS:webhooks.example.com' -keyout "$dir/$name.key" -out "$dir/$name.pem" 2>/dev/null
    done
}

# example_copy NAME SED: copies the shipped files into $dir/NAME; the example, edited, replaces nginx.conf's server.
example_copy() {
    mkdir -p "$dir/$1"
    rm -rf "${dir:?}/$1/nginx"
    cp -r "$root/nginx" "$dir/$1/nginx"
    sed '/server {/,$d' "$root/nginx/nginx.conf" >"$dir/$1/nginx/nginx.conf"
    echo 'include servicedesk/tls-example.conf; }' >>"$dir/$1/nginx/nginx.conf"
    sed "s|/etc/ssl/servicedesk/fullchain.pem|$dir/server.pem|; s|/etc/ssl/servicedesk/privkey.pem|$dir/server.key|
        s|/etc/ssl/servicedesk/senders-ca.pem|$dir/client.pem|; $2" \
        "$root/nginx/servicedesk/tls-example.conf" >"$dir/$1/nginx/servicedesk/tls-example.conf"
}

# example_start NAME [SED]: starts an nginx with the example, edited for this place and then by SED.
example_start() {
    local user='' six='s|\[::\]|[::1]|' first=$((20000 + RANDOM % 9000))
    ((EUID)) || user='user root;'
    has_ipv6 || six='/listen \[/d'
    for ((port = first; port < first + 100; port += 2)); do
        example_copy "$1" "$six; s|listen \([0-9]\)|listen 127.0.0.1:\1|; s|:443|:$port|; s|:80|:$((port + 1))|; ${2-}"
        sed -i "s|/run/servicedesk/responder.sock|$dir/responder.sock|" "$dir/$1/nginx/servicedesk/http.conf"
        background "$dir/$1/nginx.log" nginx -p "$dir/$1" -c "$dir/$1/nginx/nginx.conf" -e error.log -g "daemon off; $user"
        if wait_up "$pid" test -s "$dir/$1/nginx.pid"; then
            echo "$port" >"$dir/$1/port"
            return
        fi
    done
    die "nginx did not start: $(tail -n 3 "$dir/$1/error.log")"
}

has_ipv6() { grep -qs '^0\{31\}1 ' /proc/net/if_inet6; }

# example_use NAME [http]: sends the following requests to it.
example_use() {
    local port
    port=$(<"$dir/$1/port")
    url=https://webhooks.example.com:$port
    tls=(--cacert "$dir/server.pem" --resolve "*:$port:127.0.0.1")
    [[ ${2-} != http ]] || url=http://127.0.0.1:$((port + 1))
}

setup() {
    redis DEL "$queue" >/dev/null
    example_use main
}

# with FIELD...: posts globex' ticket, to $path if set, with these arguments for curl.
with() { request "${path-/webhook/servicedesk}" --data-binary "$(ticket '.tenant_id = "globex"')" -H Content-Type:application/json "$@"; }

protocol() { tr -d '\r' <"$headers" | sed -n '1s/ *$//p'; }

@test "nginx accepts the example as shipped" {
    example_copy shipped ''
    nginx -t -p "$dir/shipped" -c "$dir/shipped/nginx/nginx.conf" -e error.log >"$dir/shipped/said" 2>&1 || true
    grep -q 'syntax is ok' "$dir/shipped/said"
    # Last of all it tries to listen, which an ordinary user may not on these ports. A newer one warns of http2.
    same '' "$(grep -Ev 'syntax is ok|test is successful|test failed$|bind\(\) .*:(443|80) failed \(13:|http2" directive is deprecated' \
        "$dir/shipped/said")"
}

@test "a signed ticket is accepted over TLS 1.2 and 1.3, over HTTP/1.1 and HTTP/2" {
    post "$(ticket)" "${tls[@]}" --tlsv1.3 --http2
    same '202 HTTP/2 202' "$code $(protocol)"
    post "$(ticket)" "${tls[@]}" --tls-max 1.2 --http1.1
    same '202 HTTP/1.1 202 Accepted' "$code $(protocol)"
    same 2 "$(depth)"
}

@test "TLS 1.1 is refused for its version" {
    # Not for want of a common cipher, as it would be if only ssl_protocols allowed it.
    run -35 curl -sS "${tls[@]}" --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 "$url/health/live"
    [[ $output == *'alert protocol version'* ]]
}

@test "IPv6: TLS is spoken, and plain HTTP redirected" {
    has_ipv6 || skip 'no IPv6 here'
    port=${url##*:}
    post "$(ticket)" --cacert "$dir/server.pem" --resolve "*:$port:[::1]"
    same 202 "$code"
    url="http://[::1]:$((port + 1))"
    request /health/live
    same '308 https://[::1]/health/live' "$code $(header Location)"
}

@test "a token and a password are accepted over TLS, and the address of a refused one is logged" {
    with "${tls[@]}" -H "Authorization: Bearer $token"
    same 202 "$code"
    with "${tls[@]}" -u "desk:$token-2"
    same 202 "$code"
    with "${tls[@]}" -H "Authorization: Bearer $token-"
    same '401 no key matches 127.0.0.1' "$code $(logged cause) $(logged remote_addr)"
}

@test "plain HTTP refuses webhooks, to whatever path, and redirects GET and HEAD" {
    example_use main http
    with -H "Authorization: Bearer $token"
    problem 403 'Only https is accepted'
    post "$(ticket)"
    problem 403 'Only https is accepted'
    request /webhook -d x
    problem 403 'Only https is accepted'
    request '/health/live?x=1'
    same "308 https://127.0.0.1/health/live?x=1" "$code $(header Location)"
    request /webhook/servicedesk -I
    same "308 https://127.0.0.1/webhook/servicedesk" "$code $(header Location)"
    same 0 "$(depth)"
}

@test "what nginx itself refuses over plain HTTP is a problem too" {
    example_use main http
    refused 400 "GET /%%zz HTTP/1.1\r\n$end"
    refused 400 "POST /webhook/servicedesk HTTP/1.1\r\nContent-Length: x\r\n$end"
    refused 400 '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n'
    refused 405 "TRACE / HTTP/1.1\r\n$end"
    refused 414 "GET /$long HTTP/1.1\r\n$end"
    refused 501 "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n$end"
    refused 505 "GET / HTTP/9.9\r\n$end"
    refused 404 "GET /servicedesk-problem HTTP/1.1\r\n$end"
    refused 403 "POST /servicedesk-problem HTTP/1.1\r\n$end"
}

@test "plain HTTP to the port of TLS is refused" {
    url=http://127.0.0.1:${url##*:}
    post "$(ticket)"
    problem 400
    same 0 "$(depth)"
}

@test "with client certificates, only a client that has one gets through" {
    example_use certificate
    with "${tls[@]}" -H "Authorization: Bearer $token"
    problem 400
    with "${tls[@]}" -H "Authorization: Bearer $token" "${certificate[@]}"
    same 202 "$code"
    with "${tls[@]}" -H "Authorization: Bearer $token-" "${certificate[@]}"
    problem 401
    with "${tls[@]}" -H "Authorization: Bearer $token" --cert "$dir/server.pem" --key "$dir/server.key"
    problem 400
}

@test "a client certificate can be demanded of one sender only" {
    example_use one
    with "${tls[@]}" -H "Authorization: Bearer $token"
    same 202 "$code"
    path=/webhook/servicedesk/desk
    with "${tls[@]}" -H "Authorization: Bearer $token-3"
    problem 403
    with "${tls[@]}" -H "Authorization: Bearer $token-3" "${certificate[@]}"
    same 202 "$code"
    # No other spelling of the path leads round the certificate.
    for path in /webhook/servicedesk/%64esk /webhook//servicedesk/./desk /webhook/servicedesk/desk/; do
        with "${tls[@]}" -H "Authorization: Bearer $token-3" --path-as-is
        [[ $code == 40[13] ]]
    done
    same 2 "$(depth)"
}

@test "the address that a proxy names is logged if the proxy is named, and only then" {
    example_use proxied
    with "${tls[@]}" -H "Authorization: Bearer $token-" -H 'X-Forwarded-For: 203.0.113.9'
    same 203.0.113.9 "$(logged remote_addr)"
    with "${tls[@]}" -H "Authorization: Bearer $token-" -H 'X-Forwarded-For: 127.0.0.1, 203.0.113.9'
    same 203.0.113.9 "$(logged remote_addr)"
    example_use untrusted
    with "${tls[@]}" -H "Authorization: Bearer $token-" -H 'X-Forwarded-For: 203.0.113.9'
    same 127.0.0.1 "$(logged remote_addr)"
}

@test "through a proxy on the same host, /metrics is closed once the proxy is named, and open until then" {
    example_use proxied
    request /metrics "${tls[@]}" -H 'X-Forwarded-For: 203.0.113.9'
    problem 403
    example_use main
    request /metrics "${tls[@]}" -H 'X-Forwarded-For: 203.0.113.9'
    same 200 "$code"
}
