# Apache httpd with mod_proxy_fcgi: it passes a body on as it arrives, and with enablereuse=on keeps its connections.
load stack.bash
ways=(unix unix-reuse tcp tcp-reuse)

start_peer() {
    local edit=
    [[ $1 != *-reuse ]] || edit='s|^ProxyPass.*|& enablereuse=on|;'
    [[ $1 != tcp* ]] || edit+="s#unix:.*|fcgi://servicedesk/#fcgi://$(tcp)/#;"
    apache "$1" "$edit"
}

# apache WAY SED: started by root, its workers change to another user, and need the group to reach the socket.
apache() {
    local user=()
    if ((!EUID)); then
        user=(-c 'User www-data' -c 'Group #0')
        chmod g+x "$BATS_RUN_TMPDIR" "$(dirname "$dir")" "$dir"
    fi
    serve "$1" apache.conf "$2" apache2 -d "$dir/$1" -f "$dir/$1/apache.conf" -c "DefaultRuntimeDir $dir/$1" \
        "${user[@]}" -DFOREGROUND
}

@test "Apache: a good ticket is queued" { each_way good_ticket_is_queued; }
@test "Apache: a wrong signature is 401" { each_way wrong_signature_is_401; }
@test "Apache: a ticket on a sender's path, with a password, is queued" { each_way senders_ticket_is_queued; }
@test "Apache: an invalid payload is 400" { each_way invalid_payload_is_400; }
@test "Apache: an unknown path is the responder's 404" { each_way unknown_path_is_404; }
@test "Apache: tickets of 60 and of 119 KB are queued" { each_way long_tickets_are_queued; }
@test "Apache: chunked tickets, which declare no length, are queued" { each_way chunked_ticket_is_queued 😀; }
@test "Apache: a body over the limit is 413, and the next ticket is queued" {
    each_way too_long_is_413_and_the_next_is_queued
}
@test "Apache: a chunked body over the limit is 413, and the next ticket is queued" {
    each_way too_long_is_413_and_the_next_is_queued "${chunked[@]}"
}
@test "Apache: a body over the limit is 413, and the next ticket on the same connection is queued" {
    each_way too_long_is_413_and_the_next_on_the_same_connection_is_queued
}
@test "Apache: a slow body over the limit is 413, and the next ticket is queued" {
    each_way too_long_in_pieces_is_413_and_the_next_is_queued
}
@test "Apache: a ticket in 300 pieces is queued" { each_way pieces_are_queued; }
@test "Apache: a ticket in 300 chunks is queued" { each_way pieces_are_queued chunked; }
@test "Apache: eight tickets that wait for Redis together are queued" { each_way eight_at_once_are_queued; }
@test "Apache: GET and HEAD of the health check" { each_way health_answers_get_and_head; }

# in_flight_are_answered DRAIN PAUSE: stops a set of its own while requests wait for Redis, which hangs for PAUSE s.
in_flight_are_answered() {
    local set transfers redis
    redis=$(<"$dir/redis.pid")
    socket=$dir/drain-$1.sock
    export SERVICEDESK_DRAIN_TIMEOUT=$1
    start_responder "$dir/drain-$1.log" "$socket" --processes 2
    set=$pid
    mkdir "$dir/drain-$1"
    apache "drain-$1" 's|^ProxyPass.*|& enablereuse=on|'
    use "drain-$1"

    post_eight warm-up
    same "$eight_times_202" "$(codes warm-up)"
    (($(connections) > 1)) # Apache keeps them
    kill -STOP "$redis"
    post_eight in-flight &
    transfers=$!
    sleep 0.5
    kill -TERM "$set"
    sleep "$2"
    kill -CONT "$redis"
    wait "$transfers"
    same "$eight_times_202" "$(codes in-flight)"
    same 16 "$(redis LLEN "$queue")"
    wait_for $(($1 + 3)) gone "$set"
}

# connections: prints how many the set has open; 03 is the state "connected".
connections() { grep -c " 00000000 0001 03 .* $socket$" /proc/net/unix; }

@test "Apache with kept connections: requests in flight when the set is stopped are queued, and the set ends" {
    in_flight_are_answered 4 2
}
@test "Apache with kept connections: requests in flight at the end of the drain are queued, and the set ends" {
    in_flight_are_answered 1 2.5
}
