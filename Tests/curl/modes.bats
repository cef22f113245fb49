# Every mode of a key, through nginx: right, wrong, replayed, stale, and another tenant's. Signatures are computed by openssl.
load stack.bash

unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json

key=correct-horse-battery-staple-0001
other=correct-horse-battery-staple-0002

# tenant ID KEY...: prints a tenant with the keys, each a JSON object without an id.
tenant() {
    local id=$1
    shift
    printf '%s\n' "$@" | jq -s --arg id "$id" '{id: $id, keys: [to_entries[] | {id: "key-\(.key + 1)"} + .value]}'
}

setup_file() {
    umask 077
    local hub='"mode":"hmac","header":"X-Hub-Signature-256","prefix":"sha256="'
    local zendesk='"mode":"hmac","header":"X-Zendesk-Webhook-Signature","encoding":"base64","signed":"timestamp-body","timestamp_header":"X-Zendesk-Webhook-Signature-Timestamp","timestamp_format":"rfc3339"'
    local glpi='"mode":"hmac","header":"X-GLPI-signature","signed":"body-timestamp","timestamp_header":"X-GLPI-timestamp","tolerance":86400'
    {
        tenant plain '{"mode":"servicedesk","secret":"'$key'-plain"}'
        tenant standard '{"mode":"standard-webhooks","secret":"'"$(whsec 1)"'"}' '{"mode":"servicedesk","secret":"'$key'-standard"}'
        tenant standard-2 '{"mode":"standard-webhooks","secret":"'"$(whsec 2)"'"}'
        tenant github "{$hub,\"secret\":\"$key-github\"}"
        tenant github-2 "{$hub,\"secret\":\"$other-github\"}"
        tenant zendesk "{$zendesk,\"secret\":\"$key-zendesk\"}"
        tenant zendesk-2 "{$zendesk,\"secret\":\"$other-zendesk\"}"
        tenant glpi "{$glpi,\"secret\":\"$key-glpi\"}"
        tenant glpi-2 "{$glpi,\"secret\":\"$other-glpi\"}"
        tenant deluge '{"mode":"hmac","header":"X-ServiceDesk-Signature","encoding":"base64","secret":"'$key'-deluge"}'
        tenant bearer '{"mode":"token","plaintext":true,"sha256":"'"$(sha256 "$key-bearer")"'"}'
        tenant bearer-2 '{"mode":"token","plaintext":true,"secret":"'$other-bearer'"}'
        tenant header '{"mode":"token","plaintext":true,"header":"X-Webhook-Secret","secret":"'$key-header'"}'
        tenant basic '{"mode":"basic","plaintext":true,"user":"desk","sha256":"'"$(sha256 "$key-basic")"'"}'
        tenant basic-2 '{"mode":"basic","plaintext":true,"user":"desk","secret":"'$other-basic'"}'
        tenant tls-only '{"mode":"token","secret":"'$key-tls'"}' '{"mode":"basic","user":"desk","secret":"'$key-tls-2'"}'
    } | jq -s '{tenants: .}' >"$SERVICEDESK_TENANTS_FILE"
    stack_up
}

sha256() { printf %s "$1" | sha256sum | cut -d' ' -f1; }

# whsec DIGIT: prints a secret of Standard Webhooks. hmac FORMAT SECRET <TEXT: prints hex or base64 under the secret.
whsec() { printf 'whsec_%s' "$(printf 'a-key-of-at-least-24-bytes-%d' "$1" | base64 -w 0)"; }
hmac() {
    if [[ $1 == hex ]]; then sign "$2"; else openssl dgst -sha256 -hmac "$2" -binary | base64 -w 0; fi
}

# ask TENANT [CURL OPTION...]: posts that tenant's ticket, of which $body is set before, with these headers alone.
ask() {
    body=$(body_of "$1")
    request /webhook/servicedesk --data-binary "$body" -H Content-Type:application/json "${@:2}"
}
body_of() { ticket ".tenant_id = \"$1\""; }

# refused CAUSE: checks for the 401 that all causes have in common, and for the cause in the log.
refused() {
    problem 401 'Invalid webhook signature'
    same "$1" "$(logged cause)"
}

