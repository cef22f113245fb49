# The tenants file as JSON: keys with ids and times, reloaded by itself; and what the log says of a 401.
load stack.bash

unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json

acme=correct-horse-battery-staple-0001
old=correct-horse-battery-staple-0000
globex=globex-secret-of-this-year-00000001

# write [JQ]: puts a good file in place, edited, as an editor does: at once.
write() {
    umask 077
    jq -n --arg acme "$acme" --arg old "$old" '{tenants: [
        {id: "acme", keys: [{id: "2026-11", mode: "servicedesk", secret: $acme},
            {id: "2025", mode: "servicedesk", secret: $old, not_after: "2025-12-31T23:59:59Z"},
            {id: "2099", mode: "servicedesk", secret: ($old + "-next"), not_before: "2099-01-01T00:00:00Z"}]},
        {id: "globex", keys: [{id: "main", mode: "servicedesk", secret_file: "globex.key"}]},
        {id: "initech", active: false, keys: [{id: "1", mode: "servicedesk", secret: ($acme + "-initech")}]}
    ]} | '"${1-.}" >"$SERVICEDESK_TENANTS_FILE.new"
    mv "$SERVICEDESK_TENANTS_FILE.new" "$SERVICEDESK_TENANTS_FILE"
}

setup_file() {
    (umask 077 && echo "$globex" >"$dir/globex.key")
    write
    stack_up
}

@test "a tenant signs with its key, from the file or a file beside it, and the log names the key" {
    post "$(ticket)"
    accepted
    same 2026-11 "$(logged key)"
    secret=$globex post "$(ticket '.tenant_id = "globex"')"
    accepted
    same main "$(logged key)"
}

# refused CAUSE [CLAIMED]: checks for the 401 that all causes have in common, and for the cause in the log.
refused() {
    problem 401 'Invalid webhook signature'
    same "$1" "$(logged cause)"
    same "${2-null}" "$(logged claimed_tenant)"
    same 127.0.0.1 "$(logged remote_addr)"
}

@test "the log explains every 401, and the response does not" {
    signature='' post "$(ticket)"
    problem 401 'Missing signature header'
    same 'header missing' "$(logged cause)"
    signature=nothex post "$(ticket)"
    refused 'header malformed' acme
    post "$(ticket '.tenant_id = "nobody"')"
    refused 'tenant unknown' nobody
    post "$(ticket '.tenant_id = "No One"')"
    refused 'tenant unknown'
    secret=$globex post "$(ticket)"
    refused 'no key matches' acme
    secret=$old post "$(ticket)"
    refused 'key expired' acme
    secret=$old-next post "$(ticket)"
    refused 'key not yet valid' acme
    secret=$acme-initech post "$(ticket '.tenant_id = "initech"')"
    refused 'tenant inactive' initech
    same 0 "$(depth)"
}

@test "a changed file is read automatically, and the log counts what has changed" {
    new=correct-horse-battery-staple-0002
    both_say 'tenants reloaded: 3; tenants: 1 added, 1 removed, 0 changed; keys: 2 added, 3 removed, 1 changed' \
        write '.tenants[0].keys |= [.[0], {id: "2026-12", mode: "servicedesk", secret: "'$new'"}]
            | .tenants[0].keys[0].not_after = "2100-01-01T00:00:00Z" | .tenants[2] = {id: "hooli",
            keys: [{id: "1", mode: "servicedesk", secret: "hooli-secret-of-this-year-000000001"}]}'
    secret=$new post "$(ticket)"
    accepted
    same 2026-12 "$(logged key)"
    post "$(ticket)"
    accepted
    secret=hooli-secret-of-this-year-000000001 post "$(ticket '.tenant_id = "hooli"')"
    accepted
    both_say 'tenants reloaded: 3' write
    secret=$new post "$(ticket)"
    problem 401
}

