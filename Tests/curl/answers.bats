# Every row of the contract's table, as a client sees it.
load stack.bash

@test "202: exactly three members, once the job is queued" {
    post "$(ticket)"
    accepted
    same "$(jq -r .job_id <<<"$answer")" "$(newest | jq -r .job_id)"
}

@test "404: any other path" {
    request /health/nothing
    problem 404
    request /webhook/servicedesk/ -d x
    problem 404
}

@test "405 lists the allowed methods, whatever else is wrong" {
    for method in GET PUT DELETE PATCH OPTIONS TRACE; do
        request /webhook/servicedesk -X "$method"
        problem 405
        same POST "$(header Allow)"
    done
    for path in /metrics /health/live /health/ready; do
        request "$path" -d x
        problem 405
        like 'GET.*' "$(header Allow)"
    done
}

@test "401: no signature, or an empty one" {
    signature='' post "$(ticket)"
    problem 401 'Missing signature header'
    signature='' post "$(ticket)" -H 'X-ServiceDesk-Signature;'
    problem 401 'Missing signature header'
}

@test "401: a signature that does not match" {
    right=$(ticket | tr -d '\n' | sign)
    for signature in "${right/%?/x}" "${right%?}" "${right}0" "${right::62}" "$right, $right" "$right,$right" \
        "sha256=$right, sha256=$right" "sha256=" "sha256=sha256=$right" "sha512=$right" "sha256 $right" "0x$right" nonsense \
        "$(printf '0%.0s' {1..64})" "$(sign </dev/null)" "$(ticket | tr -d '\n' | sign another-secret-another-secret-0001)"; do
        post "$(ticket)"
        problem 401 'Invalid webhook signature'
    done
    signature=$right
    post "$(ticket '.priority = "low"')"
    problem 401 'Invalid webhook signature'
}

@test "a signature in either case, with or without its prefix, is accepted" {
    right=$(ticket | tr -d '\n' | sign)
    for signature in "$right" "${right^^}" "sha256=$right" "sha256=${right^^}"; do
        post "$(ticket)"
        accepted
    done
}

@test "401 comes before 415 and 400: the signature is checked first" {
    signature=$(printf '0%.0s' {1..64}) type=text/plain post '{'
    problem 401 'Invalid webhook signature'
}

@test "415: any other content type" {
    for type in text/plain application/x-www-form-urlencoded application/jsonp application/+json \
        'application/json; charset=iso-8859-1' 'application/json, text/plain' application '' ; do
        post "$(ticket)"
        problem 415
    done
}

@test "415 comes before 400: the content type is checked before the JSON" {
    type=text/plain post '{'
    problem 415
}

@test "application/json and application/...+json are accepted, also with parameters" {
    for type in application/json Application/JSON 'application/json; charset=utf-8' 'application/json;charset=UTF-8' \
        'application/json; charset="utf-8"' 'application/json; version=2' application/vnd.example.ticket+json; do
        post "$(ticket)"
        accepted
    done
}

@test "400: a body that is not JSON" {
    deep=$(printf '[%.0s' {1..40})$(printf ']%.0s' {1..40})
    good=$(ticket)
    for body in '' ' ' null '[]' '"x"' 1 '{' '{}}' '{"event"}' "${good%?},}" "$good x" "$good$good" "//x"$'\n'"$good" \
        "/**/$good" $'\xef\xbb\xbf'"$good" "${good//\"/\'}" "${good/\"high\"/NaN}" "${good/\"high\"/01}" \
        "${good/\"high\"/\"\\x\"}" "${good/\"high\"/\"\\ud83d\"}" "${good/\"high\"/\"\\ude00\\ud83d\"}" \
        "${good/printer/$'\t'}" "${good/printer/$'\xff'}" "${good/printer/$'\xed\xa0\xbd'}" \
        "${good/printer/$'\xc0\xaf'}" "${good/\"high\"/$deep}" "${good%?},\"event\":\"x\"}" \
        "${good%?},\"\\u0065vent\":\"x\"}"; do
        post "$body"
        problem 400
    done
    same 0 "$(redis LLEN "$queue")"
}

