# servicedeskctl tenant and sender: editing the tenants file under running responders.
load stack.bash

unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json SERVICEDESK_RUNTIME_DIR=$dir/responder.sock.counters

ctl() { "${program%/*}/servicedeskctl" "$@"; }

setup_file() {
    (umask 000 && ctl tenant add acme --no-wait >"$dir/acme")
    same 600 "$(stat -c %a "$SERVICEDESK_TENANTS_FILE")"
    stack_up
}

setup() {
    nginx_use main
    redis DEL "$queue" >/dev/null
    secret=$(<"$dir/acme")
    # A file that no responder uses.
    own=$BATS_TEST_TMPDIR/own.json
}

# edit COMMAND...: edits the file that no responder uses.
edit() { ctl "$@" --tenants-file "$own" --no-wait; }

@test "add prints the secret alone, and of tokens the file has only the digest" {
    run -0 --separate-stderr edit tenant add a
    like '[0-9a-f]{64}' "$output"
    same "servicedeskctl: $own is new, and only this user can read it: chown it if the responders run as another" "$stderr"
    run -0 --separate-stderr edit tenant rotate a
    same '' "$stderr"
    like '\{"tenants":\[\{"id":"a","keys":\[\{"id":"20[0-9-]{8}-2","mode":"servicedesk","secret":"'"$output"'"\}\]\}\]\}' "$(jq -c 'del(.tenants[].keys[0])' "$own")"
    like 'whsec_[A-Za-z0-9+/]{43}=' "$(edit tenant add b --mode standard-webhooks)"
    token=$(edit tenant add c --mode token --header X-Webhook-Secret --plaintext --key-id first)
    like '[0-9a-f]{64}' "$token"
    same '[{"id":"first","mode":"token","header":"X-Webhook-Secret","plaintext":true,"sha256":"'"$(printf %s "$token" | sha256sum | cut -d' ' -f1)"'"}]' \
        "$(jq -c '.tenants[2].keys' "$own")"
    run -0 edit tenant add d --mode basic --user desk --json
    same '["id","key","secret","mode","kind"]' "$(jq -c 'keys_unsorted' <<<"$output")"
    run -1 grep -E "$token|$(jq -r .secret <<<"$output")" "$own"
    edit tenant add e --mode hmac --header X-Sig --prefix sha256= --encoding base64 --signed timestamp-body --separator . \
        --timestamp-header X-Time --timestamp-format rfc3339 --tolerance 60 2>"$BATS_TEST_TMPDIR/lines" >/dev/null
    same '["hmac","X-Sig","sha256=","base64","timestamp-body",".","X-Time","rfc3339",60]' \
        "$(jq -c '.tenants[4].keys[0] | del(.id, .secret) | [.mode, .header, .prefix, .encoding, .signed, .separator, .timestamp_header, .timestamp_format, .tolerance]' "$own")"
    same 2 "$(grep -cE "pass.conf may lack: fastcgi_param HTTP_X_(SIG|TIME) " "$BATS_TEST_TMPDIR/lines")"
    given=a-secret-that-the-sender-has-made-itself
    same '' "$(edit tenant add f --secret-from-stdin <<<"$given")"
    same "$given" "$(jq -r '.tenants[5].keys[0].secret' "$own")"
    SERVICEDESK_TENANTS_FILE=$own run -0 "$program" --check
}

# all_accept SECRET TENANT: posts so often that both processes had their turn.
all_accept() {
    local n
    for n in {1..8}; do
        secret=$1 post "$(ticket ".tenant_id = \"$2\"")"
        accepted
    done
}

@test "tenants and senders that are added under running responders are accepted when the commands return" {
    ctl sender add desk --tenant-from account.name --map 'a=b=initech' --new-tenants >"$dir/desk" 3>&- &
    run -0 --separate-stderr ctl tenant add globex
    [[ $stderr == *'all 2 processes of '*' use the changed file' ]]
    all_accept "$output" globex
    echo "$output" >"$dir/globex"
    wait $!
    body=$(ticket 'del(.tenant_id) | .account = {name: "a=b"}')
    request /webhook/servicedesk/desk --data-binary "$body" -H Content-Type:application/json \
        -H "X-ServiceDesk-Signature: $(printf %s "$body" | sign "$(<"$dir/desk")")"
    accepted
    same initech "$(newest | jq -r .tenant_id)"
    run -1 ctl tenant remove initech
    [[ $output == *'nothing was changed, since '*'1 of them are none of the file'* ]]
    run -1 ctl sender remove desk --force
    [[ $output == *'nothing was changed, since '*'expected 1 to 8 keys, or a sender for the tenant'* ]]
    ctl sender remove desk --with-tenants --force --no-wait
    same 'acme globex' "$(jq -r '[.tenants[].id] | join(" ")' "$SERVICEDESK_TENANTS_FILE")"
}