@test "a file with a fault changes nothing, and the log says where it is" {
    both_say 'tenants not reloaded, still using the old ones: .*tenants\[1\]\.keys\[0\]\.mode: expected one of' \
        write '.tenants[1].keys[0].mode = "none"'
    post "$(ticket)"
    accepted
    # It is told once, not each second.
    before=$(said 'tenants not reloaded')
    sleep 2.5
    same "$before" "$(said 'tenants not reloaded')"
    # A file that is being written is not whole JSON.
    both_say 'tenants not reloaded, still using the old ones: .*unexpected end of input' \
        eval 'head -c 200 "$SERVICEDESK_TENANTS_FILE" >"$dir/cut" && chmod 600 "$dir/cut" && mv "$dir/cut" "$SERVICEDESK_TENANTS_FILE"'
    both_say 'tenants not reloaded, still using the old ones: .*cannot be read' rm "$SERVICEDESK_TENANTS_FILE"
    post "$(ticket)"
    accepted
    both_say 'tenants reloaded: 3' write
    run -1 grep -E "$acme|$globex|$old" "$SERVICEDESK_LOG_FILE" "$dir/responder.log"
}

@test "a file that cannot be read for want of a descriptor is read once there is one, and that is told once" {
    sleep 3.5 # until nginx has closed its connections
    local child children
    children=$(pgrep -P "$(<"$dir/responder.sock.pid")")
    declare -A limit
    for child in $children; do
        limit[$child]=$(prlimit --pid "$child" --nofile --output SOFT --noheadings)
        # One for the thread, and none for the file. The high one is of bats.
        prlimit --pid "$child" --nofile="$(($(ls "/proc/$child/fd" | awk '$1 < 100' | wc -l) + 1)):"
    done
    both_say 'tenants not reloaded, still using the old ones: .*Too many open files' write '.tenants[0].active = false'
    sleep 2.5
    same 2 "$(said 'Too many open files')"
    for child in $children; do prlimit --pid "$child" --nofile="${limit[$child]}:"; done
    both_say 'tenants reloaded: 3; tenants: 0 added, 0 removed, 1 changed' true
    post "$(ticket)"
    problem 401
    both_say 'tenants reloaded: 3' write
}

@test "HUP reads the file and the files of its secrets again" {
    echo another-globex-secret-000000000000001 >"$dir/globex.key"
    both_say 'tenants reloaded: 3; .*keys: 0 added, 0 removed, 1 changed' hup
    secret=another-globex-secret-000000000000001 post "$(ticket '.tenant_id = "globex"')"
    accepted
    echo "$globex" >"$dir/globex.key"
    both_say 'tenants reloaded: 3' hup
}

@test "lines in place of JSON are read on HUP only: they may be cut" {
    printf 'acme %s\n' "$old" >"$dir/lines"
    chmod 600 "$dir/lines"
    both_say 'tenants not reloaded, still using the old ones: .* is no longer JSON: once it is complete, send HUP' \
        mv "$dir/lines" "$SERVICEDESK_TENANTS_FILE"
    post "$(ticket)"
    accepted
    both_say 'tenants reloaded: 1' hup
    secret=$old post "$(ticket)"
    accepted
    write
    both_say 'tenants reloaded: 3' hup
}

@test "no request fails while the file changes again and again" {
    seq 400 >"$BATS_TEST_TMPDIR/numbers"
    body=$(ticket)
    tag=$(printf %s "$body" | sign "$acme")
    (for _ in 1 2 3 4; do write; sleep 0.3; write '.tenants[2].active = true'; sleep 1.3; done) &
    writing=$!
    while alive "$writing"; do
        curl -sS -m 10 -o /dev/null -w '%{http_code}\n' -H Content-Type:application/json \
            -H "X-ServiceDesk-Signature: $tag" --data-binary "$body" "$url/webhook/servicedesk"
    done | sort | uniq -c >"$BATS_TEST_TMPDIR/codes"
    same 202 "$(awk '{ print $2 }' "$BATS_TEST_TMPDIR/codes")"
}