@test "400: all missing fields are reported at once" {
    post '{}'
    wrong event ticket_id tenant_id description priority created_at
    post "$(ticket 'del(.event, .priority)')"
    wrong event priority
}

@test "400: all wrong fields are reported at once" {
    post "$(ticket '{event: "", ticket_id: "tkt_1", tenant_id: "Acme", description: 7, priority: "urgent",
        created_at: "yesterday", correlation_id: "1", colour: "red"}')"
    wrong event ticket_id tenant_id description priority created_at correlation_id colour
}

@test "400: a value that breaks the rule of its field" {
    while read -r field change; do
        post "$(ticket "$change")"
        wrong "$field"
    done <<'END'
event .event = null
event .event = ""
event .event = "x" * 101
ticket_id .ticket_id = ""
ticket_id .ticket_id = "A" * 101
ticket_id .ticket_id = "tkt-1"
ticket_id .ticket_id = "TKT 1"
ticket_id .ticket_id = "TKT-Ä"
tenant_id .tenant_id = ""
tenant_id .tenant_id = "ACME"
tenant_id .tenant_id = "a" * 101
description .description = ""
description .description = "x" * 10001
description .description = "😀" * 10001
description .description = "a\u0000b"
description .description = ["x"]
priority .priority = "High"
priority .priority = 1
created_at .created_at = "2026-01-31T09:30:00"
created_at .created_at = "2026-02-29T09:30:00Z"
created_at .created_at = "2026-01-31"
created_at .created_at = "2026-01-31T24:00:00Z"
created_at .created_at = "2026-01-31T09:60:00Z"
created_at .created_at = "2026-01-31T09:30:00+0100"
created_at .created_at = " 2026-01-31T09:30:00Z"
created_at .created_at = 1769848200
correlation_id .correlation_id = ""
correlation_id .correlation_id = "550e8400-e29b-11d4-a716-446655440000"
correlation_id .correlation_id = "550e8400e29b41d4a716446655440000"
colour .colour = "red"
END
}

@test "a value at the edge of its field's rule is accepted" {
    while read -r change; do
        post "$(ticket "$change")"
        accepted
    done <<'END'
.event = "x" * 100
.ticket_id = "A" * 100
.tenant_id = "a-0" + "9" * 97
.description = "x"
.description = "😀" * 10000
.description = "\u0001\u001f\u007f\u0080\ufffd\uffff"
.priority = "low"
.priority = "medium"
.priority = "critical"
.created_at = "2024-02-29T23:59:59.123456789-12:00"
.correlation_id = null
.correlation_id = "550e8400-e29b-41d4-a716-446655440000"
.correlation_id = "550E8400-E29B-41D4-A716-446655440000"
END
}

@test "no response repeats a value of the payload" {
    post "$(ticket '.priority = "cuckoo" | .ticket_id = "cuckoo" | .created_at = "cuckoo"')"
    wrong priority ticket_id created_at
    [[ $answer != *cuckoo* ]]
}

@test "every response has the request id of its log line" {
    for body in "$(ticket)" '{}'; do
        post "$body"
        id=$(header X-Request-ID)
        eventually grep -q "$id" "$SERVICEDESK_LOG_FILE"
        same "$code" "$(grep "$id" "$SERVICEDESK_LOG_FILE" | jq -r .status)"
    done
    post "$(ticket '.ticket_id = "TKT-77"')"
    id=$(header X-Request-ID)
    eventually grep -q "$id" "$SERVICEDESK_LOG_FILE"
    same "TKT-77 acme $(jq -r .job_id <<<"$answer")" \
        "$(grep "$id" "$SERVICEDESK_LOG_FILE" | jq -r '"\(.ticket_id) \(.tenant_id) \(.job_id)"')"
}

@test "a log line is one JSON object without a description, a secret or a signature" {
    post "$(ticket '.description = "cuckoo"')"
    accepted
    eventually grep -q "$(header X-Request-ID)" "$SERVICEDESK_LOG_FILE"
    jq -e . "$SERVICEDESK_LOG_FILE" >/dev/null
    run ! grep -E "cuckoo|$secret|$(sign <"$BATS_TEST_TMPDIR/body")" "$SERVICEDESK_LOG_FILE"
}
