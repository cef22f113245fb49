# The signers of Tests/sender, by the commands of the guide for scripts.
load stack.bash
load guides.bash

# What a gateway may answer in place of the responder: none of it means that the ticket is queued.
gateway_answers=('400 {"errors":null}' '400 {"errors":[{"code":1,"message":"m"}]}' '400 {"errors":[null,7]}' '400 {"errors":"x"}'
    '400 []' '400 "x"' '400 null' '418 ' '403 <html>' "413 $(printf '[%.0s' {1..3000})" '202 []' '202 {}' '202 Accepted')

# Besides the guides' stack, an nginx that gives the answer N at /gateway/N.
setup_file() {
    guides_up
    local locations='' number
    for number in "${!gateway_answers[@]}"; do
        locations+=" location = /gateway/$number { return ${gateway_answers[number]%% *} '${gateway_answers[number]#* }'; }"
    done
    nginx_start gateway "$dir/responder.sock" "$over_tls; s|location / .*|&$locations|"
}

# at_gateway N: has the signers post to that.
at_gateway() { nginx_use gateway && url=https${url#http}/gateway/$1; }

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
    rm -rf sdp-scripts
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
    same '' "$(ls sdp-scripts)"
    refuses "$1"
}

# refuses LANGUAGE: its result and exit status for tickets that are refused, and the copy that it keeps.
refuses() {
    v3 '.request.id = "a b"' >bad.json
    run -1 --separate-stderr env COMPLETE_V3_JSON_FILE=bad.json bash -c "$(command_of "$1" COMPLETE_V3_JSON_FILE)"
    like 'failure 400 Invalid webhook payload.*ticket_id.*must be a string of 1 to 100.*\(request .*' "$(outcome)"
    is_kept sdp-scripts bad.json
    echo another-secret-of-somebody-else-0001 >secret.txt
    run -1 --separate-stderr env COMPLETE_V3_JSON_FILE=v3.json bash -c "$(command_of "$1" COMPLETE_V3_JSON_FILE)"
    like 'failure 401 Invalid webhook signature \(request [0-9a-f]{32}\); kept as .*' "$(outcome)"
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

# starts LANGUAGE NAME ANSWER...: runs a signer, in the background, against a server that gives these. It keeps the file in
# NAME; NAME.said is what it prints, and its exit status.
starts() {
    flaky "${@:2}"
    servers+=("$pid")
    (signer "$1" --id 4711-a --keep "$2" v3.json && echo "exit 0" || echo "exit $?") >"$2.said" 3>&- &
    signers+=($!)
}

@test "the signers try again after 503, 429 and a lost connection, with the same id and signature, but only three times" {
    v3 >v3.json
    export SERVICEDESK_SECRET='%s \x41 ü$`"-and-so-on-for-more-than-64-bytes-so-that-the-key-is-hashed-first'
    for language in "${languages[@]}"; do
        starts "$language" "$language-last" 503:1 drop 429 202
        starts "$language" "$language-odd" 503:08 429:² 202
        starts "$language" "$language-never" 502 504 503 drop
    done
    wait "${signers[@]}"
    for server in "${servers[@]}"; do stop "$server"; done
    for language in "${languages[@]}"; do
        for name in last odd; do
            like '\{"result": ?"success", ?"message": ?"queued as job of-the-test"\}
exit 0' "$(<"$language-$name.said")"
            same '' "$(ls "$language-$name")"
        done
        like '\{"result": ?"failure", ?"message": ?"no response: .*; kept as [^ ]*"\}
exit 1' "$(<"$language-never.said")"
        same "11 4711-a $(sign "$SERVICEDESK_SECRET" <v3.json) $(sha256sum <v3.json | cut -d' ' -f1)" \
            "$(cat "$language"-*.log | sort | uniq -c | sed 's/^ *//')"
        cmp v3.json "$(copy_in "$language-never" v3.json)"
    done
}

@test "the signers follow no redirect, take no plain HTTP and no other certificate" {
    v3 >v3.json
    export SERVICEDESK_SECRET=$secret
    for language in "${languages[@]}"; do
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

# --- what is kept ----------------------------------------------------------------------------------------------------

@test "the signers keep the ticket whatever a gateway answers" {
    export SERVICEDESK_SECRET=$secret
    for number in "${!gateway_answers[@]}"; do
        v3 ".LOGIN_NAME = \"$number\"" >v3.json
        at_gateway "$number"
        for language in "${languages[@]}"; do
            run -1 --separate-stderr signer "$language" --keep "$language-gateway" v3.json
            like "failure ${gateway_answers[number]%% *} (: m )?\(not the responder's answer\); kept as .*" "$(outcome)"
            is_kept "$language-gateway" v3.json
        done
    done
}

@test "the signers make the directory, for nobody else to read, and keep files of one name apart, each once" {
    export SERVICEDESK_SECRET=$secret
    at_gateway 0
    mkdir one two
    v3 '.LOGIN_NAME = "one"' >one/request.json
    v3 '.LOGIN_NAME = "two"' >two/request.json
    for language in "${languages[@]}"; do
        directory=$language-made/for/us
        for file in one/request.json two/request.json; do
            run -1 --separate-stderr signer "$language" --keep "$directory" "$file"
            is_kept "$directory" "$file"
            run -1 --separate-stderr signer "$language" --keep "$directory" "$(copy_in "$directory" "$file")"
            is_kept "$directory" "$file"
        done
        same 2 "$(find "$directory" -type f | wc -l)"
        [[ $language == powershell ]] || same '700 600 600' "$(stat -c %a "$directory" "$directory"/* | paste -sd ' ')"
    done
}

# keeps_without_sending ARGUMENT...: whether each signer prints a failure that matches $reason, and keeps the file.
keeps_without_sending() {
    for language in "${languages[@]}"; do
        rm -rf unsent
        run -1 --separate-stderr signer "$language" --keep unsent "$@" v3.json
        like "failure $reason.*" "$(outcome)"
        is_kept unsent v3.json
    done
}

@test "the signers keep the ticket if the secret or the URL is of no use" {
    v3 >v3.json
    reason='.*nowhere' keeps_without_sending --secret-file nowhere
    reason='there is no secret' keeps_without_sending
    reason='there is no secret' keeps_without_sending --secret-file /dev/null
    url=http://127.0.0.1:1/hook reason='--?[Uu]rl must begin with https://' keeps_without_sending
}

@test "a file that cannot be read is a failure, and nothing is kept" {
    for language in "${languages[@]}"; do
        run -1 --separate-stderr signer "$language" --keep unread nowhere
        like 'failure .*nowhere.*' "$(outcome)"
        [[ ! -e unread ]]
    done
}

@test "the bash signer keeps the ticket if a program that it needs is missing" {
    mkdir -p broken
    ln -sf /bin/false broken/openssl
    v3 >v3.json
    PATH=$PWD/broken:$PATH run -1 --separate-stderr signer bash --keep no-openssl v3.json
    cmp v3.json "$(find no-openssl -name 'unfinished-*')"
    like "failure .*; kept as $PWD/no-openssl/unfinished-.*" "$(outcome)"
}

@test "a signer that is killed leaves the copy" {
    v3 >v3.json
    export SERVICEDESK_SECRET=$secret
    for language in "${languages[@]}"; do
        flaky "$language-killed" 503:9
        words_of "$language" --keep "$language-kept" v3.json
        background "$language-killed.said" "${words[@]}"
        eventually test -s "$language-killed.log"
        kill -s KILL -- "-$pid"
        cmp v3.json "$(find "$language-kept" -name 'unfinished-*')"
    done
}

@test "the signers deliver the ticket if it cannot be kept, and a failure says that it is not" {
    cp "$dir/secret.sdp-scripts" secret.txt
    echo 'no directory' >occupied
    url+=/webhook/servicedesk/sdp-scripts
    for language in "${languages[@]}"; do
        v3 ".LOGIN_NAME = \"occupied-$language\"" >v3.json
        run -0 --separate-stderr signer "$language" --keep occupied --secret-file secret.txt v3.json
        like 'success queued as job [0-9a-f-]{36}' "$(outcome)"
        run -1 --separate-stderr signer "$language" --keep occupied --secret-file nowhere v3.json
        like 'failure .*nowhere.*; not kept: .*occupied.*' "$(outcome)"
    done
    same "${#languages[@]} no directory" "$(depth) $(<occupied)"
}

# no_room COMMAND...: runs it where no file can be larger than 1 KiB.
no_room() (
    ulimit -f 1
    "$@"
)

@test "half a copy is removed, and the ticket is delivered" {
    cp "$dir/secret.sdp-scripts" secret.txt
    url+=/webhook/servicedesk/sdp-scripts
    for language in python bash; do
        v3 ".LOGIN_NAME = \"$language\" * 1000" >v3.json
        run -0 --separate-stderr no_room signer "$language" --keep full --secret-file secret.txt v3.json
        same '' "$(ls full)"
        run -1 --separate-stderr no_room signer "$language" --keep full --secret-file nowhere v3.json
        like 'failure .*nowhere.*; not kept: .*' "$(outcome)"
    done
    same 2 "$(depth)"
}

@test "a kept copy is sent again with the same webhook-id, and stays where it is" {
    cp "$dir/secret.sdp-scripts" secret.txt
    for language in "${languages[@]}"; do
        v3 ".LOGIN_NAME = \"again-$language\"" >v3.json
        run -1 --separate-stderr signer "$language" --keep again --secret-file nowhere v3.json
        copy=$(copy_in again v3.json)
        url=$url/webhook/servicedesk/sdp-scripts run -0 signer "$language" --keep again --secret-file secret.txt "$copy"
        same "sha256-$(basename "$copy" .json)" "$(newest | jq -r .delivery_id)"
        cmp v3.json "$copy"
    done
    same "${#languages[@]} ${#languages[@]}" "$(depth) $(find again -type f | wc -l)"
}

# --- the secret ------------------------------------------------------------------------------------------------------

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
