# spawn/responder and spawn/restart in adverse conditions: stale files, other processes, each other, signals.
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

# --- spawn/restart ---------------------------------------------------------------------------------------------------

@test "a restart takes over, again and again, by a relative path too" {
    serve
    for name in "$socket" responder.sock ../"${PWD##*/}"/responder.sock; do
        old=$(<"$socket.pid")
        "$root/spawn/restart" "$name" --processes 1 3>&-
        gone "$old"
        [[ $(<"$socket.pid") != "$old" ]]
        only "$(<"$socket.pid")"
    done
}

@test "a restart leaves another socket's set alone when SOCKET.pid names it" {
    serve "$PWD/other.sock"
    other=$set
    serve
    echo "$other" >"$socket.pid"
    run -1 restart
    [[ $output == *"process $other"* ]]
    alive "$other"
    responder_answers "$PWD/other.sock" live
    echo "$set" >"$socket.pid"
    only "$set"
}

@test "a zombie multiwatch in SOCKET.pid does not count as a running set" {
    # sleep does not reap its children.
    bash -c '/usr/bin/multiwatch -- /bin/sleep 60 & echo $! >zombie; exec sleep 60' 3>&- &
    parent=$!
    eventually test -s zombie
    zombie=$(<zombie)
    eventually grep -q multiwatch "/proc/$zombie/comm"
    child=$(pgrep -P "$zombie")
    kill -KILL "$zombie" "$child"
    eventually gone "$zombie"
    echo "$zombie" >"$socket.pid"
    run -1 restart
    kill "$parent"
    [[ $output == *"nothing serves $socket"*spawn/responder* ]]
    same '' "$(sets)"
}

@test "a set whose socket another process has taken over is not replaced" {
    serve
    rm "$socket"
    socat "UNIX-LISTEN:$socket" - </dev/null 3>&- &
    thief=$!
    eventually test -S "$socket"
    run -1 restart
    kill "$thief" 2>/dev/null || true # it may have ended with the connection
    [[ $output == *"process $set"* ]]
    alive "$set"
    same "$set" "$(sets)"
}

@test "of two restarts at once one is refused, and one set serves" {
    serve
    restart &>first &
    one=$!
    restart &>second &
    two=$!
    status_one=0 status_two=0
    wait "$one" || status_one=$?
    wait "$two" || status_two=$?
    cat first second
    same 1 $((status_one + status_two))
    grep -q 'another start or restart' first second
    only "$(<"$socket.pid")"
}

@test "a running set does not hold the lock" {
    serve
    restart
    restart
    only "$(<"$socket.pid")"
}

@test "a restart stops the set that a killed restart left behind" {
    serve
    instead mv ': >moving' 'sleep 60'
    background out "$root/spawn/restart" "$socket" --processes 1
    eventually test -e moving
    kill -KILL -- "-$pid"
    rm bin/mv
    same 2 "$(sets | wc -l)"
    restart
    gone "$set"
    only "$(<"$socket.pid")"
}

