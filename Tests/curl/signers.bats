# The signers of Tests/sender, by the commands of the guide for scripts.
load stack.bash
load guides.bash

setup_file() { guides_up; }

v3() {
    jq -nc '{request: {id: "123640000000240013", subject: "No mail", description: "<div>He said &quot;no&quot;<br>Twice</div>",
        created_time: {display_value: "Jun 24, 2020 03:05 PM", value: "1593000300533"}, priority: {name: "High", id: "5"}, technician: null},
        diff: {}, LOGIN_NAME: "administrator"} | '"${1-.}"
}

# command_of LANGUAGE FILE_VARIABLE: prints the guide's command for it, with our host.
command_of() {
    recipe "$guides/servicedesk-plus-scripts.md" post_ticket | grep "^$1 .*\$$2\$" |
        sed "s|https://webhooks.example.com|$url|; s|^python |python3 |; s|^powershell |pwsh |"
}

# posts LANGUAGE: checks the guide's commands for it against the stack.
posts() {
    cp "$dir/secret.sdp-scripts" secret.txt
    # Another file for each, since one that came before makes no second job.
    v3 ".LOGIN_NAME = \"$1\"" >v3.json
    run -0 --separate-stderr env COMPLETE_V3_JSON_FILE=v3.json bash -c "$(command_of "$1" COMPLETE_V3_JSON_FILE)"
    job=$(newest)
    same "$(jq -nc --arg id "$(jq -r .job_id <<<"$job")" '{result: "success", message: "queued as job \($id)"}')" "$(jq -c . <<<"$output")"
    same $'123640000000240013 acme high 2020-06-24T12:05:00.533000Z He said "no"\nTwice' \
        "$(jq -r '"\(.ticket_id) \(.tenant_id) \(.priority) \(.timestamp) \(.description)"' <<<"$job")"
    same "sha256-$(sha256sum <v3.json | cut -d' ' -f1)" "$(jq -r .delivery_id <<<"$job")"
    first=$output
    run -0 --separate-stderr env COMPLETE_V3_JSON_FILE=v3.json bash -c "$(command_of "$1" COMPLETE_V3_JSON_FILE)"
    same "$first 1" "$output $(depth)"
    refuses "$1"
}

# refuses LANGUAGE: its result and exit status for tickets that are refused, and the copy that it keeps.
refuses() {
    local keep=--keep
    [[ $1 != powershell ]] || keep=-Keep
    rm -rf failed
    mkdir failed
    v3 '.request.id = "a b"' >bad.json
    run -1 --separate-stderr env COMPLETE_V3_JSON_FILE=bad.json bash -c "$(command_of "$1" COMPLETE_V3_JSON_FILE | sed "s| \\$| $keep failed \$|")"
    same failure "$(jq -r .result <<<"$output")"
    [[ $(jq -r .message <<<"$output") == *'400 Invalid webhook payload'*ticket_id*'must be a string of 1 to 100'*'(request '* ]]
    cmp bad.json failed/bad.json
    echo another-secret-of-somebody-else-0001 >secret.txt
    run -1 --separate-stderr env COMPLETE_V3_JSON_FILE=v3.json bash -c "$(command_of "$1" COMPLETE_V3_JSON_FILE)"
    like '401 Invalid webhook signature *\(request [0-9a-f]{32}\)' "$(jq -r .message <<<"$output")"
    same 1 "$(depth)"
}

@test "the Python signer posts the file of a custom trigger once" { posts python; }

@test "the bash signer posts the file of a custom trigger once" { posts bash; }

@test "the PowerShell signer posts the file of a custom trigger once" {
    command -v pwsh || skip 'no PowerShell here'
    posts powershell
}

@test "the older file of a custom trigger becomes a job, too" {
    cp "$dir/secret.sdp-scripts-v1" secret.txt
    jq -nc '{request: {WORKORDERID: "4", CREATEDTIME: "1429274762907", SHORTDESCRIPTION: "No mail", PRIORITY: "", SITE: ""}}' >v1.json
    run -0 env COMPLETE_JSON_FILE=v1.json bash -c "$(command_of python COMPLETE_JSON_FILE)"
    same '4 medium No mail 2015-04-17T12:46:02.907000Z' "$(newest | jq -r '"\(.ticket_id) \(.priority) \(.description) \(.timestamp)"')"
}

# flaky NAME ANSWER...: starts a server that gives these, and logs to NAME.log; sets $url.
flaky() {
    rm -f "$1.port" "$1.log"
    background "$1.err" python3 "$BATS_TEST_DIRNAME/flaky.py" "$dir/server.pem" "$dir/server.key" "$1.port" "$1.log" "${@:2}"
    eventually test -s "$1.port"
    url=https://127.0.0.1:$(<"$1.port")/hook
}