@test "servicedesk: right, wrong, and a mode that the tenant does not have" {
    ask plain -H "X-ServiceDesk-Signature: $(body_of plain | tr -d '\n' | hmac hex "$key-plain")"
    accepted
    same 'key-1 servicedesk' "$(logged key) $(logged mode)"
    ask plain -H "X-ServiceDesk-Signature: $(body_of plain | tr -d '\n' | hmac hex "$other")"
    refused 'no key matches'
    ask plain -H "Authorization: Bearer $key-bearer"
    refused 'mode not accepted'
    ask plain
    problem 401 'Missing signature header'
    same 'header missing' "$(logged cause)"
    same plain "$(logged claimed_tenant)"
}

# standard TENANT DIGIT ID TIME [SIGNATURE...]: posts with webhook-id, webhook-timestamp and the right webhook-signature after
# the given ones.
standard() {
    local tag
    tag=$(printf %s "$3.$4.$(body_of "$1")" | openssl dgst -sha256 -mac HMAC \
        -macopt "hexkey:$(whsec "$2" | cut -c7- | base64 -d | od -An -tx1 | tr -d ' \n')" -binary | base64 -w 0)
    ask "$1" -H "webhook-id: $3" -H "webhook-timestamp: $4" -H "webhook-signature: ${*:5}${5+ }v1,$tag"
}

@test "standard-webhooks: right, replayed, stale, wrong, and another tenant's" {
    standard standard 1 msg-1 "$(date +%s)"
    accepted
    same standard-webhooks "$(logged mode)"
    first=$(job_id)
    # A replay is the same delivery, also with a later signature of the same id.
    standard standard 1 msg-1 "$(($(date +%s) - 200))"
    accepted
    same "$first" "$(job_id)"
    same 1 "$(depth)"
    for age in 400 -400; do
        standard standard 1 msg-2 "$(($(date +%s) - age))"
        refused 'timestamp stale'
    done
    standard standard 2 msg-3 "$(date +%s)"
    refused 'no key matches'
    # Several signatures, of which one is right; those of other versions are ignored.
    standard standard 1 msg-4 "$(date +%s)" v1a,abcd "v1,$(head -c 32 /dev/zero | base64 -w 0)"
    accepted
    standard standard 1 msg-5 "$(date +%s)" $(printf 'v1a,%d ' $(seq 16))
    refused 'header malformed'
    for time in '' x -5 1e9 "$(date +%s).5"; do
        standard standard 1 msg-6 "$time"
        refused 'header malformed'
    done
    standard standard-2 2 msg-1 "$(date +%s)"
    accepted
    [[ $(job_id) != "$first" ]]
}

@test "a signed delivery id cannot be occupied by one that is not signed" {
    body=$(body_of standard)
    tag=$(printf %s "$body" | hmac hex "$key-standard")
    ask standard -H "X-ServiceDesk-Signature: $tag" -H 'webhook-id: msg-7'
    accepted
    first=$(job_id)
    standard standard 1 msg-7 "$(date +%s)"
    accepted
    [[ $(job_id) != "$first" ]]
    same '{enhancement:queue}:seen:signed/standard:msg-7
{enhancement:queue}:seen:standard:msg-7' "$(redis KEYS '*msg-7' | sort)"
}

# hub TENANT SECRET: posts with GitHub's header.
hub() { ask "$1" -H "X-Hub-Signature-256: sha256=$(body_of "$1" | tr -d '\n' | hmac hex "$2")"; }

@test "hmac, body alone, as GitHub and Jira sign: right, wrong, another tenant's, malformed" {
    hub github "$key-github"
    accepted
    same hmac "$(logged mode)"
    # Only the body is signed: a copy is a second job, unless the sender names its deliveries.
    hub github "$key-github"
    accepted
    same 2 "$(depth)"
    hub github "$other"
    refused 'no key matches'
    hub github "$other-github"
    refused 'no key matches'
    ask github -H "X-Hub-Signature-256: $(body_of github | tr -d '\n' | hmac hex "$key-github")"
    refused 'header malformed'
    ask github -H "X-ServiceDesk-Signature: $(body_of github | tr -d '\n' | hmac hex "$key-github")"
    refused 'mode not accepted'
}