@test "another user's set is refused, and the refusal names that user" {
    nobody
    run -1 restart
    [[ $output == *"sudo -u nobody"* ]]
    [[ $(stat -c %U "$theirs"/*) != *root* ]]
    only "$set"
}

@test "a restart keeps the socket's group and mode" {
    serve
    group=$(id -G | tr ' ' '\n' | grep -vx "$(id -g)" | head -n 1)
    ((EUID)) || group=$(getent group nogroup | cut -d: -f3)
    [[ $group ]] || skip "we have one group only"
    chgrp "$group" "$socket"
    chmod 0600 "$socket"
    restart
    same "$group 600" "$(stat -c '%g %a' "$socket")"
}

@test "a restart that cannot keep the socket's group leaves the old set" {
    nobody
    start_redis "$theirs"
    redis=$pid
    chmod 666 "$theirs/redis.sock"
    chgrp daemon "$socket"
    chmod 666 "$socket"
    SERVICEDESK_REDIS_URL=unix://$theirs/redis.sock run -1 "${as_nobody[@]}" "$root/spawn/restart" "$socket" 3>&-
    stop "$redis"
    echo "$output"
    [[ $output == *"group"* ]]
    only "$set"
    same daemon "$(stat -c %G "$socket")"
}

@test "a restart that is interrupted leaves the old set, and nothing else" {
    serve
    for signal in TERM INT HUP; do
        # A script's background processes ignore INT unless told otherwise.
        SERVICEDESK_REDIS_URL=unix://$PWD/nowhere.sock background out env --default-signal=INT \
            "$root/spawn/restart" "$socket" --processes 1
        eventually test -S "$socket.new"
        kill -s "$signal" "$pid"
        wait_for 20 gone "$pid"
        ended=0
        wait "$pid" || ended=$?
        same $((128 + $(kill -l "$signal"))) "$ended"
        only "$set"
    done
}

@test "a restart that fails at the last step leaves the old set, and nothing else" {
    serve
    instead mv 'echo "mv: no" >&2; exit 1'
    run ! restart
    only "$set"
}

@test "a restart whose new set does not answer fails, and leaves the old one running" {
    serve
    # The path no longer exists once the new set has been moved there.
    instead mv '/usr/bin/mv "$@"' "rm -f $socket"
    run ! restart
    alive "$set"
    [[ $output == *"process $set"* ]]
}

@test "a restart whose old set is still draining says so and exits with status 1" {
    serve
    kill -STOP "$(children)"
    sed 's/wait_for 60/wait_for 1/' "$root/spawn/restart" >"$BATS_TEST_TMPDIR/restart"
    sed -i "s|^\. .*|. '$root/spawn/lib.sh'|" "$BATS_TEST_TMPDIR/restart"
    run -1 bash "$BATS_TEST_TMPDIR/restart" "$socket" --processes 1 3>&-
    [[ $output == *"$set is still draining"* ]]
    kill -CONT "$(children)"
    wait_for 11 gone "$set"
    only "$(<"$socket.pid")"
}

# --- spawn/responder -------------------------------------------------------------------------------------------------

@test "of two starts at once one is refused, and SOCKET.pid names the other" {
    instead spawn-fcgi 'sleep 1' 'exec /usr/bin/spawn-fcgi "$@"'
    background first "$root/spawn/responder" "$socket" --processes 1
    one=$pid
    background second "$root/spawn/responder" "$socket" --processes 1
    two=$pid
    eventually responder_answers "$socket" live
    sleep 1
    cat first second
    same 1 "$(sets | wc -l)"
    grep -qE 'another start or restart|listens on' first second
    only "$(sets)"
    gone "$one" || gone "$two"
}

@test "a set starts in spite of the stale files of a crash" {
    serve "$PWD/other.sock"
    other=$set
    serve
    child=$(children)
    kill -KILL "$set" "$child"
    eventually none "$socket"
    [[ -S $socket && -s $socket.pid ]]
    serve
    kill -KILL "$set" "$(children)"
    eventually none "$socket"
    echo "$other" >"$socket.pid" # another process got its number
    serve
    only "$set"
    alive "$other"
}

@test "a file that is not a socket is left alone" {
    echo precious >"$socket"
    run -1 timeout 5 "$root/spawn/responder" "$socket"
    same precious "$(<"$socket")"
}

@test "a wrong number of processes is refused before anything is touched" {
    for number in 0 -1 many ''; do
        run -1 timeout 5 "$root/spawn/responder" "$socket" --processes "$number"
        [[ $output == *--processes* ]]
        [[ ! -e $socket && ! -e $socket.pid ]]
    done
}

@test "responders end by themselves when multiwatch is killed" {
    serve "$socket" 2
    two() { same 2 "$(children | wc -l)" >/dev/null; }
    eventually two
    kill -KILL "$set"
    eventually none "$socket"
    run ! grep -q " $socket\$" /proc/net/unix
    serve
    only "$set"
}

@test "a child that is killed ten times is replaced ten times" {
    serve
    for _ in {1..10}; do
        eventually responder_answers "$socket" live
        child=$(children)
        kill -KILL "$child"
        eventually gone "$child"
    done
    eventually responder_answers "$socket" live
    only "$set"
}

@test "a program that is missing for a while is not started in a tight loop" {
    printf '#!/bin/sh\nexec %s "$@"\n' "$program" >program
    chmod +x program
    ln -s "${program%/*}/servicedeskctl" .
    SERVICEDESK_PROGRAM=$PWD/program serve
    mv program elsewhere
    : >log
    kill -KILL "$(children)"
    sleep 3
    lines=$(wc -l <log)
    echo "$lines lines"
    ((lines < 30))
    mv elsewhere program
    eventually responder_answers "$socket" live
    only "$set"
}

@test "a start has succeeded once it has answered, whatever the next process answers" {
    asked=0
    first_only() { ((asked++ == 0)); }
    wait_up $$ first_only
}
