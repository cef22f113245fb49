# How much a client may ask of nginx: connections, time and rate.
load stack.bash

# hold NAME BYTES: 4,300 clients of another nginx send these and then nothing, while a ticket is posted.
hold() {
    local stalled=$BATS_TEST_TMPDIR/stalled clients limit
    limit=$(ulimit -Hn)
    [[ $limit == unlimited ]] || ((limit >= 9000)) || skip "needs 9000 descriptors, may have $limit"
    nginx_start "$1" "$dir/responder.sock" 's|\(client_[a-z]*_timeout\) .*|\1 5s;|'
    nginx_use "$1"
    python3 "$BATS_TEST_DIRNAME/stalled.py" "${url##*:}" 4300 "$2" >"$stalled" 3>&- &
    clients=$!
    wait_for 30 test -s "$stalled"
    for _ in {1..20}; do
        post "$(ticket)" -m 2
        accepted
    done
    same '4300 open' "$(<"$stalled")"
    wait "$clients"
    same '4300 closed, 0 bytes' "$(tail -n 1 "$stalled")"
}

@test "4,300 unfinished headers shut nobody out, and are closed after the timeout" {
    hold headers 'POST /webhook/servicedesk HTTP/1.1\r\nHost: x\r\n'
}

@test "4,300 unfinished bodies shut nobody out, and are closed after the timeout" {
    hold bodies 'POST /webhook/servicedesk HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{'
}
