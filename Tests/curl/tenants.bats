# A secret for each tenant.
load stack.bash

unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants

setup_file() {
    umask 027
    cat >"$SERVICEDESK_TENANTS_FILE" <<'END'
# tenant  secret                               the secret before
acme      correct-horse-battery-staple-0001

globex    globex-secret-of-this-year-00000001  globex-secret-of-last-year-00000001
END
    stack_up
}

@test "each tenant signs with its own secret" {
    post "$(ticket)"
    accepted
    secret=globex-secret-of-this-year-00000001 post "$(ticket '.tenant_id = "globex"')"
    accepted
    same globex "$(newest | jq -r .tenant_id)"
}

@test "the secret before still works while secrets change" {
    secret=globex-secret-of-last-year-00000001 post "$(ticket '.tenant_id = "globex"')"
    accepted
}

@test "401: another tenant's secret" {
    post "$(ticket '.tenant_id = "globex"')"
    problem 401 'Invalid webhook signature'
}

# everything: the whole answer, without what is new every time.
everything() { cat "$headers" "$BATS_TEST_TMPDIR/answer" | sed -E 's/[0-9a-f]{32}/ID/g; /^Date: /d'; }

@test "401: an unknown tenant and a wrong signature look the same" {
    signature=$(printf '0%.0s' {1..64}) post "$(ticket)"
    problem 401 'Invalid webhook signature'
    everything >"$BATS_TEST_TMPDIR/wrong"
    post "$(ticket '.tenant_id = "nobody"')"
    problem 401 'Invalid webhook signature'
    same "$(<"$BATS_TEST_TMPDIR/wrong")" "$(everything)"
}

@test "no signature at all says so, for any tenant" {
    signature='' post "$(ticket '.tenant_id = "nobody"')"
    problem 401 'Missing signature header'
}
