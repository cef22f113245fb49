# Mapping profiles: payloads of help desks as they are, through nginx, under the profiles that are shipped and one of the
# file's own.
load stack.bash

unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json

key=correct-horse-battery-staple-desk
form=application/x-www-form-urlencoded

ctl() { "${program%/*}/servicedeskctl" "$@"; }

write() {
    umask 077
    jq -n --arg key "$key" '
        def sender($id; $profile; $tenant): {id: $id, tenant: $tenant, profile: $profile,
            keys: [{id: "1", mode: "servicedesk", secret: "\($key)-\($tenant)"}]};
        {tenants: [{id: "acme", keys: [{id: "1", mode: "servicedesk", secret: $key}]}, {id: "globex"}],
        profiles: [{id: "ours", like: "sdp-v3", fields: {ticket_id: {prefix: "SDP-"},
            priority: {map: {"5 - Standard": "low", "P1": "critical"}, default: "medium"}}}],
        senders: [
            (["generic", "sdp-cloud-template", "sdp-onpremises-template", "sdp-v1", "sdp-v3", "ours"][]
                | {id: ., tenant: "globex", profile: ., keys: [{id: "1", mode: "servicedesk", secret: "\($key)-\(.)"}]}),
            {id: "msp", profile: "ours", keys: [{id: "1", mode: "servicedesk", secret: "\($key)-msp"}],
                tenant_from: {path: "request.account.name", tenants: {"Globex & Co": "globex", "ACME": "acme"}}}]}' \
        >"$SERVICEDESK_TENANTS_FILE"
}

setup_file() {
    write
    stack_up
}

# from SENDER BODY [TYPE]: posts to the sender's path, signed.
from() {
    printf %s "$2" >"$BATS_TEST_TMPDIR/body"
    request "/webhook/servicedesk/$1" --data-binary "@$BATS_TEST_TMPDIR/body" -H "Content-Type: ${3-application/json}" \
        -H "X-ServiceDesk-Signature: $(sign "$key-$1" <"$BATS_TEST_TMPDIR/body")"
}

# becomes JQ VALUE: checks the newest job.
becomes() {
    accepted
    same "$2" "$(newest | jq -r "$1")"
}

@test "a webhook's template, on premises and in the cloud" {
    for profile in sdp-onpremises-template sdp-cloud-template; do
        from $profile '{"subject":"No mail","request_id":"4711","description":"<p>Since 9&nbsp;o&#39;clock</p><p>Help &amp; thanks</p>","status":"Open","priority":"High"}'
        becomes '[.tenant_id, .ticket_id, .priority, .description] | @json' \
            '["globex","4711","high","Since 9 o'"'"'clock\n\nHelp & thanks"]'
        same "globex $profile" "$(logged tenant_id) $(logged sender)"
        from $profile '{"requestId":"4711"}'
        wrong subject request_id description status priority requestId
    done
}

@test "the files of version 1 and 3, and a request of the API" {
    from sdp-v1 '{"request":{"WORKORDERID":"12","SUBJECT":"No mail","DESCRIPTION":"","CREATEDTIME":"1429274762907","PRIORITY":"Low"}}'
    becomes '[.ticket_id, .priority, .description, .timestamp] | @json' '["12","low","No mail","2015-04-17T12:46:02.907000Z"]'
    from sdp-v3 '{"request":{"id":"123640000000240013","subject":"s","description":"d","created_time":{"display_value":"Jun 24, 2020 03:05 PM","value":"1593000300533"},"priority":null}}'
    becomes '[.ticket_id, .priority, .description, .timestamp] | @json' '["123640000000240013","medium","d","2020-06-24T12:05:00.533000Z"]'
    from generic '{"id":7,"title":"No mail","priority":"URGENT"}'
    becomes '[.ticket_id, .priority, .description] | @json' '["7","critical","No mail"]'
}

@test "more of what ServiceDesk Plus was seen to send: a bare request, the file of a change, and what is no ticket" {
    from sdp-v1 '{"WORKORDERID":"4","REQUESTER":"Shawn Adams","CREATEDTIME":"1429274762907","DUEBYTIME":"1429504200907","RESPONDEDTIME":"0","SUBJECT":"Specify Subject","SHORTDESCRIPTION":"Specify Description","STATUS":"Open","PRIORITY":"High","SITE":"","GROUP":"Network"}'
    becomes '[.ticket_id, .priority, .description] | @json' '["4","high","Specify Description"]'
    from sdp-v3 '{"id":"234567890123456","priority":{"id":"100000000000002","name":"High"},"requester":{"email_id":"user@example.com","name":"John Doe"},"status":{"name":"Open"},"subject":"Server down in DC-2"}'
    becomes '[.ticket_id, .priority, .description] | @json' '["234567890123456","high","Server down in DC-2"]'
    from sdp-v3 '{"INPUT_DATA":{"login_name":"administrator","entity":"change","entity_data":{"id":63,"title":"get output","priority":null,"description":"","created_on":{"display_value":"Nov 22, 2022 05:16 AM","value":1669094198821}}}}'
    becomes '[.ticket_id, .priority, .description, .timestamp] | @json' '["63","medium","get output","2022-11-22T05:16:38.821000Z"]'
    from sdp-v3 '{"request":{},"diff":{"old":{"request":{"priority":{"id":"4","name":"High"}}},"new":{"request":{"priority":{"id":"1","name":"Low"}}}},"LOGIN_NAME":"administrator"}'
    wrong ticket_id description
    from sdp-v3 '{"subject":"New Issue","priority":{"name":"High"}}'
    wrong ticket_id
    from generic '{"requestId":"4711"}'
    wrong ticket_id description
}

