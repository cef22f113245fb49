# servicedeskctl explain: names the mistakes that senders make, each planted by another program, and blames no correct request.
load stack.bash

export SERVICEDESK_TENANTS_FILE=$dir/tenants.json
unset SERVICEDESK_SECRET

acme=00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef
globex=globex-secret-of-this-year-00000001
token=a-token-of-more-than-32-characters-1
whsec=whsec_$(printf 'a-key-of-at-least-24-bytes-1' | base64 -w 0)

setup_file() {
    umask 077
    jq -n --arg acme "$acme" --arg globex "$globex" --arg token "$token" --arg whsec "$whsec" '{tenants: [
        {id: "acme", keys: [
            {id: "old", mode: "servicedesk", secret: ($acme + "-old"), not_after: "2026-01-01T00:00:00Z"},
            {id: "new", mode: "servicedesk", secret: $acme},
            {id: "next", mode: "servicedesk", secret: ($acme + "-next"), not_before: "2099-01-01T00:00:00Z"}]},
        {id: "globex", keys: [{id: "1", mode: "servicedesk", secret: $globex}]},
        {id: "idle", active: false, keys: [{id: "1", mode: "servicedesk", secret: ($globex + "-idle")}]},
        {id: "hub", keys: [{id: "1", mode: "hmac", header: "X-Hub-Signature-256", prefix: "sha256=", secret: ($acme + "-hub")}]},
        {id: "glpi", keys: [{id: "1", mode: "hmac", header: "X-GLPI-signature", signed: "body-timestamp",
            timestamp_header: "X-GLPI-timestamp", secret: ($acme + "-glpi")}]},
        {id: "std", keys: [{id: "1", mode: "standard-webhooks", secret: $whsec}]},
        {id: "tok", keys: [{id: "1", mode: "token", secret: $token}, {id: "2", mode: "basic", user: "desk", secret: ($token + "-2")}]}
    ], senders: [{id: "desk", tenant: "globex", keys: [{id: "1", mode: "servicedesk", secret: ($globex + "-desk")}]}]}' \
        >"$SERVICEDESK_TENANTS_FILE"
}
teardown_file() { :; }
setup() {
    cd "$BATS_TEST_TMPDIR"
    printf %s "$(ticket '.description = "caf\u00e9 / lunch"')" >body
}

ctl() { "${program%/*}/servicedeskctl" "$@"; }

# hmac SECRET [HASH] <TEXT: prints hexadecimal digits, by openssl.
hmac() { openssl dgst "-${2-sha256}" -hmac "$1" -r | cut -d' ' -f1; }
# hmac_base64 SECRET <TEXT.
hmac_base64() { openssl dgst -sha256 -hmac "$1" -binary | base64 -w 0; }
of() { printf %s "$(ticket ".tenant_id = \"$1\"")" >body; }

# headers LINE...: the request's headers. explained [OPTION...]: explains the request; sets $output and $status.
headers() { printf '%s\n' 'Content-Type: application/json' "$@" >headers; }
explained() { run bash -c '"$0" explain --headers headers "$@" <body 2>&1' "${program%/*}/servicedeskctl" "$@"; }

# blames PATTERN [OPTION...]: the request is refused, and a finding has the pattern. innocent [OPTION...]: it is not refused,
# and nothing is found.
blames() {
    explained "${@:2}"
    same 1 "$status"
    grep -qE -- "^- .*($1)" <<<"$output" || { printf 'no finding like: %s\n%s\n' "$1" "$output"; return 1; }
    if grep -qF -e "$acme" -e "$globex" -e "$token" <<<"$output"; then echo "a secret is told"; return 1; fi
}
innocent() {
    explained "$@"
    same 0 "$status" || { echo "$output"; return 1; }
    ! grep -q '^- ' <<<"$output"
}
signed() { headers "X-ServiceDesk-Signature: $(hmac "${1-$acme}" <"${2-body}")"; }

