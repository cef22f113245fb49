# cgi-fcgi, with which administrators try a FastCGI program by hand: one request per connection, and no HTTP.
load stack.bash
ways=(unix tcp)

start_peer() { :; }

# use WAY
use() { [[ $1 == unix ]] && address=$socket || address=$(tcp); }

# ask METHOD PATH [VARIABLE=VALUE...] <BODY: sets $code, $answer and the file of headers.
ask() {
    local said=$BATS_TEST_TMPDIR/said.cgi
    headers=$BATS_TEST_TMPDIR/headers
    env -i REQUEST_METHOD="$1" SCRIPT_NAME="$2" "${@:3}" /usr/bin/cgi-fcgi -bind -connect "$address" >"$said" || true
    sed '/^\r$/,$d' "$said" >"$headers"
    sed '1,/^\r$/d' "$said" >"$BATS_TEST_TMPDIR/answer"
    code=$(header Status) code=${code%% *}
    answer=$(<"$BATS_TEST_TMPDIR/answer")
}

# As in Tests/curl, but straight to the responder.
post() {
    local body=$BATS_TEST_TMPDIR/body
    printf %s "$1" >"$body"
    ask POST /webhook/servicedesk CONTENT_TYPE=application/json CONTENT_LENGTH="$(wc -c <"$body")" \
        HTTP_X_SERVICEDESK_SIGNATURE="${signature-$(sign <"$body")}" <"$body"
}
request() { ask GET "$1" </dev/null; }

head_has_no_body() {
    ask HEAD /health/live </dev/null
    same 200 "$code"
    same '' "$answer"
    request /health/live
    same 200 "$code"
    [ "$answer" ]
}

path_info_is_part_of_the_path() {
    ask GET '' PATH_INFO=/health/live </dev/null
    same 200 "$code"
    ask GET /health PATH_INFO=/live </dev/null
    same 200 "$code"
}

@test "cgi-fcgi: a good ticket is queued" { each_way good_ticket_is_queued; }
@test "cgi-fcgi: a wrong signature is 401" { each_way wrong_signature_is_401; }
@test "cgi-fcgi: an invalid payload is 400" { each_way invalid_payload_is_400; }
@test "cgi-fcgi: an unknown path is 404" { each_way unknown_path_is_404; }
@test "cgi-fcgi: tickets of 60 and of 119 KB are queued" { each_way long_tickets_are_queued; }
@test "cgi-fcgi: a body over the limit is 413, and the next ticket is queued" {
    each_way too_long_is_413_and_the_next_is_queued
}
@test "cgi-fcgi: GET and HEAD of the health check" { each_way head_has_no_body; }
@test "cgi-fcgi: the path is SCRIPT_NAME followed by PATH_INFO" { each_way path_info_is_part_of_the_path; }
