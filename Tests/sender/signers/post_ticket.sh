#!/usr/bin/env bash
# Signs a file and posts it to a responder. Needs bash, curl and openssl.
#
#     post_ticket.sh --url https://webhooks.example.com/webhook/servicedesk/SENDER --secret-file SECRET FILE
#
# The secret is the sender's, of mode servicedesk. Without --secret-file it is in the variable SERVICEDESK_SECRET. The delivery
# is named after the SHA-256 of the file, or by --id, so posting the same file again makes no second job.
#
# With --keep DIRECTORY the file is copied there first, and the copy is removed once the ticket is queued. If it is not, whatever
# the reason, the copy stays as SHA-256.json; if this script is killed, as unfinished-*.
#
# Prints the result that ServiceDesk Plus expects of a script. Exit status: 0 if the ticket is queued, 1 if not, 64 for
# arguments that make no sense.
set -euo pipefail

usage() {
    echo "usage: ${0##*/} --url https://HOST/webhook/servicedesk/SENDER [--secret-file SECRET] [--id ID] [--keep DIRECTORY] FILE" >&2
    exit 64
}

url='' secret_file='' id='' keep=''
while (($# > 1)); do
    case $1 in
        --url) url=$2 ;;
        --secret-file) secret_file=$2 ;;
        --id) id=$2 ;;
        --keep) keep=$2 ;;
        *) usage ;;
    esac
    shift 2
done
(($# == 1)) && [[ $url ]] || usage
file=$1

# --- the copy and the result -----------------------------------------------------------------------------------------

job='' message='this script has failed: see its error output' copy='' not_copied='' digest='' scratch=''

# copy_of FILE DIRECTORY: copies it under a name that no other process uses, and prints the full path.
copy_of() {
    local path
    mkdir -p -m 700 -- "$2" && path=$(CDPATH='' cd -- "$2" && mktemp "$PWD/unfinished-XXXXXX") || return 1
    cp -- "$1" "$path" || { rm -f -- "$path"; return 1; }
    echo "$path"
}

# rename_copy: names it after its content, so that the same ticket is kept once.
rename_copy() {
    local path=${copy%/*}/$digest.json
    [[ ! $digest ]] || { mv -f -- "$copy" "$path" && copy=$path; }
}

# result success|failure MESSAGE: in the form that ServiceDesk Plus expects.
result() {
    local text
    text=$(tr '\n' ' ' <<<"$2" | tr -d '"\\[:cntrl:]' | tr -s ' ' | sed 's/ *$//')
    printf '{"result":"%s","message":"%s"}\n' "$1" "$text"
}

# finish: keeps the copy unless the ticket is queued, prints the result and sets the exit status; runs however the script ends.
finish() {
    trap - EXIT
    set +e
    [[ ! $scratch ]] || rm -rf "$scratch"
    if [[ $job ]]; then
        [[ ! $copy ]] || rm -f -- "$copy"
        result success "queued as job $job"
        exit 0
    fi
    [[ ! $copy ]] || rename_copy
    result failure "$message${copy:+; kept as $copy}${not_copied:+; not kept: $not_copied}"
    exit 1
}
trap finish EXIT

# fail MESSAGE
fail() {
    message=$1
    exit 1
}

[[ -r $file && -f $file ]] || fail "cannot read $file"
if [[ $keep ]]; then
    if copy=$(copy_of "$file" "$keep" 2>&1); then file=$copy; else not_copied=${copy:-no copy was made} copy=''; fi
fi

# --- the signature ---------------------------------------------------------------------------------------------------

sha256() { openssl dgst -sha256 -r | cut -c 1-64; }

digest=$(sha256 <"$file")
[[ $url == https://* ]] || fail '--url must begin with https://'
secret=${SERVICEDESK_SECRET-}
if [[ $secret_file ]]; then secret=$(tr -d '\r' <"$secret_file") || fail "cannot read $secret_file"; fi
[[ $secret ]] || fail 'there is no secret: give --secret-file, or set SERVICEDESK_SECRET'

# `openssl dgst -hmac` would show the secret in the list of processes. So the HMAC (RFC 2104) is put together here, of two
# SHA-256; printf is a part of bash, so nobody sees its arguments.
key=$(printf %s "$secret" | od -An -v -tx1 | tr -d ' \n')
((${#key} <= 128)) || key=$(printf %s "$secret" | sha256)

# padded BYTE: prints the key's 64 bytes, each XOR BYTE.
padded() {
    local i digits text=''
    for ((i = 0; i < 128; i += 2)); do
        digits=${key:i:2}
        text+=$(printf '\\x%02x' $((16#${digits:-00} ^ $1)))
    done
    printf %b "$text"
}

inner() { { padded 0x36 && cat "$file"; } | openssl dgst -sha256 -binary; }
signature=$({ padded 0x5c && inner; } | sha256)
[[ $id ]] || id=sha256-$digest

# --- the delivery ----------------------------------------------------------------------------------------------------

scratch=$(mktemp -d)

# post: sets $status, 000 if there was no response, and $pause to what Retry-After asks for. Redirects are not followed.
post() {
    : >"$scratch/answer"
    : >"$scratch/headers"
    status=$(curl --silent --show-error --max-time 20 --proto =https --output "$scratch/answer" \
        --dump-header "$scratch/headers" --write-out '%{http_code}' --data-binary "@$file" \
        --header 'Content-Type: application/json' --header "X-ServiceDesk-Signature: $signature" \
        --header "webhook-id: $id" "$url" 2>"$scratch/error") || status=000
    pause=$(tr -d '\r' <"$scratch/headers" | sed -n 's/^retry-after: \([0-9]\{1,4\}\)$/\1/Ip' | tail -n 1)
}

for least in 1 2 4 0; do
    post
    case $status in 000 | 429 | 502 | 503 | 504) ;; *) break ;; esac
    ((least)) || break
    pause=$((10#${pause:-0}))
    ((pause > least)) || pause=$least
    sleep $((pause < 10 ? pause : 10))
done

# member NAME: prints a text of the answer.
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$scratch/answer"; }

[[ $status != 202 ]] || job=$(member job_id)
[[ ! $job ]] || exit 0
[[ $status != 000 ]] || fail "no response: $(<"$scratch/error")"
faults=$(sed -n 's/.*"errors":\[\(.*\)\],"request_id".*/\1/p' "$scratch/answer")
origin="not the responder's answer" request=$(member request_id)
[[ ! $request ]] || origin="request $request"
fail "$status $(member detail) $faults ($origin)"