@test "no correct request is blamed, of whatever mode" {
    signed
    innocent
    headers "X-ServiceDesk-Signature: sha256=$(hmac "$acme" <body | tr a-f A-F)"
    innocent
    of hub
    headers "x-hub-signature-256: sha256=$(hmac "$acme-hub" <body)"
    innocent
    of glpi
    headers "X-GLPI-timestamp: $(date +%s)" "X-GLPI-signature: $( (cat body; printf %s "$(date +%s)") | hmac "$acme-glpi")"
    innocent
    of std
    key=$(cut -c7- <<<"$whsec" | base64 -d | od -An -tx1 | tr -d ' \n')
    now=$(date +%s)
    tag=$( (printf %s "m1.$now."; cat body) | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64 -w 0)
    headers "webhook-id: m1" "webhook-timestamp: $now" "webhook-signature: v1,AAAA v1,$tag"
    innocent
    of tok
    headers "Authorization: Bearer $token"
    innocent --https
    headers "Authorization: Basic $(printf %s "desk:$token-2" | base64 -w 0)"
    innocent --https
    of globex
    headers "X-ServiceDesk-Signature: $(hmac "$globex-desk" <body)"
    innocent --path /webhook/servicedesk/desk
    # With a request line and CRLF, as from a proxy.
    printf 'POST /webhook/servicedesk/desk HTTP/1.1\r\nContent-Type: application/json\r\nX-ServiceDesk-Signature: %s\r\n\r\n' \
        "$(hmac "$globex-desk" <body)" >headers
    innocent
}

@test "an accepted request whose payload is wrong is told apart" {
    printf %s "$(ticket '.priority = "urgent"')" >body
    signed
    explained
    same 0 "$status"
    [[ $output == *'400 Invalid webhook payload'*'accepted with key new, mode servicedesk'*'priority: must be one of'* ]]
}

@test "a newline, CRLF, white space: what was signed is not what was sent" {
    (cat body; echo) >other
    signed "$acme" other
    blames 'newline at the end was signed and not sent'
    signed
    echo >>body
    blames 'white space at its end'
    printf %s "$(ticket | jq .)" >body
    sed 's/$/\r/' body | head -c -1 >other
    signed "$acme" other
    blames 'lines end with CRLF in what was signed and with LF'
    signed
    mv other body
    blames 'lines end with LF in what was signed and with CRLF'
    printf '' >other
    signed "$acme" other
    blames 'empty body was signed'
}

@test "JSON in another layout" {
    for layout in 'json.dumps(value)' 'json.dumps(value, indent=2)' 'json.dumps(value, indent=4, sort_keys=True)' \
        'json.dumps(value, ensure_ascii=False)' 'json.dumps(value, separators=(",", ":"), sort_keys=True)'; do
        python3 -c "import json, sys; value = json.load(open('body')); open('other', 'w').write($layout)"
        signed "$acme" other
        blames 'signed the JSON in another layout'
    done
    # PHP's json_encode escapes slashes.
    python3 -c "import json; open('other', 'w').write(json.dumps(json.load(open('body')), separators=(',', ':')).replace('/', r'\/'))"
    signed "$acme" other
    blames 'another layout .*slashes escaped'
}

@test "another text encoding" {
    for encoding in UTF-16LE UTF-16BE ISO-8859-1; do
        iconv -f UTF-8 -t "$encoding" body >other
        signed "$acme" other
        blames "signed in (UTF-16|ISO 8859-1)"
    done
    (printf '\xEF\xBB\xBF'; cat body) >other
    signed "$acme" other
    blames 'byte-order mark was signed and not sent'
}

@test "the signature's form: base64, prefix, header, hash" {
    headers "X-ServiceDesk-Signature: $(hmac_base64 "$acme" <body)"
    blames 'written as base64: write it as hexadecimal digits'
    headers "X-ServiceDesk-Signature: sha1=$(hmac "$acme" sha1 <body)"
    blames 'HMAC-SHA1: sign with HMAC-SHA256'
    for hash in md5 sha384 sha512; do
        headers "X-ServiceDesk-Signature: $(hmac "$acme" $hash <body)"
        blames "HMAC-${hash^^}: sign with"
    done
    headers "X-ServiceDesk-Signature: $( (printf %s "$acme"; cat body) | sha256sum | cut -d' ' -f1)"
    blames 'SHA-256 of secret and body, not an HMAC'
    headers "X-Signature: $(hmac "$acme" <body)"
    blames 'in the header X-Signature: send it in X-ServiceDesk-Signature'
    of hub
    headers "X-Hub-Signature-256: $(hmac "$acme-hub" <body)"
    blames 'lacks the prefix sha256='
}

@test "the secret: white space, quotes, decoded, another tenant's" {
    signed "$acme"$'\n'
    blames 'newline at its end'
    signed "$acme "
    blames 'space at its end'
    signed "\"$acme\""
    blames 'in double quotes'
    headers "X-ServiceDesk-Signature: $(openssl dgst -sha256 -mac HMAC -macopt "hexkey:$acme" -r body | cut -d' ' -f1)"
    blames 'decoded the secret from hexadecimal'
    signed "$globex"
    blames 'not accepted for tenant acme'
    [[ $output == *'made with key 1 of tenant globex'* ]]
    of std
    now=$(date +%s)
    headers "webhook-id: m1" "webhook-timestamp: $now" \
        "webhook-signature: v1,$( (printf %s "m1.$now."; cat body) | hmac_base64 "$whsec")"
    blames 'whole text of the secret: remove whsec_'
}

