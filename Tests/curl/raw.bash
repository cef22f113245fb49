# Requests as bytes, such as curl does not send.

long=$(printf '%09000d' 0)
end='Host: x\r\nConnection: close\r\n\r\n'

# raw BYTES: expands them with printf, sends them, and sets what request sets. In one write, since nginx may have
# refused the first part of two and closed the connection before the second arrives.
raw() {
    headers=$BATS_TEST_TMPDIR/headers
    printf "$1" >"$BATS_TEST_TMPDIR/bytes"
    socat -b 65536 -t 5 - "TCP:${url#http://}" <"$BATS_TEST_TMPDIR/bytes" >"$BATS_TEST_TMPDIR/raw"
    sed '/^\r$/q' "$BATS_TEST_TMPDIR/raw" >"$headers"
    sed '1,/^\r$/d' "$BATS_TEST_TMPDIR/raw" >"$BATS_TEST_TMPDIR/answer"
    answer=$(<"$BATS_TEST_TMPDIR/answer")
    code=$(sed -n '1s|^HTTP/1.1 \([0-9]*\) .*|\1|p' "$headers")
}

# refused STATUS BYTES: checks that nginx answers with this problem, and with the right length.
refused() {
    printf 'for: %.60s\n' "$2"
    raw "$2"
    problem "$1"
    same "$(stat -c %s "$BATS_TEST_TMPDIR/answer")" "$(header Content-Length)"
}