@test "a profile of the file's own has what it does not say from the shipped one" {
    from ours '{"request":{"id":"9","subject":"s","priority":{"name":"5 - standard"}}}'
    becomes '[.ticket_id, .priority] | @json' '["SDP-9","low"]'
    from msp '{"request":{"id":"10","subject":"s","account":{"name":"Globex & Co"}}}'
    becomes '[.tenant_id, .ticket_id] | @json' '["globex","SDP-10"]'
    from msp '{"request":{"id":"10","subject":"s","account":{"name":"Hooli"}}}'
    problem 401 'Invalid webhook signature'
    same 'value stands for no tenant' "$(logged cause)"
}

@test "each fault names the field, the path and the rule, in the response and in the log" {
    from sdp-v3 '{"id":"7","request":{"id":"8"},"subject":["x"],"priority":"High","secret text":1}'
    wrong ticket_id description priority
    same 'only one of request.id and id may be present' "$(jq -r '.errors[0].message' <<<"$answer")"
    same 'must be a string or a number (from subject)' "$(jq -r '.errors[1].message' <<<"$answer")"
    same 'priority must be an object (from priority.name)' "$(jq -r '.errors[2].message' <<<"$answer")"
    same "$(jq -r '.errors | map("\(.field): \(.message)") | join("; ")' <<<"$answer")" "$(logged faults)"
    same 'globex sdp-v3 invalid_fields' "$(logged tenant_id) $(logged sender) $(logged reason)"
    from sdp-cloud-template '{"subject":"s","request_id":"1","description":"d","status":"o","priority":"p","my secret":1}'
    wrong 'my secret'
    same 'unknown fields' "$(logged faults)"
    ! grep -q 'my secret' "$SERVICEDESK_LOG_FILE"
}

@test "a value that breaks out of a template changes nothing" {
    body='{"subject":"SUBJECT","request_id":"1","description":"d","status":"Open","priority":"Low"}'
    for value in 'x","priority":"critical","z":"' 'x","PRIORITY":"critical","z":"' 'x","priority":"critical' 'x"},{"a":"'; do
        from sdp-onpremises-template "${body/SUBJECT/$value}"
        same 400 "$code"
    done
    same 0 "$(depth)"
}

@test "JSON that a template broke is refused with the position and what to do" {
    from sdp-cloud-template '{"subject":"the "new" printer","request_id":"1"}'
    wrong '(body)'
    like 'unexpected byte at byte offset 17: .*quotation mark.*does not escape it.*' "$(jq -r '.errors[0].message' <<<"$answer")"
    from sdp-cloud-template $'{"subject":"two\nlines","request_id":"1"}'
    wrong '(body)'
    like 'raw control character in a string at byte offset 15: .*line break.*' "$(jq -r '.errors[0].message' <<<"$answer")"
    same invalid_json "$(logged reason)"
    like '\(body\): raw control character.*' "$(logged faults)"
}

@test "a form has its JSON in payload, input_data or data" {
    for name in payload input_data data; do
        curl -sS -G -o /dev/null -w '%{url}' --data-urlencode "$name="'{"id":"7","subject":"50% & more +"}' \
            --data-urlencode "x=1" "$url/health/live" | sed 's/.*?//' >"$BATS_TEST_TMPDIR/form"
        from generic "$(<"$BATS_TEST_TMPDIR/form")" $form
        becomes .description '50% & more +'
    done
    from generic 'payload={}&data={}' $form
    wrong '(body)'
    from generic 'subject=x' "$form; charset=utf-8"
    wrong '(body)'
    from sdp-cloud-template 'payload={}&x=1' $form
    wrong '(body)'
    from generic '{}' text/plain
    problem 415
    secret=$key type=$form post "$(ticket)"
    problem 415
}

@test "a repeated delivery gets the first job's id, though its payload is mapped" {
    for n in 1 2; do
        printf %s '{"id":"7","subject":"s"}' >"$BATS_TEST_TMPDIR/body"
        request /webhook/servicedesk/generic --data-binary "@$BATS_TEST_TMPDIR/body" -H Content-Type:application/json \
            -H "webhook-id: $BATS_TEST_NUMBER" -H "X-ServiceDesk-Signature: $(sign "$key-generic" <"$BATS_TEST_TMPDIR/body")"
        accepted
        ids+=("$(job_id)")
    done
    same "${ids[0]}" "${ids[1]}"
    same 1 "$(depth)"
}