@test "times: an expired key, one that is not valid yet, an inactive tenant, a clock too far off, milliseconds" {
    signed "$acme-old"
    blames 'expired: its not_after was 2026-01-01T00:00:00Z'
    signed "$acme-next"
    blames 'not accepted yet: its not_before is 2099'
    of idle
    signed "$globex-idle"
    blames 'not active'
    of glpi
    glpi() { headers "X-GLPI-timestamp: $1" "X-GLPI-signature: $( (cat body; printf %s "$1") | hmac "$acme-glpi")"; }
    glpi $(($(date +%s) - 1000))
    blames 'X-GLPI-timestamp is 100[0-9] s before now, and may be 300 s'
    innocent --now "$(date -u -d '1000 seconds ago' +%FT%TZ)"
    glpi "$(date +%s)000"
    blames 'looks like milliseconds: send seconds'
    now=$(date +%s)
    headers "X-GLPI-timestamp: $now" "X-GLPI-signature: $(hmac "$acme-glpi" <body)"
    blames 'only the body was signed'
    headers "X-GLPI-timestamp: $now" "X-GLPI-signature: $( (printf %s "$now."; cat body) | hmac "$acme-glpi")"
    blames 'X-GLPI-timestamp, `\.` and the body were signed'
}

@test "two mistakes at once" {
    python3 -c "import json; open('other', 'w').write(json.dumps(json.load(open('body'))))"
    headers "X-ServiceDesk-Signature: $(hmac_base64 "$acme"$'\n' <other)"
    blames 'newline at its end'
    [[ $output == *'another layout'* && $output == *'written as base64'* ]]
}

@test "who it claims to be from: no tenant_id, an unknown tenant, no JSON, an unknown sender, another tenant than the key's" {
    printf %s "$(ticket 'del(.tenant_id)')" >body
    signed
    blames 'the body has no tenant_id'
    of Acme
    signed
    blames 'has no tenant Acme: did the sender mean acme'
    printf '{"tenant_id":' >body
    signed
    blames 'the body is not JSON: unexpected end'
    of globex
    signed "$globex-desk"
    blames 'no sender disk' --path /webhook/servicedesk/disk
    of acme
    headers "X-ServiceDesk-Signature: $(hmac "$globex-desk" <body)"
    blames 'tenant_id in the payload is not the tenant' --path /webhook/servicedesk/desk
    headers 'Accept: */*'
    blames 'no header with a credential: expected X-ServiceDesk-Signature'
}

@test "tokens and passwords" {
    of tok
    headers "Authorization: Bearer $token"
    blames 'over TLS only'
    headers "Authorization: $token"
    blames 'Authorization lacks Bearer' --https
    headers "X-Token: $token"
    blames 'in the header X-Token: send it in Authorization' --https
    headers "Authorization: Bearer \"$token\""
    blames 'in quotes' --https
    headers "Authorization: Basic $(echo "desk:$token-2" | base64 -w 0)"
    blames 'newline was encoded at the end of the password' --https
    headers "Authorization: Basic $(printf %s "admin:$token-2" | base64 -w 0)"
    blames 'the user is not the key' --https
    of acme
    headers "Authorization: Bearer $token"
    blames 'not accepted for tenant acme' --https
}

@test "what cannot be explained is said to be so; --json; exit statuses" {
    signed 'quite another secret of nobody, really'
    blames 'no known mistake explains it'
    run -1 bash -c '"$0" explain --json --headers headers <body' "${program%/*}/servicedeskctl"
    same '{"accepted":false,"cause":"no key matches"}' "$(jq -c '{accepted, cause}' <<<"$output")"
    signed
    run -0 bash -c '"$0" explain --json --headers headers <body' "${program%/*}/servicedeskctl"
    same '{"accepted":true,"answer":"202","key":"key new, mode servicedesk","findings":[]}' "$(jq -c . <<<"$output")"
    run -64 bash -c '"$0" explain --headers none <body' "${program%/*}/servicedeskctl"
    # The secret that all share.
    (unset SERVICEDESK_TENANTS_FILE; SERVICEDESK_SECRET=$acme innocent)
    signed "$acme"$'\n'
    (unset SERVICEDESK_TENANTS_FILE; SERVICEDESK_SECRET=$acme blames 'newline at its end')
}