@test "--check reports every fault with its place, and warns of quotes and shared secrets" {
    run -0 "$program" --check
    same '' "$output"
    write '.tenants[0].id = "ACME" | .tenants[1].keys[0].secret_file = "none" | .tenants[2].keys[0].secret = "short"'
    run -78 "$program" --check
    for fault in 'tenants[0].id: expected 1 to 100 of a-z, 0-9 and -' \
        'tenants[1].keys[0].secret_file: cannot be read (open: No such file or directory)' \
        'tenants[2].keys[0].secret: expected at least 32 bytes, found 5'; do
        [[ $output == *"$fault"* ]]
    done
    printf '%s\r\n' "$globex" >"$dir/windows.key"
    chmod 600 "$dir/windows.key"
    write '.tenants[1].keys[0].secret_file = "windows.key"'
    run -78 "$program" --check
    [[ $output == *'tenants[1].keys[0].secret_file: ends with the control character 0x0D: remove it' ]]
    write '.tenants[0].keys[0].secret |= "\"\(.)\""'
    run -0 "$program" --check
    [[ $output == *'tenants file: tenants[0]: a secret is in quotes'* ]]
    write
    printf 'a %s\nb %s\n' "$acme" "$acme" >"$BATS_TEST_TMPDIR/lines"
    SERVICEDESK_TENANTS_FILE=$BATS_TEST_TMPDIR/lines run -0 "$program" --check
    [[ $output == *'tenants file: line 1 and line 2: tenants share a secret'* ]]
    unset SERVICEDESK_TENANTS_FILE
    SERVICEDESK_SECRET="'$acme'" run -0 "$program" --check
    [[ $output == *"SERVICEDESK_SECRET is in quotes"* ]]
}

# many: prints a file of 100,000 tenants.
many() {
    printf '{"tenants":[{"id":"acme","keys":[{"id":"1","mode":"servicedesk","secret":"%s"}]}' "$acme"
    awk 'BEGIN { for (n = 1; n < 100000; n++) printf ",\n{\"id\":\"t-%d\",\"keys\":[{\"id\":\"1\",\"mode\":\"servicedesk\",\"secret\":\"secret-of-some-length-for-tenant-%d\"}]}", n, n }'
    echo ']}'
}

@test "100,000 tenants are loaded without delaying requests" {
    : >"$SERVICEDESK_LOG_FILE"
    many >"$SERVICEDESK_TENANTS_FILE.new"
    load_starts 2
    both_say 'tenants reloaded: 100000;' mv "$SERVICEDESK_TENANTS_FILE.new" "$SERVICEDESK_TENANTS_FILE"
    secret=secret-of-some-length-for-tenant-99999 post "$(ticket '.tenant_id = "t-99999"')"
    accepted
    load_ends
    ((good && !refused))
    longest=$(jq -r 'select(.status == 202).milliseconds' "$SERVICEDESK_LOG_FILE" | sort -g | tail -n 1)
    echo "the longest request took $longest ms"
    ((${longest%.*} < 500))
    both_say 'tenants reloaded: 3' write
}

@test "HUP while the file is read at the start does not end the process" {
    many >"$BATS_TEST_TMPDIR/many"
    chmod 600 "$BATS_TEST_TMPDIR/many"
    SERVICEDESK_TENANTS_FILE=$BATS_TEST_TMPDIR/many SERVICEDESK_LOG_FILE=$BATS_TEST_TMPDIR/json \
        background "$BATS_TEST_TMPDIR/log" spawn-fcgi -n -s "$BATS_TEST_TMPDIR/s" -- "$program"
    eventually grep -q servicedesk "/proc/$pid/comm"
    sleep 0.1
    kill -HUP "$pid"
    wait_up "$pid" responder_answers "$BATS_TEST_TMPDIR/s" live
    SERVICEDESK_LOG_FILE=$BATS_TEST_TMPDIR/json eventually said_at_least 1 'tenants reloaded: 100000'
    stop "$pid"
}
