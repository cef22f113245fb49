# servicedeskctl sign and send: what they write is accepted, in every mode.
load stack.bash

unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json

setup_file() {
    umask 077
    jq -n --arg secret "$secret" --arg whsec "whsec_$(head -c 32 /dev/urandom | base64 -w 0)" '
        def key(mode; more): [{id: "1", mode: mode, secret: ($secret + more.id)} + more | del(.id) + {id: "1"}];
        {tenants: [
            {id: "acme", keys: [{id: "off", mode: "servicedesk", secret: ($secret + "-off"), not_after: "2026-01-01T00:00:00Z"},
                {id: "on", mode: "servicedesk", secret: $secret}]},
            {id: "std", keys: [{id: "1", mode: "standard-webhooks", secret: $whsec}]},
            {id: "hub", keys: key("hmac"; {id: "-hub", header: "X-Hub-Signature-256", prefix: "sha256="})},
            {id: "zen", keys: key("hmac"; {id: "-zen", header: "X-Zendesk-Webhook-Signature", encoding: "base64", signed: "timestamp-body",
                timestamp_header: "X-Zendesk-Webhook-Signature-Timestamp", timestamp_format: "rfc3339"})},
            {id: "glpi", keys: key("hmac"; {id: "-glpi", header: "X-GLPI-signature", signed: "body-timestamp", separator: ".",
                timestamp_header: "X-GLPI-timestamp"})},
            {id: "tok", keys: key("token"; {id: "-tok", plaintext: true})},
            {id: "own", keys: key("token"; {id: "-own", plaintext: true, header: "X-Webhook-Secret"})},
            {id: "basic", keys: key("basic"; {id: "-basic", plaintext: true, user: "desk"})},
            {id: "digest", keys: [{id: "1", mode: "token", plaintext: true, sha256: ("0" * 64)}]}
        ], senders: [
            {id: "desk", tenant: "acme", keys: key("basic"; {id: "-desk", plaintext: true, user: "desk"})},
            {id: "msp", tenant_from: {path: "account.name", tenants: {"Globex & Söhne": "std"}}, keys: key("servicedesk"; {id: "-msp"})}]}' \
        >"$SERVICEDESK_TENANTS_FILE"
    stack_up
}

ctl() { "${program%/*}/servicedeskctl" "$@"; }
modes='std hub zen glpi tok own basic'

@test "sign writes the headers with which curl posts a ticket, in every mode" {
    for tenant in acme $modes; do
        ticket ".tenant_id = \"$tenant\"" >"$BATS_TEST_TMPDIR/body"
        ctl sign --tenant $tenant <"$BATS_TEST_TMPDIR/body" >"$BATS_TEST_TMPDIR/fields"
        request /webhook/servicedesk --data-binary "@$BATS_TEST_TMPDIR/body" -H Content-Type:application/json \
            -H "@$BATS_TEST_TMPDIR/fields"
        accepted
    done
    ticket 'del(.tenant_id)' >"$BATS_TEST_TMPDIR/body"
    ctl sign --sender desk <"$BATS_TEST_TMPDIR/body" >"$BATS_TEST_TMPDIR/fields"
    request /webhook/servicedesk/desk --data-binary "@$BATS_TEST_TMPDIR/body" -H Content-Type:application/json \
        -H "@$BATS_TEST_TMPDIR/fields"
    accepted
    same 9 "$(depth)"
}

@test "sign agrees with openssl, as JSON too, and takes a key by its id" {
    ticket >"$BATS_TEST_TMPDIR/body"
    same "{\"X-ServiceDesk-Signature\":\"$(sign <"$BATS_TEST_TMPDIR/body")\"}" \
        "$(ctl sign --tenant acme --json <"$BATS_TEST_TMPDIR/body" | jq -c .)"
    same "X-ServiceDesk-Signature: $(sign "$secret-off" <"$BATS_TEST_TMPDIR/body")" \
        "$(ctl sign --tenant acme --key off <"$BATS_TEST_TMPDIR/body")"
    same "$(sign <"$BATS_TEST_TMPDIR/body")" "$(SERVICEDESK_SECRET=$secret ctl sign <"$BATS_TEST_TMPDIR/body")"
    for fault in '--tenant nobody' '--tenant acme --key none' '--tenant digest'; do
        # shellcheck disable=SC2086 # several words
        run -1 ctl sign $fault <"$BATS_TEST_TMPDIR/body"
        [[ $output != *"$secret"* ]]
    done
    run -64 ctl sign --tenant acme --sender desk <"$BATS_TEST_TMPDIR/body"
    run -64 ctl sign --key 1 <"$BATS_TEST_TMPDIR/body"
    # No date-time has that time.
    run -64 ctl sign --tenant zen --timestamp 999999999999999999 <"$BATS_TEST_TMPDIR/body"
}

@test "send posts one ticket, and shows the response" {
    for tenant in acme $modes; do
        run -0 ctl send --url "$url" --tenant $tenant --sample
        like $'202\n\\{"status":"accepted","job_id":"'"$uuid4"'",.*' "$output"
    done
    run -0 ctl send --url "$url" --sender desk --sample
    run -0 ctl send --url "$url" --sender msp --sample
    same std "$(newest | jq -r .tenant_id)"
    ticket >"$BATS_TEST_TMPDIR/body"
    run -0 ctl send --url "$url/" --tenant acme <"$BATS_TEST_TMPDIR/body"
    same TKT-1 "$(newest | jq -r .ticket_id)"
    printf '{"description":"\\"\\\\ \\t \xc3\xa9\n' >"$BATS_TEST_TMPDIR/body"
    run -1 ctl send --url "$url" --tenant acme <"$BATS_TEST_TMPDIR/body"
    [[ $output == 401* ]]
    run -1 --separate-stderr ctl send --url "$url" --tenant acme --key off --sample
    same 'servicedeskctl: warning: key expired' "$stderr"
    [[ $output == 401*'Invalid webhook signature'* ]]
}

