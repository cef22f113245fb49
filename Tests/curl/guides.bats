# The guides of Tests/sender: their commands, profiles, templates, signers and lines for the log, as they stand there.
load stack.bash
load guides.bash

setup_file() { guides_up; }

# --- commands --------------------------------------------------------------------------------------------------------

@test "the guides' commands print what the guides show, and the tenants file has no fault" {
    same "$(grep -c '^\$ ' "$guides"/*.md | awk -F: '{ n += $2 } END { print n }')" "$(find "$dir"/secret.* | wc -l)"
    cmp "$dir/said/shown" "$dir/said/printed"
    servicedesk-responder --check
    same 600 "$(stat -c %a "$SERVICEDESK_TENANTS_FILE")"
}

@test "every guide has the same six parts, at most 85 lines, and no URL with a token in it" {
    for product in "${products[@]}"; do
        same '1 2 3 4 5 6' "$(sed -n 's/^## \([0-9]\)\. .*/\1/p' "$guides/$product.md" | paste -sd ' ')"
        (($(wc -l <"$guides/$product.md") <= 85))
        grep -q "($product.md)" "$guides/README.md"
    done
    run -1 grep -rE 'https?://[^ )]*(\?|token|secret|@)' "$guides"
}

# --- templates of ServiceDesk Plus -----------------------------------------------------------------------------------

sdp_on_premises() {
    fill servicedesk-plus-on-premises "\${{request.subject}}=${1-No mail}" "\${{request.id}}=${3-4711}" \
        "\${{request.description}}=${2-<p>Since &amp; <b>always</b></p>}" '${{request.status.name}}=Open' "\${{request.priority.name}}=${4-High}"
}

@test "ServiceDesk Plus on premises: the template becomes a job" {
    sdp_on_premises
    with_token sdp "$body"
    job_has 4711 acme high 'Since & always'
    sdp_on_premises 'No mail' '' 4712 ''
    with_token sdp "$body"
    job_has 4712 acme medium 'No mail'
}

# sdp_cloud [SUBJECT]
sdp_cloud() {
    fill servicedesk-plus-cloud "\${subject}=${1-No mail}" '${id}=100000000000012345' '${description}=' '${priority.name}=Low' '${status.name}=Open'
}

@test "ServiceDesk Plus Cloud: the template becomes a job" {
    sdp_cloud
    with_token sdp-cloud "$body"
    job_has 100000000000012345 acme low 'No mail'
}

@test "a value that is not escaped is a 400 with the advice that the guides quote" {
    sdp_on_premises 'x","priority":"critical","z":"'
    with_token sdp "$body"
    refused_with '(body)' 'a value has quotation marks in it, and the help desk does not escape it'
    sdp_on_premises $'two\nlines'
    with_token sdp "$body"
    refused_with '(body)' 'a value has a line break in it, and the help desk does not escape it'
    sdp_on_premises 'C:\queue'
    with_token sdp "$body"
    refused_with '(body)' 'a value has a backslash in it'
    sdp_cloud 'x","z":"'
    with_token sdp-cloud "$body"
    refused_with z 'is not a key of the template'
}

@test "a variable that was not replaced, and a template that was changed, are 400s" {
    sdp_on_premises
    unknown='${{request.number}}'
    with_token sdp "${body/4711/"$unknown"}"
    refused_with ticket_id 'is a variable that the help desk has not replaced'
    with_token sdp "${body/'"request_id":"4711",'/}"
    refused_with request_id 'is required, for ticket_id'
}

@test "ServiceDesk Plus: a profile with a key for the site finds the tenant and more priorities" {
    sdp_on_premises 'No mail' '' 4711 P1
    with_token sdp-msp "${body/%\}/,\"site\":\"Globex\"\}}"
    job_has 4711 globex critical 'No mail'
    with_token sdp-msp "${body/%\}/,\"site\":\"Initech\"\}}"
    same '401 value stands for no tenant' "$code $(logged cause)"
}

# --- answers ---------------------------------------------------------------------------------------------------------

@test "the causes of a 401 are those that the guides name" {
    sdp_on_premises
    request /webhook/servicedesk/sdp -H Content-Type:application/json --data-binary "$body"
    same '401 header missing' "$code $(logged cause)"
    request /webhook/servicedesk/sdp -H Content-Type:application/json -H "X-Webhook-Secret: $(<"$dir/secret.sdp-cloud")" --data-binary "$body"
    same '401 no key matches' "$code $(logged cause)"
    nginx_use plain
    with_token sdp "$body"
    same '401 not over TLS' "$code $(logged cause)"
}

@test "a fixed webhook-id makes every ticket but the first a 422" {
    sdp_on_premises
    with_token sdp "$body" -H 'webhook-id: servicedesk'
    accepted
    sdp_on_premises 'Another one'
    with_token sdp "$body" -H 'webhook-id: servicedesk'
    problem 422
    same 1 "$(depth)"
}

