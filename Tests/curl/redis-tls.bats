# TLS to Redis: what must connect, what must not, and what an operator is told about each mistake.
load redis-tls.bash

setup_file() {
    servers_start
    certificate expired DNS:localhost,IP:127.0.0.1 -days -1
    future_certificate future DNS:localhost,IP:127.0.0.1
    certificate client DNS:client -days 2
    server expired
    server future
    cp good.crt strict.crt
    cp good.key strict.key
    server strict --tls-auth-clients yes
    cp good.crt old.crt
    cp good.key old.key
    server old --tls-protocols TLSv1.2
    cp good.crt ancient.crt
    cp good.key ancient.key
    server ancient --tls-protocols TLSv1.1
    redis_start
    export SERVICEDESK_REDIS_URL=rediss://localhost:$(port good) SERVICEDESK_REDIS_CA_FILE=$dir/ca.crt
    start_responder "$dir/responder.log" "$dir/responder.sock" --processes 2
    wait_up "$pid" responder_answers "$dir/responder.sock" ready
    nginx_start main "$dir/responder.sock"
}

setup() {
    nginx_use main
    redis-cli -s "$dir/good.redis.sock" DEL "$queue" >/dev/null
    export SERVICEDESK_REDIS_CA_FILE=$dir/ca.crt
}

@test "jobs go over TLS, by name and by address, one or many at a time" {
    post "$(ticket)"
    accepted
    post "$(long_ticket '😀')" -H 'webhook-id: tls-1'
    accepted
    same 2 "$(jobs good)"
    ticket >"$BATS_TEST_TMPDIR/body"
    same 400 "$(curl -s --parallel --parallel-max 50 -o /dev/null -w '%{http_code}\n' -H Content-Type:application/json \
        --data-binary "@$BATS_TEST_TMPDIR/body" -H "X-ServiceDesk-Signature: $(sign <"$BATS_TEST_TMPDIR/body")" \
        "$url/webhook/servicedesk?[1-400]" | grep -c 202)"
    same 402 "$(jobs good)"
    with address "rediss://127.0.0.1:$(port good)/3"
    post "$(ticket)"
    accepted
    same 1 "$(redis-cli -s "$dir/good.redis.sock" -n 3 LLEN "$queue")"
    with old "rediss://localhost:$(port old)"
    post "$(ticket)"
    accepted
}

@test "a restart of the server, with another certificate of the CA, costs no job that was answered 202" {
    certificate_of=$(md5sum <"$dir/good.crt")
    (cd "$dir" && certificate good DNS:localhost,IP:127.0.0.1 -days 2)
    [[ $(md5sum <"$dir/good.crt") != "$certificate_of" ]]
    stop "$(<"$dir/good.redis.pid")"
    post "$(ticket)"
    same 503 "$code"
    background "$dir/good.redis.log" redis-server --dir "$dir/good-data" --save '' --port 0 --tls-port "$(port good)" --bind 127.0.0.1 \
        --tls-cert-file "$dir/good.crt" --tls-key-file "$dir/good.key" --tls-ca-cert-file "$dir/ca.crt" --tls-auth-clients no \
        --unixsocket "$dir/good.redis.sock"
    echo "$pid" >"$dir/good.redis.pid"
    wait_for 10 recovers
}

@test "503 and the reason in words: authority, name, dates, client certificate, version, no TLS" {
    export SERVICEDESK_REDIS_CA_FILE=$dir/stranger.crt
    with stranger "rediss://localhost:$(port good)"
    post "$(ticket)"
    unavailable "no trusted CA has issued the server's certificate"
    export SERVICEDESK_REDIS_CA_FILE=$dir/ca.crt
    with name "rediss://127.0.0.1:$(port named)"
    post "$(ticket)"
    unavailable "the server's certificate is not for 127.0.0.1"
    with expired "rediss://localhost:$(port expired)"
    post "$(ticket)"
    unavailable "the server's certificate has expired"
    with future "rediss://localhost:$(port future)"
    post "$(ticket)"
    unavailable "the server's certificate is not valid yet: check both clocks"
    with ancient "rediss://localhost:$(port ancient)"
    post "$(ticket)"
    unavailable "no version in common with the server: it must support TLS 1.2 or 1.3"
    with strict "rediss://localhost:$(port strict)"
    post "$(ticket)"
    unavailable "the server requires a client certificate"
    with refused "rediss://localhost:$(port strict)" SERVICEDESK_REDIS_CERT_FILE="$dir/stranger.crt" SERVICEDESK_REDIS_KEY_FILE="$dir/stranger.key"
    post "$(ticket)"
    unavailable "the server refuses the client certificate"
    redis CONFIG SET bind 127.0.0.1 >/dev/null
    unset SERVICEDESK_REDIS_CA_FILE
    with plain "redis://127.0.0.1:$(port good)"
    post "$(ticket)"
    unavailable 'rediss://'
    same 0 "$(jobs good)"
}

@test "a server that does not speak TLS is told from one that does not answer" {
    python3 "$root/Tests/curl/plain_server.py" '-ERR unknown command' >"$dir/plain.port" 3>&- &
    echo $! >"$dir/plain.server.pid"
    python3 "$root/Tests/curl/plain_server.py" >"$dir/silent.port" 3>&- &
    echo $! >"$dir/silent.server.pid"
    eventually test -s "$dir/plain.port" -a -s "$dir/silent.port"
    with nottls "rediss://127.0.0.1:$(port plain)"
    post "$(ticket)"
    unavailable 'the server does not speak TLS on this port'
    with silent "rediss://127.0.0.1:$(port silent)"
    post "$(ticket)" -m 10
    unavailable 'connected, but no TLS handshake in time'
}

