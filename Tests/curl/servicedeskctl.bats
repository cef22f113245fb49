# The operator's tool: no job leaves the queue unseen, and no failure goes unreported.
load stack.bash

setup_file() { redis_start; }
setup() {
    cd "$BATS_TEST_TMPDIR"
    redis DEL "$queue" >/dev/null
}

ctl() { "${program%/*}/servicedeskctl" "$@"; }

# fill COUNT BYTES: pushes that many jobs of that many bytes each.
fill() {
    redis EVAL "for n = 1, ARGV[1] do redis.call('LPUSH', KEYS[1], string.format('%06d', n) .. string.rep('x', ARGV[2] - 6)) end" \
        1 "$queue" "$1" "$2" >/dev/null
}

@test "pop leaves a job in the queue if it cannot print it" {
    fill 3 100
    for target in '>/dev/full' '>&-'; do
        run -1 bash -c "'${program%/*}/servicedeskctl' pop $target"
        [[ $output == *'standard output'* ]]
        same 3 "$(redis LLEN "$queue")"
    done
    # A reader that has gone: the pipe breaks.
    run bash -c "set -o pipefail; '${program%/*}/servicedeskctl' pop | :; sleep 0.1; true"
    fill 1 300000
    redis RPOP "$queue" 3 >/dev/null
    bash -c "'${program%/*}/servicedeskctl' pop 2>error | head -c 1 >/dev/null; exit \${PIPESTATUS[0]}" || broken=$?
    same 1 "${broken-0}"
    same 1 "$(redis LLEN "$queue")"
}

@test "pop prints the oldest job and removes it" {
    for job in first second; do redis LPUSH "$queue" $job >/dev/null; done
    same first "$(ctl pop)"
    same second "$(ctl pop)"
    run -1 ctl pop
    same '' "$output"
}

@test "pop loses no job, even if it is killed at any time" {
    fill 40 200000
    for n in {1..40}; do
        # Without --foreground the shell would report every kill.
        timeout --foreground -s KILL "0.0$((RANDOM % 10))$n" "${program%/*}/servicedeskctl" pop >>popped 2>/dev/null || true
    done
    redis LRANGE "$queue" 0 -1 >left
    # A part that was written before a kill precedes the whole job.
    same 40 "$(awk 'length >= 200000 { job = substr($0, length - 199999); n = substr(job, 1, 6)
        if (n ~ /^[0-9]+$/ && substr(job, 7) ~ /^x+$/) print n }' \
        popped left | sort -u | wc -l)"
}

@test "jobs are printed byte for byte, however long and however many" {
    printf '{"a":"\xff\xfe\xc3\x28"}' >job
    redis -x LPUSH "$queue" <job >/dev/null
    ctl pop >popped
    cmp <(cat job; echo) popped
    head -c 3000000 /dev/zero | tr '\0' x >job
    redis -x LPUSH "$queue" <job >/dev/null
    same 3000001 "$(ctl peek | wc -c)"
    same 3000001 "$(ctl pop | wc -c)"
    same 0 "$(redis LLEN "$queue")"
    fill 1000 120000
    same 1000 "$(ctl peek 1000 | wc -l)"
    same 000001 "$(ctl peek 1000 | head -n 1 | cut -c 1-6)"
    run -1 bash -c "'${program%/*}/servicedeskctl' peek 5 >/dev/full"
}

@test "standard input is read from its current position" {
    printf 'a line that was read before\n%s' "$(ticket)" >file
    same "$(ticket | head -c -1 | sign)" "$({ read -r _; ctl sign; } <file)"
    same valid "$({ read -r _; ctl check; } <file)"
    { read -r _; ctl push; } <file
    same "$(ticket)" "$(ctl pop)"
    same "$(printf x | sign)" "$(printf x | ctl sign)"
}

@test "input, output or Redis that cannot be reached is an error with its reason" {
    for command in 'sign' 'check <"$PWD"' 'push <"$PWD"' 'sign </dev/null >/dev/full' 'depth >/dev/full'; do
        eval "run -1 bash -c \"'${program%/*}/servicedeskctl' ${command//\"/\\\"} $([[ $command == sign ]] && echo '<"$PWD"')\""
        [[ $output == *'standard '*put* ]]
    done
    SERVICEDESK_REDIS_URL=redis://127.0.0.1:1 run -1 ctl depth
    [[ $output == *'connect: Connection refused'* ]]
}

