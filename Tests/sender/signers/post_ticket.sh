#!/usr/bin/env bash
# Signs a file and posts it to a responder. Needs bash, curl and openssl.
#
#     post_ticket.sh --url https://webhooks.example.com/webhook/servicedesk/SENDER --secret-file SECRET FILE
#
# The secret is the sender's, of mode servicedesk. Without --secret-file it is in the variable SERVICEDESK_SECRET. The delivery
# is named after the SHA-256 of the file, or by --id, so posting the same file again makes no second job. With --keep DIRECTORY
# the file is copied there if the ticket is not queued.
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
(($# == 1)) && [[ $url == https://* ]] || usage
body=$1
[[ -r $body ]] || { echo "${0##*/}: cannot read $body" >&2 && exit 1; }
if [[ $secret_file ]]; then secret=$(tr -d '\r' <"$secret_file"); else secret=${SERVICEDESK_SECRET:?}; fi

sha256() { openssl dgst -sha256 -r | cut -c 1-64; }

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

inner() { { padded 0x36 && cat "$body"; } | openssl dgst -sha256 -binary; }
signature=$({ padded 0x5c && inner; } | sha256)
[[ $id ]] || id=sha256-$(sha256 <"$body")

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# post: sets $status, 000 if there was no response, and $pause to what Retry-After asks for. Redirects are not followed.
post() {
    : >"$scratch/answer"
    status=$(curl --silent --show-error --max-time 20 --proto =https --output "$scratch/answer" \
        --dump-header "$scratch/headers" --write-out '%{http_code}' --data-binary "@$body" \
        --header 'Content-Type: application/json' --header "X-ServiceDesk-Signature: $signature" \
        --header "webhook-id: $id" "$url" 2>"$scratch/error") || status=000
    pause=$(tr -d '\r' <"$scratch/headers" 2>/dev/null | sed -n 's/^retry-after: \([0-9]\{1,4\}\)$/\1/Ip' | tail -n 1)
}

for least in 1 2 4 0; do
    post
    case $status in 000 | 429 | 502 | 503 | 504) ;; *) break ;; esac
    ((least)) || break
    pause=$((${pause:-0} > least ? ${pause:-0} : least))
    sleep $((pause < 10 ? pause : 10))
done

# member NAME: prints a text of the answer.
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$scratch/answer"; }

# result success|failure MESSAGE: in the form that ServiceDesk Plus expects.
result() { printf '{"result":"%s","message":"%s"}\n' "$1" "$(tr '\n' ' ' <<<"$2" | tr -d '"\\[:cntrl:]' | sed 's/ *$//')"; }

case $status in
    202) result success "queued as job $(member job_id)" && exit 0 ;;
    000) result failure "no response: $(<"$scratch/error")" ;;
    *)
        faults=$(sed -n 's/.*"errors":\[\(.*\)\],"request_id".*/\1/p' "$scratch/answer")
        result failure "$status $(member detail) $faults (request $(member request_id))"
        ;;
esac
[[ ! $keep ]] || cp "$body" "$keep"
exit 1