# state OWNER KEY: prints the columns of a key from the mode on.
state() { ctl tenant list "$1" | grep -P "^$1\t$2\t" | cut -f 3-; }

@test "keys are rotated under load without one 401, and retired once the sender has changed" {
    load_starts 4
    old=$(jq -r '.tenants[0].keys[0].id' "$SERVICEDESK_TENANTS_FILE")
    same 'servicedesk	accepted	unknown' "$(state globex "$old")"
    ctl tenant rotate globex --keep 7d --key-id next >"$dir/next" 3>&- &
    new=$(ctl tenant rotate acme)
    all_accept "$new" acme
    all_accept "$secret" acme
    wait $!
    all_accept "$(<"$dir/next")" globex
    load_ends
    ((good && !refused))
    # One sender still signs with the old key, the other one does not.
    like 'servicedesk	accepted	used 20.*Z' "$(state acme "$old")"
    like 'servicedesk	accepted until 20.*Z	unused since 20.*Z' "$(state globex "$old")"
    like 'servicedesk	accepted	used 20.*Z' "$(state globex next)"
    same '["unused","used"]' "$(ctl tenant list globex --json | jq -c '[.[0].keys[].use]')"
    run -1 ctl tenant retire acme --key "$old"
    [[ $output == *"$old was used within the last day, at 20"* ]]
    # Nor does the other one's silence of some seconds prove that it has changed.
    run -1 ctl tenant retire globex --key "$old"
    [[ $output == *"$old may still be in use: its uses have been noted only since 20"*'try again after 20'* ]]
    ctl tenant retire acme --key "$old" --force --no-wait
    run -0 ctl tenant retire globex --key "$old" --force
    for tenant in acme globex; do
        secret=$(<"$dir/$tenant") post "$(ticket ".tenant_id = \"$tenant\"")"
        problem 401
    done
    run -1 ctl tenant retire acme --key "$old-2"
    [[ $output == *'is the only key of the tenant acme that is accepted now'* ]]
    run -1 ctl tenant retire acme --key "$old-2" --force
    [[ $output == *'expected 1 to 8 keys, or a sender'* ]]
    all_accept "$new" acme
    echo "$new" >"$dir/acme"
    run -1 grep -E "$new|$secret|$(<"$dir/next")" "$SERVICEDESK_LOG_FILE" "$dir/responder.log"
}

@test "a key whose sender was accepted just before the rotation is not retired" {
    ctl tenant add hooli >"$dir/hooli"
    all_accept "$(<"$dir/hooli")" hooli
    old=$(jq -r '.tenants[] | select(.id == "hooli").keys[0].id' "$SERVICEDESK_TENANTS_FILE")
    ctl tenant rotate hooli >"$dir/next"
    run -1 ctl tenant retire hooli --key "$old"
    [[ $output == *"$old may still be in use"* ]]
    all_accept "$(<"$dir/hooli")" hooli
    ctl tenant remove hooli --force --no-wait
}

@test "a process that does not take up the new file in time is reported" {
    process=$(pgrep -P "$(<"$dir/responder.sock.pid")" | head -n 1)
    kill -STOP "$process"
    run -2 --separate-stderr ctl tenant add hooli --wait 1
    kill -CONT "$process"
    like '[0-9a-f]{64}' "$output"
    [[ $stderr == *'the file was changed, but only '[01]' of 2 processes of '* ]]
    ctl tenant remove hooli --force --no-wait
}