# zendesk TENANT SECRET TIME: time and body, base64. glpi TENANT SECRET TIME: body and time, hex.
zendesk() {
    ask "$1" -H "X-Zendesk-Webhook-Signature-Timestamp: $3" \
        -H "X-Zendesk-Webhook-Signature: $(printf %s "$3$(body_of "$1")" | hmac base64 "$2")"
}
glpi() {
    ask "$1" -H "X-GLPI-timestamp: $3" -H "X-GLPI-signature: $(printf %s "$(body_of "$1")$3" | hmac hex "$2")"
}
ago() { date -u -d "$1 seconds ago" +%Y-%m-%dT%H:%M:%SZ; }

@test "hmac, time and body, as Zendesk signs: right, stale, wrong, another tenant's, malformed" {
    zendesk zendesk "$key-zendesk" "$(ago 0)"
    accepted
    # A copy within the tolerance is a second job, unless the sender names its deliveries.
    zendesk zendesk "$key-zendesk" "$(ago 250)"
    accepted
    same 2 "$(depth)"
    zendesk zendesk "$key-zendesk" "$(ago 400)"
    refused 'timestamp stale'
    zendesk zendesk "$other" "$(ago 0)"
    refused 'no key matches'
    zendesk zendesk "$other-zendesk" "$(ago 0)"
    refused 'no key matches'
    zendesk zendesk "$key-zendesk" "$(date +%s)"
    refused 'header malformed'
    body=$(body_of zendesk)
    ask zendesk -H "X-Zendesk-Webhook-Signature: $(printf %s "$(ago 0)$body" | hmac base64 "$key-zendesk")"
    refused 'header malformed'
}

@test "hmac, body and time, as GLPI 11 signs: a day of tolerance, for it stamps when it enqueues" {
    glpi glpi "$key-glpi" "$(date +%s)"
    accepted
    for _ in 1 2; do
        glpi glpi "$key-glpi" "$(($(date +%s) - 86000))"
        accepted
    done
    same 3 "$(depth)"
    glpi glpi "$key-glpi" "$(($(date +%s) - 87000))"
    refused 'timestamp stale'
    glpi glpi "$other-glpi" "$(date +%s)"
    refused 'no key matches'
    glpi glpi "$key-glpi" "$(ago 0)"
    refused 'header malformed'
}

@test "hmac in base64, as a Deluge function signs: right, wrong, hex instead" {
    tag() { body_of deluge | tr -d '\n' | hmac "$@"; }
    ask deluge -H "X-ServiceDesk-Signature: $(tag base64 "$key-deluge")"
    accepted
    ask deluge -H "X-ServiceDesk-Signature: $(tag base64 "$other")"
    refused 'no key matches'
    # In hexadecimal digits it is a signature of mode servicedesk, which the tenant's key does not have.
    ask deluge -H "X-ServiceDesk-Signature: $(tag hex "$key-deluge")"
    refused 'header malformed'
}

@test "token: as Bearer or in a header of its own; right, wrong, another tenant's" {
    ask bearer -H "Authorization: Bearer $key-bearer"
    accepted
    same token "$(logged mode)"
    first=$(job_id)
    ask bearer -H "Authorization: bearer   $key-bearer"
    accepted
    [[ $(job_id) != "$first" ]]
    # A copy of a named delivery is recognised.
    for _ in 1 2; do
        ask bearer -H "Authorization: Bearer $key-bearer" -H 'webhook-id: copy'
        accepted
    done
    same 3 "$(depth)"
    for token in "$key-bearex" "$other-bearer" "$key-bearer-and-more"; do
        ask bearer -H "Authorization: Bearer $token"
        refused 'no key matches'
    done
    ask bearer -H "Authorization: Bearer $(sha256 "$key-bearer")"
    refused 'no key matches'
    ask bearer -H 'Authorization: Bearer short'
    refused 'header malformed'
    ask bearer -H 'Authorization: Digest username="desk"'
    problem 401 'Missing signature header'
    ask header -H "X-Webhook-Secret: $key-header"
    accepted
    ask header -H "Authorization: Bearer $key-header"
    refused 'mode not accepted'
}