@test "servicedeskctl: profiles are listed and shown, chosen for a sender, and tried on a body" {
    same "$(printf '%s\tshipped\n' generic sdp-cloud-template sdp-onpremises-template sdp-v1 sdp-v3 && printf 'ours\tfile')" "$(ctl profile list)"
    same sdp-v3 "$(ctl profile show ours | jq -r .like)"
    cp -p "$SERVICEDESK_TENANTS_FILE" "$BATS_TEST_TMPDIR/tenants.json"
    export SERVICEDESK_TENANTS_FILE=$BATS_TEST_TMPDIR/tenants.json
    # What is shown can be added to the file under another id.
    for name in $(SERVICEDESK_TENANTS_FILE='' ctl profile list | cut -f1); do
        same "mine-$name" "$(ctl profile show "$name" | jq --arg name "mine-$name" '.id = $name' | ctl profile add --no-wait)"
    done
    run -1 ctl profile add --no-wait < <(ctl profile show mine-generic)
    [[ $output == *'has the profile mine-generic already'* ]]
    ctl profile show mine-generic | jq '.fields.event = {value: "changed"}' | ctl profile add --replace --no-wait
    same changed "$(ctl profile show mine-generic | jq -r .fields.event.value)"
    run -1 ctl profile add --no-wait <<<'{"id":"bad","fields":{}}'
    [[ $output == *'nothing was changed'*'profiles[6].fields: expected a rule for event'* ]] || { echo "$output"; false; }
    run -64 ctl profile add --no-wait <<<'{"id"'
    ctl sender add fresh --tenant globex --profile mine-sdp-v3 --no-wait >/dev/null
    same 5 "$(ctl job --sender fresh <<<'{"id":5,"subject":"s"}' | jq -r .ticket_id)"
    same valid "$(ctl check --sender fresh <<<'{"id":5,"subject":"s"}')"
    same valid "$(ctl check --profile generic --form <<<'payload={"id":5,"subject":"s"}')"
    run -1 ctl profile remove mine-sdp-v3 --no-wait
    [[ $output == *'the sender fresh has the profile mine-sdp-v3'* ]]
    same mine-sdp-v1 "$(ctl profile remove mine-sdp-v1 --no-wait)"
    run -64 ctl profile show mine-sdp-v1
    run -1 ctl check --sender fresh <<<'{"id":5}'
    same 'description: is required, and must not be null or empty (from request.description, description, INPUT_DATA.entity_data.description, request.subject, subject or INPUT_DATA.entity_data.title)' "$output"
    ctl sender profile fresh generic --no-wait
    same generic "$(ctl sender list fresh --json | jq -r '.[0].profile')"
    ctl sender profile fresh --none --no-wait
    same null "$(ctl sender list fresh --json | jq -r '.[0].profile')"
    run -1 ctl sender profile fresh nope --no-wait
    [[ $output == *'profile: is neither in the file nor one of '*'sdp-v1, sdp-v3'* ]]
    run -64 ctl check --sender fresh --profile generic <<<'{}'
    run -64 ctl check --profile nope <<<'{}'
    # What a terminal would interpret is not printed.
    run -1 ctl check --profile sdp-cloud-template <<<'{"a\u001b[31m\u202e":1}'
    [[ $output == *'a [31m : is not a key of the template'* && $output != *$'\e'* ]]
    run -1 ctl check <<<'{"a\u001b[31m":1}'
    [[ $output == *'a [31m: is not a known field'* && $output != *$'\e'* ]]
}

@test "servicedeskctl send makes a sample of the sender's own shape" {
    for sender in generic sdp-cloud-template sdp-onpremises-template sdp-v1 sdp-v3 ours msp; do
        run -0 ctl send --url "$url" --sender "$sender" --sample
        like 'SAMPLE-[0-9A-F]{8}-1' "$(newest | jq -r .ticket_id)"
    done
    same 7 "$(depth)"
    same globex "$(newest | jq -r .tenant_id)"
}

@test "a reload changes how a sender's payloads are mapped, and the log counts it" {
    jq '(.senders[] | select(.id == "generic")).profile = "ours"' "$SERVICEDESK_TENANTS_FILE" >"$SERVICEDESK_TENANTS_FILE.new"
    chmod 600 "$SERVICEDESK_TENANTS_FILE.new"
    both_say 'tenants reloaded.*senders: 0 added, 0 removed, 1 changed' \
        mv "$SERVICEDESK_TENANTS_FILE.new" "$SERVICEDESK_TENANTS_FILE"
    from generic '{"request":{"id":"9","subject":"s"}}'
    becomes .ticket_id SDP-9
}
