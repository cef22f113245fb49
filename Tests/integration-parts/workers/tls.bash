# Redis over TLS: the Redis of a stack also listens on a port, for clients that have a certificate. Its own is for localhost.
# A throwaway CA has issued both; another one, which has issued none, is called stranger.

# tls_on: has the Redis of this stack listen for TLS; sets $tls_port.
tls_on() {
    local name
    for name in ca stranger; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$name" \
            -keyout "$dir/$name.key" -out "$dir/$name.crt" 2>/dev/null
    done
    for name in server client; do
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
            -keyout "$dir/$name.key" -out "$dir/$name.csr" 2>/dev/null
        openssl x509 -req -in "$dir/$name.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -days 2 -out "$dir/$name.crt" \
            -extfile <(echo subjectAltName=DNS:localhost) 2>/dev/null
    done
    redis CONFIG SET tls-auth-clients yes tls-ca-cert-file "$dir/ca.crt" \
        tls-cert-file "$dir/server.crt" tls-key-file "$dir/server.key"
    tls_port=$((20000 + RANDOM % 9000))
    wait_for 10 listens_for_tls
}
listens_for_tls() {
    ((++tls_port))
    [[ $(redis CONFIG SET tls-port "$tls_port") == OK ]]
}

# over_tls USER HOST CA COMMAND...: runs it with the URL of that user at that host, and trusting that CA.
over_tls() {
    local -x SERVICEDESK_REDIS_CA_FILE=$dir/$3.crt
    local -x SERVICEDESK_REDIS_CERT_FILE=$dir/client.crt SERVICEDESK_REDIS_KEY_FILE=$dir/client.key
    local -x worker_url=rediss://$1:secret@$2:$tls_port/1
    "${@:4}"
}
