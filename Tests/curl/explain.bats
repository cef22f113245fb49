# servicedeskctl explain: right requests are never blamed, and each planted mistake is named. mistakes.py makes the requests.
load stack.bash

unset SERVICEDESK_SECRET
cases=$dir/cases

setup_file() {
    umask 077
    python3 "$root/Tests/curl/mistakes.py" "$cases"
    SERVICEDESK_TENANTS_FILE=$cases/tenants.json stack_up
}
setup() {
    cd "$BATS_TEST_TMPDIR"
    nginx_use main
}

ctl() { "${program%/*}/servicedeskctl" "$@"; }

# explain ARGUMENT...: explains the request in the files body and headers; sets $output and $status.
explain() { run ctl explain --tenants-file "$cases/tenants.json" --now 2026-11-27T09:30:00Z --body body --headers headers "$@"; }

# group PATTERN: checks each case of some groups for exactly the expected mistakes, and that no secret is told.
group() {
    local directory output code found=$BATS_TEST_TMPDIR/found
    for directory in "$cases"/$1/*/; do
        cd "$directory"
        code=0
        # shellcheck disable=SC2046
        output=$(ctl explain --json --tenants-file "$cases/tenants.json" --now 2026-11-27T09:30:00Z --body body --headers headers \
            $(<arguments) 2>&1) || code=$?
        printf '{"case":"%s","status":%d,"expected":"%s","found":%s}\n' "${directory#"$cases/"}" $code "$(<expected)" "$output"
    done >"$found"
    same '' "$(jq -r '.found as $found
        | (if $found.accepted then "accepted" else [$found.mistakes[].name] | join(",") end) as $names
        | select($names != .expected or .status != (if .expected == "accepted" then 0 else 1 end)
            or (.expected == "accepted" and $found.mistakes != []))
        | "\(.case) expected: \(.expected), got: \($names), status \(.status)"' "$found" 2>&1)"
    run ! grep -F -f "$cases/secrets" "$found"
    [[ -s $found ]]
}

@test "right requests of every mode are accepted, and not blamed" { group 'right*'; }
@test "other bytes signed than sent" { group body; }
@test "another secret, or in another form; keys out of their time" { group secret; }
@test "another hash, encoding or prefix" { group algorithm; }
@test "a signed time that is off, or that is signed in another way" { group time; }
@test "another header, mode, scheme or user; plain HTTP" { group header; }
@test "no tenant, another one, an unknown one; refusals that are not the credential's" { group tenant; }

@test "echo piped to openssl, sent by curl without its line feed" {
    ticket >body
    truncate -s -1 body
    printf 'POST /webhook/servicedesk HTTP/1.1\r\nContent-Type: application/json\r\nX-ServiceDesk-Signature: %s\r\n\r\n' \
        "$(echo "$(<body)" | openssl dgst -sha256 -hmac "$(grep -- '-acme$' "$cases/secrets")" -r | cut -d' ' -f1)" >headers
    explain
    same 1 "$status"
    same 'not accepted: 401, cause: no key matches' "${lines[0]}"
    same 'credential: tenant acme, key now, mode servicedesk' "${lines[1]}"
    [[ ${lines[2]} == 'mistake [newline-missing]: '* && ${lines[3]} == '  to do: '* ]]
    same 4 "${#lines[@]}"
}

@test "a path and headers are read as nginx reads them" {
    ticket | tr -d '\n' >body
    tag=$(openssl dgst -sha256 -hmac "$(grep -- '-acme$' "$cases/secrets")" -r <body | cut -d' ' -f1)
    good="X-ServiceDesk-Signature: $tag" bad="x-servicedesk-signature: $(printf '0%.0s' {1..64})"
    # as_nginx STATUS PATH HEADER...: posts the body, and explains it.
    as_nginx() {
        local given=("${@:3}") fields=() field
        for field in "${given[@]}"; do fields+=(-H "$field"); done
        request "$2" --path-as-is --data-binary @body -H Content-Type:application/json "${fields[@]}"
        same "$1" "$code"
        printf '%s\n' "POST $2 HTTP/1.1" 'Content-Type: application/json' "${given[@]/%;/:}" >headers
        explain --json
        same "$2 $1" "$2 $(jq .status <<<"$output")"
    }
    for path in //webhook/servicedesk /webhook///servicedesk /%77ebhook%2fservicedesk /a/../webhook/./servicedesk; do
        as_nginx 202 "$path" "$good"
        as_nginx 401 "$path" "$bad"
    done
    for path in /webhook/servicedesk/ /webhook/servicedesk%3f /webhook/servicedesk/.. /Webhook/servicedesk; do
        as_nginx 404 "$path" "$good"
    done
    as_nginx 401 //webhook/servicedesk//%64esk "$good"
    as_nginx 202 /webhook/servicedesk "$good" "$bad"
    as_nginx 401 /webhook/servicedesk "$bad" "$good"
    same header-twice "$(jq -r '.mistakes[].name' <<<"$output")"
    # An empty one, as curl writes it.
    as_nginx 401 /webhook/servicedesk 'X-ServiceDesk-Signature;' "$good"
}

@test "nothing of a request reaches the terminal as it is" {
    ticket '."\u001b]0;pwn\u0007\u009b31m\u202e" = 1' | tr -d '\n' >body
    tag=$(openssl dgst -sha256 -hmac "$(grep -- '-acme$' "$cases/secrets")" -r <body | cut -d' ' -f1)
    echo "X-ServiceDesk-Signature: $tag" >headers
    explain
    same 1 "$status"
    [[ $output == *' ]0;pwn  31m : '* ]] || { echo "$output"; false; }
    LC_ALL=C.UTF-8 run -1 grep -P '[\x00-\x08\x0b-\x1f\x7f\x{80}-\x{9f}\x{202e}]' <<<"$output"
    explain --path $'/webhook\e[31m'
    [[ $output != *$'\e'* ]]
}

@test "the one secret for all: accepted, a mistake, and no more than there is" {
    export SERVICEDESK_SECRET=$secret
    ticket | tr -d '\n' >body
    echo "X-ServiceDesk-Signature: $(sign <body)" >headers
    run -0 ctl explain --body body --headers headers
    same 'accepted: tenant acme, with the secret that all tenants share' "$output"
    echo "X-ServiceDesk-Signature: $(openssl dgst -sha512 -hmac "$secret" -r <body | cut -d' ' -f1)" >headers
    run -1 ctl explain --body body --headers headers
    [[ $output == *'[other-hash]'* && $output != *"$secret"* ]]
    echo "X-ServiceDesk-Signature: $(sign another-secret <body)" >headers
    run -1 ctl explain --body body --headers headers
    [[ ${lines[2]} == 'No mistake that was tried'* ]]
}

@test "a header that pass.conf does not have is told, also of an accepted request" {
    ticket '.tenant_id = "dotted"' | tr -d '\n' >body
    tag=$({ printf 1795771800.; cat body; } | openssl dgst -sha256 -hmac "$(grep -- '-dotted$' "$cases/secrets")" -r | cut -d' ' -f1)
    printf '%s\n' "X-Desk-Timestamp: 1795771800" "X-Desk-Signature: v1=$tag" >headers
    explain
    same 0 "$status"
    [[ $output == *'fastcgi_param HTTP_X_DESK_SIGNATURE $http_x_desk_signature if_not_empty;' ]]
}

@test "what sign prints is accepted" {
    for tenant in acme github zendesk glpi deluge standard; do
        ticket ".tenant_id = \"$tenant\"" >body
        ctl sign --tenants-file "$cases/tenants.json" --tenant "$tenant" <body >headers
        run -0 ctl explain --tenants-file "$cases/tenants.json" --body body --headers headers
    done
}

@test "files and arguments that make no sense end with 64" {
    ticket >body
    echo 'HTTP/1.1 401 Unauthorized' >headers
    explain
    same 64 "$status"
    [[ $output == *'the headers of a response'* ]]
    echo 'no colon' >headers
    explain
    same 64 "$status"
    for arguments in '--body none' '--headers none' '--tenants-file none' '--now yesterday'; do
        # shellcheck disable=SC2086
        explain $arguments
        same 64 "$status"
    done
}