@test "closed or empty input and a count out of range are refused" {
    for command in push sign check; do
        run -1 bash -c "'${program%/*}/servicedeskctl' $command <&-"
        [[ $output == *'standard input is closed'* ]]
    done
    run -1 ctl push </dev/null
    same 0 "$(redis LLEN "$queue")"
    for count in 0 1001; do run ! ctl peek $count; done
}

@test "listener prints the process that listens on a socket" {
    socat -u UNIX-LISTEN:"$PWD/s",fork /dev/null 3>&- &
    eventually test -S s
    same $! "$(ctl listener "$PWD/s")"
    kill $!
    eventually gone $!
    run -1 ctl listener "$PWD/s"
    run -1 ctl listener "$PWD/nowhere"
    [[ $output == *'nothing listens on'* ]]
}

@test "bash completes commands, options, modes, files and ids" {
    own=$BATS_TEST_TMPDIR/own.json
    for id in acme globex; do ctl tenant add $id --tenants-file "$own" --no-wait >/dev/null; done
    cat >"$BATS_TEST_TMPDIR/complete" <<'END'
eval "$(servicedeskctl --generate-completion-script bash)"
read -ra COMP_WORDS <<<"$1"
[[ $1 != *' ' ]] || COMP_WORDS+=('')
COMP_LINE=$1 COMP_POINT=${#1} COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_servicedeskctl servicedeskctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
echo "${COMPREPLY[*]}"
END
    completes() { same "$2" "$(PATH=${program%/*}:$PATH SERVICEDESK_TENANTS_FILE=$own bash "$BATS_TEST_TMPDIR/complete" "$1")"; }
    completes 'servicedeskctl ten' tenant
    completes 'servicedeskctl tenant r' 'rotate retire remove'
    completes 'servicedeskctl tenant rotate ' 'acme globex'
    completes 'servicedeskctl tenant rotate acme --ke' '--keep --key-id'
    completes 'servicedeskctl tenant add x --mode s' 'servicedesk standard-webhooks'
    completes 'servicedeskctl tenant retire globex --key ' "$(jq -r '.tenants[1].keys[0].id' "$own")"
    completes "servicedeskctl tenant list --tenants-file $BATS_TEST_TMPDIR/ow" "$own"
}

# edit COMMAND...: edits a tenants file that no responder uses.
edit() { ctl "$@" --tenants-file "$BATS_TEST_TMPDIR/own.json" --no-wait; }

@test "a tenants file in a directory that may be written to but not read is edited" {
    place=$(mktemp -d /tmp/tenant-XXXXXX)
    cp "${program%/*}/servicedeskctl" "$place"
    ((EUID)) || chown 65534:65534 "$place"
    chmod 300 "$place"
    nobody=()
    ((EUID)) || nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    for tenant in a b; do
        run -0 --separate-stderr "${nobody[@]}" "$place/servicedeskctl" tenant add $tenant --tenants-file "$place/own.json" --no-wait
        [[ $stderr != *changed* ]]
    done
    chmod 700 "$place"
    same '["a","b"]' "$(jq -c '[.tenants[].id]' "$place/own.json")"
    rm -r "$place"
}

@test "an edit that a crash could undo is reported as a change, and ends with 2" {
    cc -shared -fPIC -x c -o failing.so - <<'END'
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
/* Fails for directories. */
int fsync(int file) {
    struct stat status;
    if (fstat(file, &status) == 0 && S_ISDIR(status.st_mode)) { errno = EIO; return -1; }
    return syscall(SYS_fsync, file);
}
END
    LD_PRELOAD=$PWD/failing.so run -2 --separate-stderr edit tenant add a
    like '[0-9a-f]{64}' "$output"
    [[ $stderr == *'own.json was changed, but a crash of the machine could undo that (fsync: '* ]] || { echo "$stderr"; false; }
    same "$output" "$(jq -r '.tenants[0].keys[0].secret' own.json)"
    # It still waits for the responders.
    LD_PRELOAD=$PWD/failing.so run -2 ctl tenant rotate a --tenants-file own.json --runtime-dir .
    [[ $output == *'no responder shares its counters in .'* ]]
    (umask 077 && echo "acme $secret" >lines)
    LD_PRELOAD=$PWD/failing.so run -2 ctl tenant convert --tenants-file lines
    [[ $output == *'lines.json is written'*'lines.json was changed, but a crash of the machine could undo that'* ]]
}