@test "basic: right, wrong user, wrong password, another tenant's, malformed" {
    for _ in 1 2; do
        ask basic -H "Authorization: BASIC   $(printf %s "desk:$key-basic" | base64 -w 0)" -H 'Idempotency-Key: copy'
        accepted
    done
    same 1 "$(depth)"
    same basic "$(logged mode)"
    for pair in "desk:$other-basic" "desk2:$key-basic" "desk:$key-basix"; do
        ask basic -u "$pair"
        refused 'no key matches'
    done
    for text in 'Basic !!!' "Basic $(printf %s "$key-basic" | base64 -w 0)" 'Basic ZGVzazpzaG9ydA=='; do
        ask basic -H "Authorization: $text"
        refused 'header malformed'
    done
}

@test "a token or password over plain HTTP is refused, unless its key says plaintext" {
    ask tls-only -H "Authorization: Bearer $key-tls"
    refused 'not over TLS'
    ask tls-only -u "desk:$key-tls-2"
    refused 'not over TLS'
    # What the client says of itself does not count.
    ask tls-only -H "Authorization: Bearer $key-tls" -H 'HTTPS: on' -H 'X-Forwarded-Proto: https'
    refused 'not over TLS'
}

@test "411: a body without a declared length, whose credential does not sign it, once it is authenticated" {
    # nginx declares the length of a body that came in chunks. Other web servers pass it on as it comes.
    nginx_start chunks "$dir/responder.sock" '/param CONTENT_LENGTH/d'
    nginx_use chunks
    ask bearer -H "Authorization: Bearer $key-bearer"
    problem 411 'Content-Length required'
    ask bearer -H "Authorization: Bearer $other"
    refused 'no key matches'
    hub github "$key-github"
    accepted
}

@test "a key signs for no other tenant" {
    body=$(body_of github-2)
    ask github-2 -H "X-Hub-Signature-256: sha256=$(printf %s "$body" | hmac hex "$key-github")"
    refused 'no key matches'
    both=$(ticket '.tenant_id = "bearer"' | sed 's/}$/,"tenant_id":"bearer-2"}/')
    request /webhook/servicedesk --data-binary "$both" -H Content-Type:application/json -H "Authorization: Bearer $key-bearer"
    wrong tenant_id
}

@test "--check prints the line that pass.conf needs for a header of its own; with it, nginx passes the header" {
    run -0 "$program" --check
    same '' "$output"
    export SERVICEDESK_TENANTS_FILE=$BATS_TEST_TMPDIR/tenants.json
    (umask 077 && tenant own '{"mode":"hmac","header":"X-Desk-Sig","secret":"'"$key"'"}' | jq -s '{tenants: .}' >"$SERVICEDESK_TENANTS_FILE")
    run -0 "$program" --check
    line='fastcgi_param HTTP_X_DESK_SIG $http_x_desk_sig if_not_empty;'
    [[ $output == *"pass.conf may lack: $line" ]]
    start_responder "$dir/own.log" "$dir/own.sock" --processes 1
    nginx_start own "$dir/own.sock" "/param HTTP_AUTHORIZATION/i $line"
    nginx_use own
    ask own -H "X-Desk-Sig: $(body_of own | tr -d '\n' | hmac hex "$key")"
    stop "$(<"$dir/own.sock.pid")"
    accepted
}

@test "nginx passes the headers that the program takes for passed" {
    sed -n 's/^fastcgi_param \(HTTP_[A-Z0-9_]*\) .*/\1/p' "$root/nginx/servicedesk/pass.conf" |
        grep -vE '^HTTP_(IDEMPOTENCY_KEY|TRACEPARENT|TRACESTATE)$' | sort >"$BATS_TEST_TMPDIR/passed"
    sed -n '/static let passed/,/^    ]/p' "$root/Sources/Webhook/Authentication/CredentialHeaders.swift" |
        grep -o 'HTTP_[A-Z0-9_]*' | sort | diff - "$BATS_TEST_TMPDIR/passed"
}
