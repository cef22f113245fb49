# TLS servers on loopback, with certificates of a throwaway CA.
load stack.bash

ctl() { "${program%/*}/servicedeskctl" "$@"; }

# certificate NAME ALTERNATIVES [OPTION...]: makes NAME.crt and NAME.key, issued by the CA.
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -extfile <(echo "subjectAltName=$2") -out "$1.crt" "${@:3}" 2>/dev/null
    chmod 600 "$1.key"
}

# future_certificate NAME ALTERNATIVES: makes NAME.crt and NAME.key, valid from 2040 on.
future_certificate() {
    : >index
    echo 01 >serial
    cat >future.conf <<END
[ca]
default_ca = throwaway
[throwaway]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
[any]
commonName = supplied
[names]
subjectAltName = $2
END
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    openssl ca -batch -config future.conf -in "$1.csr" -out "$1.crt" -cert ca.crt -keyfile ca.key -notext -extensions names \
        -startdate 20400101000000Z -enddate 20410101000000Z 2>/dev/null
}

# server NAME [OPTION...]: starts Redis with that certificate on a free port of 127.0.0.1; the port is in NAME.port.
server() {
    local port first=$((20000 + RANDOM % 9000))
    for ((port = first; port < first + 100; port++)); do
        (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue
        mkdir -p "$dir/$1-data"
        background "$dir/$1.redis.log" redis-server --dir "$dir/$1-data" --save '' --port 0 --tls-port "$port" --bind 127.0.0.1 \
            --tls-cert-file "$dir/$1.crt" --tls-key-file "$dir/$1.key" --tls-ca-cert-file "$dir/ca.crt" --tls-auth-clients no \
            --unixsocket "$dir/$1.redis.sock" "${@:2}"
        echo "$pid" >"$dir/$1.redis.pid"
        eventually eval "[[ \$(redis-cli -s '$dir/$1.redis.sock' PING 2>/dev/null) == PONG ]] || ! kill -0 $pid" || return 1
        kill -0 "$pid" || continue
        echo "$port" >"$dir/$1.port"
        return
    done
    return 1
}

port() { cat "$dir/$1.port"; }

# servers_start: makes the CA, and a stranger whom nobody trusts; starts the servers good, and named, whose certificate has no
# address.
servers_start() {
    local ca
    cd "$dir"
    for ca in ca stranger; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$ca" \
            -keyout $ca.key -out $ca.crt 2>/dev/null
    done
    certificate good DNS:localhost,IP:127.0.0.1 -days 2
    certificate named DNS:localhost -days 2
    server good
    server named
}

teardown_file() {
    local file
    for file in "$dir"/*/nginx.pid "$dir"/*.sock.pid "$dir"/*.redis.pid "$dir/redis.pid" "$dir"/*.server.pid; do
        [[ ! -s $file ]] || stop "$(<"$file")"
    done
}

# with NAME URL [VARIABLE=VALUE...]: starts a responder with that URL, and sends the following requests to it.
with() {
    local pair
    SERVICEDESK_LOG_FILE=$dir/$1.json
    local -x SERVICEDESK_REDIS_URL=$2 SERVICEDESK_REDIS_CONNECT_TIMEOUT=1 SERVICEDESK_REDIS_RETRY_DELAY=0.1
    for pair in "${@:3}"; do local -x "$pair"; done
    start_responder "$dir/$1.log" "$dir/$1.sock" --processes 1
    nginx_start "$1" "$dir/$1.sock"
    nginx_use "$1"
}

jobs() { redis-cli -s "$dir/$1.redis.sock" LLEN "$queue"; }
