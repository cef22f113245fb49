# Reads the guides of Tests/sender: their profiles, commands and templates are tested as they stand there.

guides=$root/Tests/sender
PATH=${program%/*}:$PATH
unset SERVICEDESK_SECRET
export SERVICEDESK_TENANTS_FILE=$dir/tenants.json SERVICEDESK_RUNTIME_DIR=$dir/responder.sock.counters
export CURL_CA_BUNDLE=$dir/server.pem SSL_CERT_FILE=$dir/server.pem
over_tls="s|listen 127.0.0.1:\([0-9]*\);|listen 127.0.0.1:\1 ssl; ssl_certificate $dir/server.pem; ssl_certificate_key $dir/server.key;|"
products=(servicedesk-plus-on-premises servicedesk-plus-cloud servicedesk-plus-scripts zendesk jira glpi freshservice halo)

# blocks FILE INFO: prints the fenced blocks with that info string, each followed by a line of \x1e.
blocks() { awk -v open="\`\`\`$2" '$0 == open { inside = 1; next } $0 == "```" { if (inside) print "\x1e"; inside = 0 } inside' "$1"; }

# profiles GUIDE: prints its profiles. template GUIDE: prints what is to be pasted: its JSON that is no profile.
profiles() { blocks "$guides/$1.md" json | awk -v RS='\x1e\n' '/^{"id": "/'; }
template() { blocks "$guides/$1.md" json | awk -v RS='\x1e\n' '!/^{"id": "/ { printf "%s", $0; exit }'; }

# recipe FILE WORD: prints the first block of shell commands with that word in it.
recipe() { blocks "$1" sh | awk -v RS='\x1e\n' -v word="$2" 'index($0, word) { print; exit }'; }

# set_up GUIDE: adds its profiles, then runs its commands. What they should print and what they did print is kept in
# $dir/said, with secrets masked; each sender's secret is in $dir/secret.SENDER.
set_up() {
    local line shown=() name
    if [[ $(profiles "$1") ]]; then
        while IFS= read -r line; do
            echo "$line" >"$dir/profile.json"
            (cd "$dir" && bash -ec "$(recipe "$guides/README.md" profile.json)") >/dev/null 2>&1 || return 1
        done < <(profiles "$1" | jq -c .)
    fi
    while IFS= read -r line; do
        if [[ $line == '$ '* ]]; then
            name=$(awk '{ print $5 }' <<<"$line")
            bash -c "${line#\$ }" <<<"zendesk-made-this-secret-0123456789" >"$dir/secret.$name" || return 1
            masked "$dir/secret.$name" >>"$dir/said/printed"
        elif [[ $line != $'\x1e' ]]; then
            shown+=("$line")
        fi
    done < <(blocks "$guides/$1.md" console)
    ((!${#shown[@]})) || printf '%s\n' "${shown[@]}" | masked - >>"$dir/said/shown"
}
masked() { sed 's/^[0-9a-f]\{64\}$/SECRET/' "$1"; }

# guides_up: sets up every sender by the commands of its guide, then starts the stack, with TLS.
guides_up() {
    local product identifier
    mkdir -m 750 "$SERVICEDESK_RUNTIME_DIR"
    mkdir "$dir/said" "$dir/work"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=server \
        -addext 'subjectAltName=IP:127.0.0.1' -keyout "$dir/server.key" -out "$dir/server.pem" 2>/dev/null
    servicedeskctl tenant add acme >/dev/null
    for product in "${products[@]}" README; do set_up "$product"; done
    redis_start
    SERVICEDESK_JOB_MEMBERS=event,delivery_id start_responder "$dir/responder.log" "$dir/responder.sock" --processes 1
    wait_up "$pid" responder_answers "$dir/responder.sock" ready
    identifier=$(blocks "$guides/jira.md" nginx | sed 1q)
    nginx_start main "$dir/responder.sock" "$over_tls
        s|^fastcgi_param HTTP_IDEMPOTENCY_KEY .*|&\n$identifier|"
    nginx_start plain "$dir/responder.sock"
    cp "$guides"/signers/* "$dir/work"
}

setup() {
    nginx_use main
    url=https${url#http}
    redis DEL "$queue" >/dev/null
    cd "$dir/work"
}

# fill GUIDE VARIABLE=VALUE...: sets $body to its template with these values.
fill() {
    local pair
    body=$(template "$1")
    for pair in "${@:2}"; do
        [[ $body == *"${pair%%=*}"* ]] || { echo "no ${pair%%=*} in $body"; return 1; }
        body=${body//"${pair%%=*}"/"${pair#*=}"}
    done
    [[ $body != *['$<{'][{\<]* ]] || { echo "a variable is left: $body"; return 1; }
}

# with_token SENDER BODY [CURL OPTION...]: posts it as the help desk does that has a token.
with_token() {
    printf %s "$2" >"$BATS_TEST_TMPDIR/body"
    request "/webhook/servicedesk/$1" -H Content-Type:application/json -H "${header-X-Webhook-Secret:} $(<"$dir/secret.$1")" \
        --data-binary "@$BATS_TEST_TMPDIR/body" "${@:3}"
}

# job_has TICKET TENANT PRIORITY DESCRIPTION: checks the answer and the job.
job_has() {
    accepted
    same "$(printf '%s\n' "$@")" "$(newest | jq -r '.ticket_id, .tenant_id, .priority, .description')"
}

# refused_with FIELD TEXT: checks for a 400 about that field with that text.
refused_with() {
    wrong "$1"
    [[ $(jq -r '.errors[0].message' <<<"$answer") == *"$2"* ]] || { echo "no '$2' in $answer"; return 1; }
    same 0 "$(depth)"
}

# --- signers ---------------------------------------------------------------------------------------------------------

languages=(python bash)
! command -v pwsh >/dev/null || languages+=(powershell)

# words_of LANGUAGE ARGUMENT...: sets $words to the command of a signer with these. signer LANGUAGE ARGUMENT...: runs it.
words_of() {
    words=("${@:2}")
    case $1 in
        python) words=(python3 post_ticket.py --url "$url" "${words[@]}") ;;
        bash) words=(bash post_ticket.sh --url "$url" "${words[@]}") ;;
        powershell)
            words=("${words[@]/#--keep/-Keep}") && words=("${words[@]/#--secret-file/-SecretFile}")
            words=(pwsh -NoProfile -File post_ticket.ps1 -Url "$url" "${words[@]/#--id/-Id}")
            ;;
    esac
}
signer() { words_of "$@" && "${words[@]}"; }

# outcome: prints what the signer has said, in $output, as text.
outcome() { jq -r '"\(.result) \(.message)"' <<<"$output"; }

# copy_in DIRECTORY FILE: prints where the file is kept. is_kept DIRECTORY FILE: whether $output says so, and it is there.
copy_in() { echo "$1/$(sha256sum <"$2" | cut -d' ' -f1).json"; }
is_kept() {
    cmp "$2" "$(copy_in "$@")"
    [[ $(outcome) == *"; kept as $PWD/$(copy_in "$@")" ]]
}