@test "415 for another type than the guides name" {
    sdp_on_premises
    request /webhook/servicedesk/sdp -H Content-Type:text/plain -H "X-Webhook-Secret: $(<"$dir/secret.sdp")" --data-binary "$body"
    problem 415
}

# --- other products --------------------------------------------------------------------------------------------------

# zendesk [TITLE]: posts it with the secret that Zendesk has made.
zendesk() {
    local now tag
    now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    fill zendesk '{{ticket.id}}=35436' "{{ticket.title}}=${1-Printer on fire}" "{{ticket.description}}=${2-}" '{{ticket.priority}}=Urgent'
    tag=$(printf %s "$now$body" | openssl dgst -sha256 -hmac zendesk-made-this-secret-0123456789 -binary | base64)
    request /webhook/servicedesk/zendesk -H Content-Type:application/json -H "X-Zendesk-Webhook-Signature: $tag" \
        -H "X-Zendesk-Webhook-Signature-Timestamp: $now" --data-binary "$body"
}

@test "Zendesk: the signed template becomes a job, and unescaped values are 400s" {
    zendesk
    job_has 35436 acme critical 'Printer on fire'
    redis DEL "$queue"
    zendesk 'x","priority":"critical","z":"'
    refused_with '(body)' 'a value has quotation marks in it'
    zendesk x $'two\nlines'
    refused_with '(body)' 'a value has a line break in it'
}

# jira BODY [CURL OPTION...]
jira() {
    request /webhook/servicedesk/jira -H Content-Type:application/json --data-binary "$1" \
        -H "X-Hub-Signature: sha256=$(printf %s "$1" | sign "$(<"$dir/secret.jira")")" "${@:2}"
}
issue() {
    jq -nc '{timestamp: 1536083559131, webhookEvent: "jira:issue_updated", issue: {id: "10005", key: "ITSM-42", self: "https://…/rest/api/2/issue/10005",
        fields: {summary: "No mail", description: "He said \"no\"\nTwice", priority: {id: "1", name: "Highest"}, timeestimate: null}}} | '"${1-.}"
}

@test "Jira: a webhook becomes a job, and a repeat with the same identifier queues nothing" {
    jira "$(issue)" -H 'X-Atlassian-Webhook-Identifier: 1c3f'
    job_has ITSM-42 acme critical $'He said "no"\nTwice'
    same '["jira:issue_updated","2018-09-04T17:52:39.131000Z","1c3f"]' "$(newest | jq -c '[.event, .timestamp, .delivery_id]')"
    first=$(job_id)
    jira "$(issue)" -H 'X-Atlassian-Webhook-Identifier: 1c3f'
    same "$first 1" "$(job_id) $(depth)"
    jira "$(issue '.issue.fields |= (.description = null | .priority = null)')"
    job_has ITSM-42 acme medium 'No mail'
}

@test "Jira: a description that is an object is a 400, as is a key with an underscore" {
    jira "$(issue '.issue.fields.description = {type: "doc", version: 1, content: []}')"
    refused_with description 'must be a string or a number'
    jira "$(issue '.issue.key = "IT_SM-42"')"
    refused_with ticket_id ''
    jira "$(issue 'del(.issue)')"
    wrong ticket_id description
}

@test "Jira: the automation's template becomes a job, whatever is in the issue" {
    fill jira '{{issue.key.asJsonString}}="ITSM-42"' "{{issue.summary.asJsonString}}=$(jq -n '"x\",\"priority\":\"critical\",\"z\":\""')" \
        '{{issue.description.asJsonString}}=""' '{{issue.priority.name.asJsonString}}="Lowest"'
    with_token jira-automation "$body"
    job_has ITSM-42 acme low 'x","priority":"critical","z":"'
    with_token jira-automation "${body/'"description":""'/'"description":'}"
    problem 400
}

# glpi SENDER BODY [TIME]
glpi() {
    local time=${3-$(date +%s)}
    request "/webhook/servicedesk/$1" -H "Content-Type:${type-application/json}" --data-binary "$2" -H "X-GLPI-timestamp: $time" \
        -H "X-GLPI-signature: $(printf %s "$2$time" | sign "$(<"$dir/secret.$1")")"
}

@test "GLPI: the default payload becomes a job, also one that was in the queue for hours" {
    glpi glpi "$(template glpi)" $(($(date +%s) - 80000))
    job_has 7 acme high "Since 9 o'clock."
    same new "$(newest | jq -r .event)"
    glpi glpi "$(template glpi | jq '.item.content = "" | .item.priority = 1')"
    job_has 7 acme low 'Printer offline'
    glpi glpi-msp "$(template glpi | jq '.item.entity.name = "Globex"')"
    job_has 7 globex high "Since 9 o'clock."
    glpi glpi-msp "$(template glpi | jq '.item.entity.name = "Hooli"')"
    same '401 value stands for no tenant' "$code $(logged cause)"
    glpi glpi "$(template glpi)" $(($(date +%s) - 90000))
    same '401 timestamp stale' "$code $(logged cause)"
}