@test "a client certificate opens a server that requires one" {
    with certified "rediss://localhost:$(port strict)" SERVICEDESK_REDIS_CERT_FILE="$dir/client.crt" SERVICEDESK_REDIS_KEY_FILE="$dir/client.key"
    post "$(ticket)"
    accepted
    same 1 "$(jobs strict)"
}

@test "faults of the files are found at --check" {
    export SERVICEDESK_REDIS_URL=rediss://localhost:1
    faulty() {
        run -78 env "${@:2}" "$program" --check
        [[ $output == *"$1"* ]] || { echo "$output"; false; }
    }
    faulty "SERVICEDESK_REDIS_CA_FILE: $dir/none cannot be used: No such file" SERVICEDESK_REDIS_CA_FILE="$dir/none"
    echo nonsense >"$dir/nonsense"
    chmod 600 "$dir/nonsense"
    faulty "SERVICEDESK_REDIS_CA_FILE: $dir/nonsense cannot be used" SERVICEDESK_REDIS_CA_FILE="$dir/nonsense"
    faulty 'need each other' SERVICEDESK_REDIS_CERT_FILE="$dir/client.crt"
    faulty "SERVICEDESK_REDIS_CERT_FILE: $dir/nonsense cannot be used" SERVICEDESK_REDIS_CERT_FILE="$dir/nonsense" SERVICEDESK_REDIS_KEY_FILE="$dir/client.key"
    faulty "SERVICEDESK_REDIS_KEY_FILE: $dir/nonsense cannot be used" SERVICEDESK_REDIS_CERT_FILE="$dir/client.crt" SERVICEDESK_REDIS_KEY_FILE="$dir/nonsense"
    faulty 'is not the key of SERVICEDESK_REDIS_CERT_FILE' SERVICEDESK_REDIS_CERT_FILE="$dir/client.crt" SERVICEDESK_REDIS_KEY_FILE="$dir/good.key"
    chmod 644 "$dir/named.key"
    faulty "SERVICEDESK_REDIS_KEY_FILE: $dir/named.key" SERVICEDESK_REDIS_CERT_FILE="$dir/named.crt" SERVICEDESK_REDIS_KEY_FILE="$dir/named.key"
    faulty 'files for TLS are set, but SERVICEDESK_REDIS_URL is not rediss://' SERVICEDESK_REDIS_URL=redis://localhost:1
    run -0 "$program" --check
}

@test "files are read again on HUP, and one with a fault changes nothing" {
    cp "$dir/stranger.crt" "$dir/changing.crt"
    export SERVICEDESK_REDIS_CA_FILE=$dir/changing.crt
    with hup "rediss://localhost:$(port good)"
    post "$(ticket)"
    unavailable 'no trusted CA'
    multiwatch=$(<"$dir/hup.sock.pid")
    echo nonsense >"$dir/changing.crt"
    pkill -HUP -P "$multiwatch"
    eventually grep -q 'files for TLS to Redis not reloaded, still using the old ones: SERVICEDESK_REDIS_CA_FILE' "$SERVICEDESK_LOG_FILE"
    cp "$dir/ca.crt" "$dir/changing.crt"
    pkill -HUP -P "$multiwatch"
    eventually grep -q 'files for TLS to Redis reloaded' "$SERVICEDESK_LOG_FILE"
    wait_for 5 recovers
}

@test "refused requests are kept over TLS too, with the files that HUP has loaded" {
    cp "$dir/stranger.crt" "$dir/quarantine.crt"
    export SERVICEDESK_REDIS_CA_FILE=$dir/quarantine.crt
    with quarantine "rediss://localhost:$(port good)" SERVICEDESK_QUARANTINE=10
    post "$(ticket '.priority = "none"')"
    wrong priority
    eventually grep -q "refused requests are not kept.*no trusted CA has issued the server's certificate" "$SERVICEDESK_LOG_FILE"
    cp "$dir/ca.crt" "$dir/quarantine.crt"
    pkill -HUP -P "$(<"$dir/quarantine.sock.pid")"
    eventually grep -q 'files for TLS to Redis reloaded' "$SERVICEDESK_LOG_FILE"
    # What was read then counts, not what is in the file now.
    cp "$dir/stranger.crt" "$dir/quarantine.crt"
    post "$(ticket '.priority = "none"')"
    wrong priority
    eventually eval '[[ $(redis-cli -s "$dir/good.redis.sock" XLEN "{$queue}:quarantine") == 1 ]]'
}

@test "servicedeskctl reaches the server in the same way" {
    export SERVICEDESK_REDIS_URL=rediss://localhost:$(port good)
    head -c 200000 /dev/zero | tr '\0' x | ctl push >/dev/null
    same 1 "$(ctl depth)"
    same 200001 "$(ctl peek | wc -c)"
    SERVICEDESK_REDIS_CA_FILE=$dir/stranger.crt run -1 ctl depth
    [[ $output == *"no trusted CA has issued the server's certificate"* ]]
    SERVICEDESK_REDIS_URL=rediss://localhost:$(port strict) run -1 ctl depth
    [[ $output == *'the server requires a client certificate'* ]] || { echo "$output"; false; }
}
