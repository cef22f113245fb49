# HAProxy with fcgi-app. It keeps connections, numbers the requests on them 1, 3, 5 …, and has health checks.
load stack.bash
ways=(unix tcp reuse large checked asking)

# Only `checked` has the health check, so that a failing check does not fail everything else. `reuse` sends even a
# client's first request on a connection that is open already. `large` has a buffer of 64 KB.
# `asking` asks the responder first, with GET_VALUES, whether it multiplexes, and would do so.
start_peer() {
    local edit="s|^global|&\n    stats socket $dir/$1/control.sock|;"
    [[ $1 == checked ]] || edit+='s|check inter 1s||;'
    case $1 in
        checked) edit+='s|inter 1s|inter 100ms|; s|option httpchk|timeout check 5s\n    &|;' ;;
        tcp) edit+="s|unix@/run[^ ]*|$(tcp)|;" ;;
        reuse) edit+='s|mode http|&\n    http-reuse always|;' ;;
        asking) edit+='s|docroot /|&\n    option get-values\n    option mpxs-conns|;' ;;
        large) edit+='s|# tune.bufsize|tune.bufsize|;' ;;
    esac
    serve "$1" haproxy.cfg "$edit" haproxy -db -f haproxy.cfg
}

# state FIELD: prints a field of the server, by its name in `show stat`.
state() {
    echo show stat | socat -t 5 - "UNIX:$dir/$way/control.sock" | awk -F , -v field="$1" '
        /^# / { sub(/^# /, ""); for (i = 1; i <= NF; i++) column[$i] = i }
        $2 == "responder" { print $column[field] }'
}

checks_keep_it_up() {
    sleep 1 # ten checks, in addition to those during the other tests
    same UP "$(state status)"
    same L7OK "$(state check_status)"
    same 0 "$(state chkdown)"
    same 0 "$(state chkfail)"
}

haproxy_wants_a_length() {
    post "$(long_ticket 😀)" "${chunked[@]}"
    same 400 "$code"
}

@test "HAProxy: a good ticket is queued" { each_way good_ticket_is_queued; }
@test "HAProxy: a wrong signature is 401" { each_way wrong_signature_is_401; }
@test "HAProxy: a ticket on a sender's path, with a password, is queued" { each_way senders_ticket_is_queued; }
@test "HAProxy: an invalid payload is 400" { each_way invalid_payload_is_400; }
@test "HAProxy: an unknown path is the responder's 404" { each_way unknown_path_is_404; }
@test "HAProxy: tickets of 60 and of 119 KB are queued" { each_way long_tickets_are_queued; }
@test "HAProxy: chunked tickets that fit its buffer are queued" {
    only='unix tcp reuse checked asking' each_way chunked_ticket_is_queued
    only=large each_way chunked_ticket_is_queued 漢
}
@test "HAProxy: chunked bodies that do not fit its buffer are HAProxy's 400" {
    each_way haproxy_wants_a_length
}
@test "HAProxy: a body over the limit is 413, and the next ticket is queued" {
    each_way too_long_is_413_and_the_next_is_queued
}
@test "HAProxy: a body over the limit is 413, and the next ticket on the same connection is queued" {
    each_way too_long_is_413_and_the_next_on_the_same_connection_is_queued
}
@test "HAProxy: a slow body over the limit is 413, and the next ticket is queued" {
    each_way too_long_in_pieces_is_413_and_the_next_is_queued
}
@test "HAProxy: a ticket in 300 pieces is queued" { each_way pieces_are_queued; }
@test "HAProxy: eight tickets that wait for Redis together are queued" { each_way eight_at_once_are_queued; }
@test "HAProxy: GET and HEAD of the health check" { each_way health_answers_get_and_head; }
@test "HAProxy: health checks with HEAD find the responder up" {
    only=checked each_way checks_keep_it_up
}

# Only HAProxy announces this, with ABORT_REQUEST, before it closes the connection.
gives_up() {
    local redis posting
    redis=$(<"$dir/redis.pid")
    kill -STOP "$redis"
    post "$(ticket)"
    kill -CONT "$redis"
    same 504 "$code"
    eventually queued 1
    post "$(ticket)"
    accepted
    queued 2
}
queued() { [[ $(redis LLEN "$queue") == "$1" ]]; }

@test "HAProxy: a ticket is queued even if HAProxy gives up waiting, and so is the next" {
    mkdir "$dir/hasty"
    serve hasty haproxy.cfg 's|timeout server .*|timeout server 1s|; s|check inter 1s||' haproxy -db -f haproxy.cfg
    only=hasty each_way gives_up
}