@test "GLPI: without the custom header Content-Type it is a 415" {
    type='' glpi glpi "$(template glpi)"
    problem 415
}

# freshservice SUBJECT PRIORITY [ID]
freshservice() {
    fill freshservice "{{ticket.id}}=${3-INC-31}" "{{ticket.subject}}=$1" '{{ticket.description_text}}=' "{{ticket.priority}}=$2"
    with_token freshservice "$body"
}

@test "Freshservice: the template becomes a job, with priorities as names and numbers" {
    freshservice 'No mail' Urgent
    job_has INC-31 acme critical 'No mail'
    freshservice 'No mail' 1 31
    job_has 31 acme low 'No mail'
    redis DEL "$queue"
    freshservice 'x","priority":"critical","z":"' Low
    refused_with '(body)' 'a value has quotation marks in it'
}

@test "Halo: the template becomes a job, whatever is in the ticket" {
    fill halo '<<ticket^id>>=2201' '<<ticket^summary>>="x\",\"priority\":\"critical"' '<<ticket^details>>=""' '<<ticket^priority^name>>="High"'
    header='Authorization: Bearer' with_token halo "$body"
    job_has 2201 acme high 'x","priority":"critical'
    redis DEL "$queue"
    header='Authorization: Bearer' with_token halo "${body/2201/}"
    refused_with '(body)' ''
}

# --- refused tickets -------------------------------------------------------------------------------------------------

# lines WORD: runs the README's line for a log, the one with that word, for today.
lines() {
    cp "$SERVICEDESK_LOG_FILE" responder.json
    cp "$dir/main/access.log" access.log
    bash -ec "$(recipe "$guides/README.md" "$1" | sed "s/2026-11-27/$(date -u +%Y-%m-%d)/")"
}

@test "the README's lines find refused tickets in the logs" {
    sdp_on_premises x '' 'a b'
    with_token sdp "$body"
    wrong ticket_id
    eventually grep -qF "$(header X-Request-ID)" "$SERVICEDESK_LOG_FILE"
    echo 'a line of multiwatch, which is not JSON' >>"$SERVICEDESK_LOG_FILE"
    like "20[^	]*Z	400	invalid_fields	sdp	-	127.0.0.1	$(header X-Request-ID)	ticket_id: must be .*" "$(lines remote_addr | tail -n 1)"
    sdp_on_premises
    request /webhook/servicedesk/sdp -H Content-Type:application/json -H "X-Webhook-Secret: $(<"$dir/secret.zendesk")" --data-binary "$body"
    problem 401
    eventually grep -qF "$(header X-Request-ID)" "$SERVICEDESK_LOG_FILE"
    lines 'uniq -c' >counts
    grep -qE '^ +[1-9][0-9]* sdp: no key matches$' counts
    grep -qE '^ +[1-9][0-9]* sdp: invalid_fields$' counts
    run -1 grep -E 'accepted|not_ready' counts
}

@test "the README's line finds what nginx refused, in nginx's log" {
    head -c 200000 /dev/zero | tr '\0' x >large
    request /webhook/servicedesk/sdp -H Content-Type:application/json --data-binary @large
    problem 413
    eventually grep -qF "$(header X-Request-ID)" "$dir/main/access.log"
    lines upstream_status >refused
    like "20[^	]*	413	/webhook/servicedesk/sdp	127.0.0.1	$(header X-Request-ID)" "$(tail -n 1 refused)"
    run -1 grep -E '	(202|400|401|422)	' refused
}

@test "a ticket that is sent again by hand, twice, is one job" {
    sdp_on_premises 'No mail' ''
    printf %s "$body" >body.json
    again=$(recipe "$guides/README.md" --delivery-id | sed "s|https://webhooks.example.com|$url|")
    run -0 bash -ec "$again"
    [[ ${lines[0]} == valid && $output == *"202"* ]]
    first=$(newest)
    run -0 bash -ec "$again"
    same 1 "$(depth)"
    [[ $output == *"$(jq -r .job_id <<<"$first")"* ]]
    same '4711-2026-11-27T09:30 high No mail' "$(jq -r '"\(.delivery_id) \(.priority) \(.description)"' <<<"$first")"
    run -0 bash -ec "$(recipe "$guides/README.md" 'servicedeskctl job')"
    same "valid 4711" "${lines[0]} $(jq -r .ticket_id <<<"${lines[1]}")"
}