@test "a body with quotes, backslashes and line ends arrives as it is" {
    printf '{"event":"a","ticket_id":"T-1","tenant_id":"acme","description":"\\"\\\\ \\t \xc3\xa9 @","priority":"low",\r\n\t"created_at":"2026-01-31T09:30:00Z"}\n' \
        >"$BATS_TEST_TMPDIR/body"
    run -0 ctl send --url "$url" --tenant acme <"$BATS_TEST_TMPDIR/body"
    same $'"\\ \t é @' "$(newest | jq -r .description)"
}

@test "send posts any valid body, however long, once and many times" {
    long_ticket 😀 9000 >"$BATS_TEST_TMPDIR/body"
    (($(wc -c <"$BATS_TEST_TMPDIR/body") > 105000))
    run -0 ctl send --url "$url" --tenant acme <"$BATS_TEST_TMPDIR/body"
    same 9000 "$(newest | jq '.description | length')"
    run -0 ctl send --url "$url" --tenant acme --count 50 --parallel 4 <"$BATS_TEST_TMPDIR/body"
    [[ ${lines[0]} == '202: 50' ]]
    # What curl could not have on a line of its configuration.
    printf '{"a\0":1}' >"$BATS_TEST_TMPDIR/body"
    SERVICEDESK_TENANTS_FILE='' SERVICEDESK_SECRET=$secret run -1 ctl send --url "$url" <"$BATS_TEST_TMPDIR/body"
    [[ $output == 401* ]]
    run -1 ctl send --url "$url" --tenant acme </dev/null
    [[ $output == 401* ]]
    ulimit -f 100
    long_ticket x 9000 | run -0 ctl send --url "$url" --tenant acme
    run -1 ctl send --url "$url" --tenant acme < <(head -c 200000 /dev/zero)
    [[ $output == *'curl cannot be given the body (write: File too large)'* ]]
}

@test "what a response contains is not taken for curl's result" {
    for line in $'\x1e202 inf x' $'\x1e202 0.1 x'; do
        python3 "$root/Tests/curl/plain_server.py" $'HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: '"$((${#line} + 1))"$'\r\n\r\n'"$line"$'\n' \
            >"$BATS_TEST_TMPDIR/port" 3>&- &
        server=$!
        eventually test -s "$BATS_TEST_TMPDIR/port"
        run -1 ctl send --url "http://127.0.0.1:$(<"$BATS_TEST_TMPDIR/port")" --tenant acme --sample
        kill $server
        rm "$BATS_TEST_TMPDIR/port"
        same 500 "${lines[0]}"
        # With nothing that a terminal would obey.
        same "${line/$'\x1e'/ }" "${lines[1]}"
    done
}

@test "results that curl should never write are taken as well as can be" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\nprintf "\\036000 inf \\033[31mred\\n"\n' >"$BATS_TEST_TMPDIR/bin/curl"
    chmod +x "$BATS_TEST_TMPDIR/bin/curl"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run -1 ctl send --tenant acme --sample
    same 'no answer:  [31mred' "$output"
    # None at all.
    printf '#!/bin/sh\nexit 7\n' >"$BATS_TEST_TMPDIR/bin/curl"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run -1 ctl send --tenant acme --sample
    [[ $output == *'curl failed with exit status 7' ]]
}

@test "send posts many at the same time, and sums up" {
    run -0 ctl send --url "$url" --tenant acme --sample --count 300 --parallel 8
    like $'202: 300\nmilliseconds: min [0-9.]+, median [0-9.]+, p90 [0-9.]+, p99 [0-9.]+, max [0-9.]+\n[0-9]+ a second' "$output"
    same 300 "$(depth)"
    same 300 "$(redis LRANGE "$queue" 0 -1 | jq -r .ticket_id | sort -u | wc -l)"
    # Different tickets with one signed delivery id.
    run -1 ctl send --url "$url" --tenant std --sample --count 20 --delivery-id again --json
    same '{"202":1,"422":19}' "$(jq -c .statuses <<<"$output")"
    run -1 --separate-stderr ctl send --url "$url" --tenant acme --key off --sample --count 3 --json
    same '{"401":3}' "$(jq -c .statuses <<<"$output")"
}

@test "a server that is not there, and a curl that is not there, are said to be so" {
    run -1 ctl send --url http://127.0.0.1:1 --tenant acme --sample
    [[ $output == *'no answer'* && $output == *[Cc]onnect* ]]
    run -1 ctl send --url http://127.0.0.1:1 --tenant acme --sample --count 5 --parallel 2
    [[ $output == *'no answer: 5'* ]]
    mkdir "$BATS_TEST_TMPDIR/empty"
    run -1 env PATH="$BATS_TEST_TMPDIR/empty" "${program%/*}/servicedeskctl" send --tenant acme --sample
    [[ $output == *'install curl'* ]]
    run -64 ctl send --url ftp://x --tenant acme --sample
}

@test "no secret is in the list of processes while tickets are sent" {
    ctl send --url "$url" --tenant tok --sample --count 3000 --parallel 2 >/dev/null &
    sending=$!
    seen=0
    while alive "$sending"; do
        ! ps -eo args | grep -F -- "$secret-tok" | grep -vF grep || seen=1
    done
    wait "$sending"
    same 0 "$seen"
}
