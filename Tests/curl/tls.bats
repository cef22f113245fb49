# nginx/servicedesk/tls-example.conf, as an operator copies it: TLS, tokens over it, plain HTTP, client certificates, real_ip.
load stack.bash

unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json
token=correct-horse-battery-staple-token

setup_file() {
    (umask 077 && jq -n --arg secret "$secret" --arg token "$token" '{tenants: [
        {id: "acme", keys: [{id: "1", mode: "servicedesk", secret: $secret}]},
        {id: "globex", keys: [{id: "1", mode: "token", secret: $token}, {id: "2", mode: "basic", user: "desk", secret: "\($token)-2"}]}
    ]}' >"$SERVICEDESK_TENANTS_FILE")
    make_certificates
    redis_start
    start_responder "$dir/responder.log" "$dir/responder.sock" --processes 1
    wait_up "$pid" responder_answers "$dir/responder.sock" ready
    example_start main
    example_start certificate 's|#ssl_client_c|ssl_client_c|; s|#ssl_verify|ssl_verify|'
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

# example_start NAME [SED]: starts an nginx with the example, edited for this place and then by SED.
example_start() {
    local user='' first=$((20000 + RANDOM % 9000))
    ((EUID)) || user='user root;'
    mkdir -p "$dir/$1"
    cp -r "$root/nginx" "$dir/$1/nginx"
    sed '/server {/,$d' "$root/nginx/nginx.conf" >"$dir/$1/nginx/nginx.conf"
    echo 'include servicedesk/tls-example.conf; }' >>"$dir/$1/nginx/nginx.conf"
    for ((port = first; port < first + 100; port += 2)); do
        sed "s|/run/servicedesk/responder.sock|$dir/responder.sock|; /listen \[/d; s|listen 443|listen 127.0.0.1:$port|
            s|listen 80|listen 127.0.0.1:$((port + 1))|; s|/etc/ssl/servicedesk/fullchain.pem|$dir/server.pem|
            s|/etc/ssl/servicedesk/privkey.pem|$dir/server.key|; s|/etc/ssl/servicedesk/senders-ca.pem|$dir/client.pem|; ${2-}" \
            "$root/nginx/servicedesk/tls-example.conf" >"$dir/$1/nginx/servicedesk/tls-example.conf"
        sed -i "s|/run/servicedesk/responder.sock|$dir/responder.sock|" "$dir/$1/nginx/servicedesk/http.conf"
        background "$dir/$1/nginx.log" nginx -p "$dir/$1" -c "$dir/$1/nginx/nginx.conf" -e error.log -g "daemon off; $user"
        if wait_up "$pid" test -s "$dir/$1/nginx.pid"; then
            echo "$port" >"$dir/$1/port"
            return
        fi
    done
    die "nginx did not start: $(tail -n 3 "$dir/$1/error.log")"
}

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

# with FIELD...: posts globex' ticket with these arguments for curl.
with() { request /webhook/servicedesk --data-binary "$(ticket '.tenant_id = "globex"')" -H Content-Type:application/json "$@"; }

logged() {
    local id
    id=$(header X-Request-ID)
    wait_for 3 grep -qF "$id" "$SERVICEDESK_LOG_FILE"
    grep -F "$id" "$SERVICEDESK_LOG_FILE" | jq -r ".$1"
}

@test "a signed ticket is accepted over TLS 1.2 and 1.3, over HTTP/1.1 and HTTP/2" {
    for options in '--tlsv1.3 --http2' '--tls-max 1.2 --http1.1'; do
        # shellcheck disable=SC2086 # several words
        post "$(ticket)" "${tls[@]}" $options
        same 202 "$code"
    done
    run -35 curl -sS "${tls[@]}" --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 "$url/health/live"
}

@test "a token and a password are accepted over TLS, and the address of a refused one is logged" {
    with "${tls[@]}" -H "Authorization: Bearer $token"
    same 202 "$code"
    with "${tls[@]}" -u "desk:$token-2"
    same 202 "$code"
    with "${tls[@]}" -H "Authorization: Bearer $token-"
    same '401 no key matches 127.0.0.1' "$code $(logged cause) $(logged remote_addr)"
}

@test "plain HTTP refuses webhooks and redirects everything else" {
    example_use main http
    with -H "Authorization: Bearer $token"
    problem 403 'Only https is accepted'
    request '/health/live?x=1'
    same "308 https://127.0.0.1/health/live?x=1" "$code $(header Location)"
    same 0 "$(depth)"
}

@test "with client certificates, only a client that has one gets through" {
    example_use certificate
    with "${tls[@]}" -H "Authorization: Bearer $token"
    problem 400
    with "${tls[@]}" -H "Authorization: Bearer $token" --cert "$dir/client.pem" --key "$dir/client.key"
    same 202 "$code"
    with "${tls[@]}" -H "Authorization: Bearer $token-" --cert "$dir/client.pem" --key "$dir/client.key"
    problem 401
    with "${tls[@]}" -H "Authorization: Bearer $token" --cert "$dir/server.pem" --key "$dir/server.key"
    problem 400
}

@test "the address that a proxy names is logged if the proxy is named, and only then" {
    example_use proxied
    with "${tls[@]}" -H "Authorization: Bearer $token-" -H 'X-Forwarded-For: 203.0.113.9'
    same 203.0.113.9 "$(logged remote_addr)"
    example_use untrusted
    with "${tls[@]}" -H "Authorization: Bearer $token-" -H 'X-Forwarded-For: 203.0.113.9'
    same 127.0.0.1 "$(logged remote_addr)"
}
