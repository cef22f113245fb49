# lighttpd with mod_fastcgi: a connection for each request. It reads the whole body first, unless it is told to stream.
load stack.bash
ways=(unix tcp stream stream-tcp)

start_peer() {
    local edit= address
    [[ $1 != stream* ]] || edit='s|^server.modules.*|&\nserver.stream-request-body = 2|;'
    address=$(tcp)
    [[ $1 != *tcp ]] || edit+="s|\"socket\" => .*|\"host\" => \"${address%:*}\", \"port\" => ${address#*:},|;"
    serve "$1" lighttpd.conf "$edit" lighttpd -D -f lighttpd.conf
}

lighttpd_wants_a_length() {
    in_pieces "$(long_ticket a 400)" 300 chunked
    same 411 "$code"
}

@test "lighttpd: a good ticket is queued" { each_way good_ticket_is_queued; }
@test "lighttpd: a wrong signature is 401" { each_way wrong_signature_is_401; }
@test "lighttpd: a ticket on a sender's path, with a password, is queued" { each_way senders_ticket_is_queued; }
@test "lighttpd: an invalid payload is 400" { each_way invalid_payload_is_400; }
@test "lighttpd: an unknown path is the responder's 404" { each_way unknown_path_is_404; }
@test "lighttpd: tickets of 60 and of 119 KB are queued" { each_way long_tickets_are_queued; }
@test "lighttpd: chunked tickets, which declare no length, are queued" {
    only='unix tcp' each_way chunked_ticket_is_queued 😀
}
@test "lighttpd: a body over the limit is 413, and the next ticket is queued" {
    each_way too_long_is_413_and_the_next_is_queued
}
@test "lighttpd: a chunked body over the limit is 413, and the next ticket is queued" {
    only='unix tcp' each_way too_long_is_413_and_the_next_is_queued "${chunked[@]}"
}
@test "lighttpd: a body over the limit is 413, and the next ticket on the same connection is queued" {
    each_way too_long_is_413_and_the_next_on_the_same_connection_is_queued
}
@test "lighttpd: a slow body over the limit is 413, and the next ticket is queued" {
    each_way too_long_in_pieces_is_413_and_the_next_is_queued
}
@test "lighttpd: a ticket in 300 pieces is queued" { each_way pieces_are_queued; }
@test "lighttpd: a ticket in 300 chunks is queued" { only='unix tcp' each_way pieces_are_queued chunked; }
@test "lighttpd: when it streams, a slow chunked body is lighttpd's 411" {
    only='stream stream-tcp' each_way lighttpd_wants_a_length
}
@test "lighttpd: eight tickets that wait for Redis together are queued" { each_way eight_at_once_are_queued; }
@test "lighttpd: GET and HEAD of the health check" { each_way health_answers_get_and_head; }
