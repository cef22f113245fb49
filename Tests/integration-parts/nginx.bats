# nginx with fastcgi_request_buffering off, unlike the shipped files: it passes a body on as it arrives.
load stack.bash
ways=(unbuffered)

# Bodies over the limit are let through: the responder is to refuse them.
start_peer() {
    nginx_start "$1" "$socket" \
        's|request_buffering on|request_buffering off|; s|client_max_body_size .*|client_max_body_size 1m;|'
    echo "$pid" >"$dir/$1/peer.pid"
}

@test "nginx, unbuffered: a good ticket is queued" { each_way good_ticket_is_queued; }
@test "nginx, unbuffered: a wrong signature is 401" { each_way wrong_signature_is_401; }
@test "nginx, unbuffered: a ticket on a sender's path, with a password, is queued" { each_way senders_ticket_is_queued; }
@test "nginx, unbuffered: an invalid payload is 400" { each_way invalid_payload_is_400; }
@test "nginx, unbuffered: tickets of 60 and of 119 KB are queued" { each_way long_tickets_are_queued; }
@test "nginx, unbuffered: chunked tickets, which declare no length, are queued" {
    each_way chunked_ticket_is_queued 😀
}
@test "nginx, unbuffered: a body over the limit is 413, and the next ticket is queued" {
    each_way too_long_is_413_and_the_next_is_queued
}
@test "nginx, unbuffered: a chunked body over the limit is 413, and the next ticket is queued" {
    each_way too_long_is_413_and_the_next_is_queued "${chunked[@]}"
}
@test "nginx, unbuffered: a body over the limit is 413, and the next ticket on the same connection is queued" {
    each_way too_long_is_413_and_the_next_on_the_same_connection_is_queued
}
@test "nginx, unbuffered: a slow body over the limit is 413, and the next ticket is queued" {
    each_way too_long_in_pieces_is_413_and_the_next_is_queued
}
@test "nginx, unbuffered: a ticket in 300 pieces is queued" { each_way pieces_are_queued; }
@test "nginx, unbuffered: a ticket in 300 chunks is queued" { each_way pieces_are_queued chunked; }
@test "nginx, unbuffered: eight tickets that wait for Redis together are queued" { each_way eight_at_once_are_queued; }
@test "nginx, unbuffered: GET and HEAD of the health check" { each_way health_answers_get_and_head; }
