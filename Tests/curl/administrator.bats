# An administrator's hour: from an empty machine to a worker that has the tickets of a help desk, by the commands that the
# READMEs show. The tests build on one another.
load stack.bash

unset SERVICEDESK_SECRET
PATH=${program%/*}:$PATH
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json SERVICEDESK_RUNTIME_DIR=$dir/responder.sock.counters
export SERVICEDESK_QUARANTINE=1000

setup_file() {
    servicedeskctl tenant add globex >/dev/null
    stack_up
}

setup() {
    nginx_use main
    cd "$dir"
}

# The help desk: ServiceDesk Plus on premises, whose webhook puts values into a template as they are.
template() {
    local subject=$1 description=$2
    cat <<END
{"subject":"$subject","request_id":"4711","description":"$description","status":"Open","priority":"High"}
END
}

# webhook BODY: posts it with the token that the help desk has.
webhook() {
    printf %s "$1" >posted
    request /webhook/servicedesk/acme-desk -H Content-Type:application/json -H "X-Webhook-Secret: $(<token)" --data-binary @posted
}

@test "1. she adds a tenant and its help desk, with a profile, while the responders run" {
    servicedeskctl tenant add acme >/dev/null
    # Without TLS, as only a test would.
    servicedeskctl sender add acme-desk --tenant acme --profile sdp-onpremises-template \
        --mode token --header X-Webhook-Secret --plaintext >token
    same "acme-desk" "$(servicedeskctl sender list acme-desk | cut -f1)"
}

@test "2. she tries the template before it is switched on" {
    same valid "$(template 'No mail' '<p>Since 9</p>' | servicedeskctl check --sender acme-desk)"
    same 'Since 9' "$(template 'No mail' '<p>Since 9</p>' | servicedeskctl job --sender acme-desk | jq -r .description)"
}

@test "3. a ticket's webhook is accepted" {
    webhook "$(template 'No mail' '<p>Since 9</p>')"
    accepted
    same 'acme acme-desk' "$(logged tenant_id) $(logged sender)"
}

@test "4. one with a quotation mark in its subject is refused, and the answer says why" {
    webhook "$(template 'The "new" printer' 'It burns')"
    wrong '(body)'
    [[ $(jq -r '.errors[0].message' <<<"$answer") == *'a value has a quotation mark in it, and the help desk does not escape it'* ]]
}

@test "5. she finds it in the log and in the quarantine, explained" {
    like '\(body\): unexpected byte at byte offset 17: .*' "$(jq -rR 'fromjson? | select(.sender == "acme-desk" and .status == 400) | .faults' "$SERVICEDESK_LOG_FILE")"
    eventually eval '[[ $(servicedeskctl quarantine list) ]]'
    like '[0-9]+-[0-9]	20.*Z	acme	acme-desk	invalid_json	\(body\): unexpected byte at byte offset 17: .*' "$(servicedeskctl quarantine list)"
}

@test "6. she corrects it and replays it" {
    id=$(servicedeskctl quarantine list | cut -f1)
    servicedeskctl quarantine show "$id" --body >body
    cmp posted body
    run -1 servicedeskctl quarantine replay "$id"
    sed -i 's/"The "new" printer"/"The \\"new\\" printer"/' body
    same valid "$(servicedeskctl check --sender acme-desk <body)"
    run -0 servicedeskctl quarantine replay "$id" --body body
    like "$id	$uuid4" "$output"
    same '' "$(servicedeskctl quarantine list)"
    same 2 "$(servicedeskctl depth)"
}

@test "7. a worker takes both jobs, the oldest first" {
    "$root/.build/test-python/bin/python" "$root/Tests/worker/brpop_worker.py" >worked 2>worker-errors 3>&- &
    worker=$!
    eventually eval '(( $(wc -l <worked) == 2 ))'
    kill "$worker"
    like "$uuid4: 'Since 9'" "$(sed -n 1p worked)"
    like "$uuid4: 'It burns'" "$(sed -n 2p worked)"
    same 0 "$(servicedeskctl depth)"
}
