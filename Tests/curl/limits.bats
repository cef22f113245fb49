# How much a client may ask of nginx: connections, time and rate.
load stack.bash

# hold NAME BYTES: 4,300 clients send BYTES to another nginx and then nothing, while tickets are posted.
hold() {
    local stalled=$BATS_TEST_TMPDIR/stalled clients limit
    limit=$(ulimit -Hn)
    [[ $limit == unlimited ]] || ((limit >= 9000)) || skip "needs 9000 descriptors, may have $limit"
    nginx_start "$1" "$dir/responder.sock" 's|\(client_[a-z]*_timeout\) .*|\1 8s;|'
    nginx_use "$1"
    python3 "$BATS_TEST_DIRNAME/stalled.py" "${url##*:}" 4300 "$2" >"$stalled" 3>&- &
    clients=$!
    eventually test -s "$stalled"
    for _ in {1..20}; do
        post "$(ticket)" -m 2
        accepted
    done
    same '4300 open' "$(<"$stalled")"
    wait "$clients"
    same '4300 closed, 0 bytes' "$(tail -n 1 "$stalled")"
}

@test "4,300 unfinished headers lock out no other client, and are closed after the timeout" {
    hold headers 'POST /webhook/servicedesk HTTP/1.1\r\nHost: x\r\n'
}

@test "4,300 unfinished bodies lock out no other client, and are closed after the timeout" {
    hold bodies 'POST /webhook/servicedesk HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{'
}

# post_many COUNT: posts that many tickets as fast as it can from one address; prints the count of each status.
post_many() {
    local body=$BATS_TEST_TMPDIR/body
    ticket >"$body"
    curl -sS -Z --parallel-max 64 --no-progress-meter "$url/webhook/servicedesk?[1-$1]" --data-binary "@$body" \
        -H 'Content-Type: application/json' -H "X-ServiceDesk-Signature: $(sign <"$body")" \
        -o /dev/null -w '%{http_code}\n' | sort | uniq -c | tr -s ' '
}

@test "the shipped limit lets a bulk edit of 5,000 tickets from one address pass" {
    SERVICEDESK_RATE='' nginx_start shipped "$dir/responder.sock"
    nginx_use shipped
    same "$(cd "$root/nginx" && grep -r limit_req)" "$(cd "$dir/shipped/nginx" && grep -r limit_req)"
    same ' 5000 202' "$(post_many 5000)"
    same 5000 "$(redis LLEN "$queue")"
}
