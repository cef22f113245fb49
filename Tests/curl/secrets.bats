# Secrets in files: the one for signatures, and Redis' password.
load stack.bash

unset SERVICEDESK_SECRET
export SERVICEDESK_SECRET_FILE=$dir/secret SERVICEDESK_REDIS_PASSWORD_FILE=$dir/password
SERVICEDESK_REDIS_URL=unix://responder@$dir/redis.sock

setup_file() {
    umask 077
    echo "$secret" >"$SERVICEDESK_SECRET_FILE"
    echo first-password >"$SERVICEDESK_REDIS_PASSWORD_FILE"
    redis_start
    redis ACL SETUSER responder on '>first-password' '~*' +@all
    start_responder "$dir/responder.log" "$dir/responder.sock" --processes 2
    wait_up "$pid" responder_answers "$dir/responder.sock" ready
    nginx_start main "$dir/responder.sock"
}

# reload PATTERN: has both processes read the files again, and waits for what they say of it.
reload() { both_say "$1" hup; }

@test "the secret in a file signs, without the line feed at its end" {
    post "$(ticket)"
    accepted
    signature=$({ ticket | tr -d '\n'; } | openssl dgst -sha256 -hmac "$secret"$'\n' -r | cut -d' ' -f1) post "$(ticket)"
    problem 401
    same "$(ticket | tr -d '\n' | sign)" "$(ticket | tr -d '\n' | "${program%/*}/servicedeskctl" sign)"
}

@test "HUP reads the secret again, and a faulty file changes nothing" {
    new=another-secret-of-thirty-two-bytes
    echo "$new" >"$SERVICEDESK_SECRET_FILE"
    reload '"message":"secret reloaded"'
    secret=$new post "$(ticket)"
    accepted
    post "$(ticket)"
    problem 401
    echo short >"$SERVICEDESK_SECRET_FILE"
    reload 'secret not reloaded, still using the old one: SERVICEDESK_SECRET_FILE: .* has 5 bytes'
    secret=$new post "$(ticket)"
    accepted
    echo "$secret" >"$SERVICEDESK_SECRET_FILE"
    reload '"message":"secret reloaded"'
    post "$(ticket)"
    accepted
    # Neither a secret nor a password is in the log, nor in the list of processes.
    run -1 grep -E "$secret|$new|first-password" "$SERVICEDESK_LOG_FILE" "$dir/responder.log"
    for child in $(pgrep -P "$(<"$dir/responder.sock.pid")") "$(<"$dir/responder.sock.pid")"; do
        run -1 grep -aE "$secret|$new|first-password" "/proc/$child/cmdline"
    done
}

@test "HUP reads Redis' password again: new connections use it" {
    redis ACL SETUSER responder resetpass '>second-password' >/dev/null
    redis CLIENT KILL TYPE normal SKIPME yes >/dev/null
    refused() { post "$(ticket)" && [[ $code == 503 ]]; }
    eventually refused
    same "$(ctl_depth first-password)" refused
    echo second-password >"$SERVICEDESK_REDIS_PASSWORD_FILE"
    reload '"message":"Redis password reloaded'
    wait_for 10 recovers
    same "$(redis LLEN "$queue")" "$(ctl_depth second-password)"
    chmod 644 "$SERVICEDESK_REDIS_PASSWORD_FILE"
    reload 'Redis password not reloaded, still using the old one: SERVICEDESK_REDIS_PASSWORD_FILE: .* \(mode 0644\)'
    post "$(ticket)"
    accepted
    chmod 600 "$SERVICEDESK_REDIS_PASSWORD_FILE"
}
# ctl_depth PASSWORD: prints what servicedeskctl says with the password in a file.
ctl_depth() {
    (umask 077 && echo "$1" >"$BATS_TEST_TMPDIR/$1")
    SERVICEDESK_REDIS_PASSWORD_FILE=$BATS_TEST_TMPDIR/$1 "${program%/*}/servicedeskctl" depth 2>/dev/null || echo refused
}

@test "--check names the file that is wrong, and servicedeskctl too" {
    chmod 644 "$SERVICEDESK_SECRET_FILE"
    run -78 "$program" --check
    [[ $output == *"SERVICEDESK_SECRET_FILE: $SERVICEDESK_SECRET_FILE can be read or written by others"* ]]
    run -64 "${program%/*}/servicedeskctl" sign <<<'{}'
    [[ $output == *"$SERVICEDESK_SECRET_FILE can be read or written by others"* ]]
    chmod 600 "$SERVICEDESK_SECRET_FILE"
    SERVICEDESK_SECRET=$secret run -78 "$program" --check
    [[ $output == *'SERVICEDESK_SECRET and SERVICEDESK_SECRET_FILE are both set: set only one'* ]]
}