@test "without the runtime directory, or a responder in it, it warns and succeeds" {
    unset SERVICEDESK_RUNTIME_DIR
    run -0 --separate-stderr ctl tenant add a --tenants-file "$own"
    [[ $stderr == *'warning: '*'each of them logs "tenants reloaded"'* ]]
    run -0 --separate-stderr ctl tenant add b --tenants-file "$own" --runtime-dir "$BATS_TEST_TMPDIR"
    [[ $stderr == *'warning: no responder shares its counters in '* ]]
}

# reload: has both processes read the file of three tenants now.
reload() { both_say 'tenants reloaded: 3;' hup; }

@test "a file of lines is not edited but converted, and the responders go on with it" {
    printf '# comment\nacme %s %s\nglobex %s\nthird %s\n' "$secret" "$secret-before" "$secret-globex" "$secret-3" >"$dir/lines"
    chmod 640 "$dir/lines"
    run -1 ctl tenant add a --tenants-file "$dir/lines"
    [[ $output == *'is a file of lines'* ]]
    same $'acme\t1\tservicedesk\taccepted\tunknown' "$(ctl tenant list --tenants-file "$dir/lines" | head -n 1)"
    run -0 ctl tenant convert --tenants-file "$dir/lines"
    [[ $output == *"mv $dir/lines.json $dir/lines"*pkill\ -HUP* ]]
    same 640 "$(stat -c %a "$dir/lines.json")"
    run -1 ctl tenant convert --tenants-file "$dir/lines"
    [[ $output == *'lines.json exists already'* ]]
    same '[["acme","1","'"$secret"'"],["acme","2","'"$secret-before"'"],["globex","1","'"$secret-globex"'"],["third","1","'"$secret-3"'"]]' \
        "$(jq -c '[.tenants[] | .id as $id | .keys[] | [$id, .id, .secret]]' "$dir/lines.json")"
    chmod 600 "$dir/lines"
    mv "$dir/lines" "$SERVICEDESK_TENANTS_FILE"
    reload
    run -0 ctl tenant convert --in-place
    reload
    all_accept "$secret-globex" globex
    all_accept "$secret-before" acme
    run -1 ctl tenant convert
    [[ $output == *'is JSON already'* ]]
}

@test "twenty adds at the same time lose nothing" {
    for n in {1..20}; do edit tenant add "t-$n" >"$BATS_TEST_TMPDIR/out-$n" & done
    wait
    same 20 "$(jq '.tenants | length' "$own")"
    same "$(cat "$BATS_TEST_TMPDIR"/out-* | sort)" "$(jq -r '.tenants[].keys[].secret' "$own" | sort)"
    same own.json "$(find "$BATS_TEST_TMPDIR" -name '*own*' -printf '%f\n')"
}

# big COUNT: writes a file of so many tenants.
big() {
    (umask 077 && awk -v count="$1" 'BEGIN {
        for (n = 0; n < count; n++)
            printf "%s{\"id\":\"t-%d\",\"keys\":[{\"id\":\"1\",\"mode\":\"servicedesk\",\"secret\":\"some-secret-of-a-tenant-number-%d\"}]}",
                n ? ",\n" : "{\"tenants\":[", n, 1000000 + n
        print "]}" }' >"$own")
}

@test "an edit that is killed at any time leaves the old file or the new one" {
    big 2000
    killed=0
    for n in {1..20}; do
        timeout --foreground -s KILL "0.$(printf %03d $((n * 3)))" "${program%/*}/servicedeskctl" tenant add "new-$n" \
            --tenants-file "$own" --no-wait >/dev/null 2>&1 || ((killed += 1))
        jq -e ".tenants | length >= 2000 and length <= 2000 + $n" "$own" >/dev/null
    done
    echo "killed $killed times"
    ((killed >= 5))
    # One that was left behind is used again.
    edit tenant add last >/dev/null
    same last "$(jq -r '.tenants[-1].id' "$own")"
    same 600 "$(stat -c %a "$own")"
    same own.json "$(find "$BATS_TEST_TMPDIR" -name '*own*' -printf '%f\n')"
}

