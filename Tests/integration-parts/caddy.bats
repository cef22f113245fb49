# Caddy with reverse_proxy and the fastcgi transport: a connection for each request, opened before the body has arrived.
load stack.bash
ways=(unix tcp)

start_peer() {
    local edit=
    [[ $1 != tcp ]] || edit="s|unix//run.*responder.sock|$(tcp)|;"
    # Caddy saves its state below these.
    HOME=$dir/$1 XDG_DATA_HOME=$dir/$1 XDG_CONFIG_HOME=$dir/$1 \
        serve "$1" Caddyfile "$edit" caddy run --config Caddyfile --adapter caddyfile
}

@test "Caddy: a good ticket is queued" { each_way good_ticket_is_queued; }
@test "Caddy: a wrong signature is 401" { each_way wrong_signature_is_401; }
@test "Caddy: a ticket on a sender's path, with a password, is queued" { each_way senders_ticket_is_queued; }
@test "Caddy: an invalid payload is 400" { each_way invalid_payload_is_400; }
@test "Caddy: an unknown path is the responder's 404" { each_way unknown_path_is_404; }
@test "Caddy: tickets of 60 and of 119 KB are queued" { each_way long_tickets_are_queued; }
# Caddy sends CONTENT_LENGTH=-1 with these.
@test "Caddy: chunked tickets, which declare no length, are queued" { each_way chunked_ticket_is_queued 😀; }
@test "Caddy: a chunked ticket with a password is 411" { each_way chunked_ticket_with_a_password_is_411; }
@test "Caddy: a body over the limit is 413, and the next ticket is queued" {
    each_way too_long_is_413_and_the_next_is_queued
}
@test "Caddy: a chunked body over the limit is 413, and the next ticket is queued" {
    each_way too_long_is_413_and_the_next_is_queued "${chunked[@]}"
}
@test "Caddy: a body over the limit is 413, and the next ticket on the same connection is queued" {
    each_way too_long_is_413_and_the_next_on_the_same_connection_is_queued
}
@test "Caddy: a slow body over the limit is 413, and the next ticket is queued" {
    each_way too_long_in_pieces_is_413_and_the_next_is_queued
}
@test "Caddy: a ticket in 300 pieces is queued" { each_way pieces_are_queued; }
@test "Caddy: a ticket in 300 chunks is queued" { each_way pieces_are_queued chunked; }
@test "Caddy: eight tickets that wait for Redis together are queued" { each_way eight_at_once_are_queued; }
@test "Caddy: GET and HEAD of the health check" { each_way health_answers_get_and_head; }
