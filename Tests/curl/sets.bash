# For the tests of spawn/responder and spawn/restart: sets of one process, each on a socket in the test's own directory.
load stack.bash

setup_file() { redis_start; }

setup() {
    cd "$BATS_TEST_TMPDIR"
    socket=$PWD/responder.sock
}

teardown() {
    local pid
    for pid in $(members "$socket") $(members "$PWD/other.sock"); do stop "$pid" KILL; done
    [[ ! ${theirs-} ]] || rm -rf "$theirs"
}

# members SOCKET [NAME]: prints the processes of all its sets, found by their environment, whatever SOCKET.pid says.
members() {
    local found
    for found in $(pgrep -x "${2-.*}"); do
        if grep -qzsFx "SERVICEDESK_RUNTIME_DIR=$1.counters" "/proc/$found/environ" && alive "$found"; then
            echo "$found"
        fi
    done
}
sets() { members "$socket" multiwatch; }
none() { [[ ! $(members "$@") ]]; }
children() { pgrep -P "$set"; }

# serve [SOCKET [OPTION...]]: starts a set of one process; sets $set.
serve() {
    start_responder log "${1-$socket}" --processes "${2-1}"
    set=$pid
}

restart() { "$root/spawn/restart" "$socket" --processes 1 3>&-; }

# only SET: checks that it alone serves, and that no files of another set are left.
only() {
    responder_answers "$socket" live
    same "$1" "$(<"$socket.pid")"
    same "$1" "$(sets)"
    [[ ! -e $socket.new && ! -e $socket.new.pid ]]
}

# instead NAME LINE...: puts a script of that name before the command in PATH.
instead() {
    mkdir -p bin
    printf '%s\n' '#!/bin/sh' "${@:2}" >"bin/$1"
    chmod +x "bin/$1"
    [[ $PATH == "$PWD/bin":* ]] || PATH=$PWD/bin:$PATH
}

# nobody: starts a set as the user nobody in a directory of that user; $as_nobody runs a command as that user.
nobody() {
    ((!EUID)) || skip "only root can start a set as another user"
    as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    "${as_nobody[@]}" test -x "$root/spawn/responder" -a -x "$program" || skip "the user nobody cannot read $root or $program"
    theirs=$(mktemp -d) # bats' own directories are root's alone
    chown nobody:nogroup "$theirs"
    socket=$theirs/responder.sock
    unset SERVICEDESK_LOG_FILE
    background log "${as_nobody[@]}" "$root/spawn/responder" "$socket" --processes 1
    set=$pid
    wait_up "$set" responder_answers "$socket" live
}