# signer LANGUAGE ARGUMENT...: runs it.
signer() {
    case $1 in
        python) python3 post_ticket.py --url "$url" "${@:2}" ;;
        bash) bash post_ticket.sh --url "$url" "${@:2}" ;;
    esac
}

# starts LANGUAGE NAME ANSWER...: runs a signer, in the background, against a server that gives these. It keeps the file, in
# NAME, if the ticket is not queued; NAME.said is what it prints, and its exit status.
starts() {
    mkdir "$2"
    flaky "${@:2}"
    servers+=("$pid")
    (signer "$1" --id 4711-a --keep "$2" v3.json && echo "exit 0" || echo "exit $?") >"$2.said" 3>&- &
    signers+=($!)
}

@test "the signers try again after 503, 429 and a lost connection, with the same id and signature, but only three times" {
    v3 >v3.json
    export SERVICEDESK_SECRET='%s \x41 ü$`"-and-so-on-for-more-than-64-bytes-so-that-the-key-is-hashed-first'
    for language in python bash; do
        starts "$language" "$language-last" 503:1 drop 429 202
        starts "$language" "$language-never" 502 504 503 drop
    done
    wait "${signers[@]}"
    for server in "${servers[@]}"; do stop "$server"; done
    for language in python bash; do
        like '\{"result": ?"success", ?"message": ?"queued as job of-the-test"\}
exit 0' "$(<"$language-last.said")"
        like '\{"result": ?"failure", ?"message": ?"no response: .*"\}
exit 1' "$(<"$language-never.said")"
        same "8 4711-a $(sign "$SERVICEDESK_SECRET" <v3.json) $(sha256sum <v3.json | cut -d' ' -f1)" \
            "$(cat "$language"-*.log | sort | uniq -c | sed 's/^ *//')"
        same '' "$(ls "$language-last")"
        cmp v3.json "$language-never/v3.json"
    done
}

@test "the signers follow no redirect, take no plain HTTP and no other certificate" {
    v3 >v3.json
    export SERVICEDESK_SECRET=$secret
    for language in python bash; do
        flaky "$language" 302 202
        run -1 --separate-stderr signer "$language" v3.json
        [[ $output == *failure*302* ]]
        same 1 "$(wc -l <"$language.log")"
        stop "$pid"
        url=http://127.0.0.1:1/hook
        run ! signer "$language" v3.json
        [[ $output == *https://* ]]
    done
}

@test "the bash signer shows the secret in no command's arguments" {
    mkdir -p seen
    for program in openssl curl od cut tr cat sed; do
        printf '#!/bin/bash\nprintf "%%s\\n" "$0 $*" >>"%s/arguments"\nexec "%s" "$@"\n' "$PWD" "$(command -v "$program")" >"seen/$program"
        chmod +x "seen/$program"
    done
    v3 >v3.json
    cp "$dir/secret.sdp-scripts" secret.txt
    PATH=$PWD/seen:$PATH COMPLETE_V3_JSON_FILE=v3.json bash -c "$(command_of bash COMPLETE_V3_JSON_FILE)"
    grep -q '/openssl dgst' arguments
    grep -q '/curl .*X-ServiceDesk-Signature' arguments
    run -1 grep -F "$(<secret.txt)" arguments
    run -1 grep -F "$(tr -d '\n' <secret.txt | od -An -v -tx1 | tr -d ' \n')" arguments
}

@test "Deluge: the function signs as Zoho has published, and what it would send becomes a job" {
    jq -r '.cases[] | [.key, .data, .hmac_sha256_hex] | @tsv' "$root/Tests/vectors/zoho-deluge.json" |
        while IFS=$'\t' read -r key data expected; do same "$expected" "$(printf %s "$data" | sign "$key")"; done
    function=$guides/signers/post_ticket.deluge
    grep -qxF 'body = payload.toString();' "$function"
    grep -qF 'zoho.encryption.hmacsha256(secret, body, "hex")' "$function"
    grep -qxE ' +body: body' "$function"
    grep -qF "$(jq -Rr '"contains(\(tojson))"' <<<'"status":"accepted"')" "$function"
    keys=$(sed -n 's/^payload.put("\([a-z_]*\)", requestObj.get("\1"));$/\1/p' "$function")
    body=$(v3 | jq -c --arg keys "$keys" '.request | with_entries(select(.key | IN($keys | split("\n")[])))')
    request /webhook/servicedesk/sdp-function -H Content-Type:application/json --data-binary "$body" \
        -H "X-ServiceDesk-Signature: $(printf %s "$body" | sign "$(<"$dir/secret.sdp-function")")"
    job_has 123640000000240013 acme high $'He said "no"\nTwice'
    [[ $answer == *'"status":"accepted"'* ]]
    same 2020-06-24T12:05:00.533000Z "$(newest | jq -r .timestamp)"
}