@test "a link stays, and its file keeps owner, group and mode" {
    mkdir "$BATS_TEST_TMPDIR/real"
    edit tenant add a >/dev/null
    mv "$own" "$BATS_TEST_TMPDIR/real/file"
    ln -s real/file "$own"
    chmod 640 "$own"
    ((EUID)) || chown 65534:65534 "$own"
    # And its access list, where the file system has them: one further user may read it.
    list="import os, struct, sys
entries = [(1, 6, 0xffffffff), (2, 4, 65533), (4, 0, 0xffffffff), (16, 4, 0xffffffff), (32, 0, 0xffffffff)]
os.setxattr(sys.argv[1], 'system.posix_acl_access', struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *e) for e in entries))"
    python3 -c "$list" "$own" || echo 'no access lists here'
    rights() { stat -Lc '%a %u %g' "$own" && python3 -c 'import os, sys; print(os.listxattr(sys.argv[1]))' "$own"; }
    before=$(rights)
    edit tenant add b >/dev/null
    same "$before" "$(rights)"
    same real/file "$(readlink "$own")"
    same 2 "$(jq '.tenants | length' "$BATS_TEST_TMPDIR/real/file")"
}

# unprivileged COMMAND...: as nobody if this is root.
unprivileged() { if ((EUID)); then "$@"; else setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; fi; }

@test "a file or directory that may not be written, a full disk and a full standard output change nothing" {
    place=$(mktemp -d /tmp/tenant-XXXXXX)
    cp "${program%/*}/servicedeskctl" "$place"
    own=$place/own.json
    edit tenant add a >/dev/null
    ((EUID)) || chown -R 65534:65534 "$place"
    before=$(cat "$own")
    try() { run -1 unprivileged "$place/servicedeskctl" tenant add b --tenants-file "$own" --no-wait; }
    chmod 400 "$own"
    try
    [[ $output == *'cannot be replaced (faccessat: Permission denied)' ]]
    chmod 600 "$own"
    chmod 555 "$place"
    try
    [[ $output == *'cannot be made (open: Permission denied)' ]]
    chmod 755 "$place"
    run -1 bash -c "ulimit -f 0; '${program%/*}/servicedeskctl' tenant add b --tenants-file '$own' --no-wait | cat; exit \${PIPESTATUS[0]}"
    [[ $output == *'own.json was not changed: '*'(write: File too large)' ]]
    run -1 bash -c "'${program%/*}/servicedeskctl' tenant add b --tenants-file '$own' --no-wait >/dev/full"
    [[ $output == *'standard output'* ]]
    chmod 644 "$own"
    try
    [[ $output == *'can be read or written by others'* ]]
    same "$before" "$(cat "$own")"
    same own.json "$(find "$place" -name '*own*' -printf '%f\n')"
    rm -r "$place"
}

@test "what would make a fault is refused with its place, and the old file stays" {
    edit tenant add a >/dev/null
    before=$(cat "$own")
    refused() {
        run -1 edit "${@:2}"
        [[ $output == *"$1"* ]] || { echo "not $1: $output"; return 1; }
        same "$before" "$(cat "$own")"
    }
    refused 'the file has the tenant a already' tenant add a
    refused 'the file has no tenant b' tenant rotate b
    refused 'the file has no sender a' sender rotate a
    refused 'the tenant a has no key x' tenant retire a --key x
    refused 'tenants[1].keys[0].header: expected the name of a header' tenant add b --mode hmac
    refused 'tenants[1].keys[0].user: is not used by mode hmac' tenant add b --mode hmac --header X-S --user u
    refused 'the file has no tenant b' sender add s --tenant b
    run -64 edit tenant add A
    run -64 edit tenant add b --header X-S
    run -64 edit tenant rotate a --keep 7
    run -64 edit tenant rotate a --until 2020-01-01T00:00:00Z
    jq '.tenants[0].keys[0].colour = "red"' "$own" >"$own.new" && cat "$own.new" >"$own"
    before=$(cat "$own")
    refused 'own.json has faults: mend them first: tenants[0].keys[0].colour: unknown member' tenant add b
    : >"$own"
    before=''
    refused 'is empty' tenant add b
}

@test "a file of 100,000 tenants is edited in a few seconds" {
    big 100000
    SECONDS=0
    edit tenant rotate t-99999 --keep 30m >/dev/null
    # Two seconds on a machine that does nothing else.
    ((SECONDS < 60))
    same 100001 "$(grep -c '"secret": ' "$own")"
    same 1 "$(grep -c not_after "$own")"
}
