# spawn/restart in adverse conditions: stale files, other processes, another restart, signals.
load sets.bash

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

# --- the old set's log -----------------------------------------------------------------------------------------------

@test "the new set logs where the old one does if both append" {
    unset SERVICEDESK_LOG_FILE
    serve
    run -0 restart
    [[ ! -e $socket.log && $output != *'logs to'* ]]
    same 2 "$(grep -c '"message":"started"' log)"
    grep -q '"message":"stopped"' log
}

@test "a log that the old set would write over is left to it" {
    unset SERVICEDESK_LOG_FILE
    "$root/spawn/responder" "$socket" --processes 1 2>log 3>&- &
    wait_up $! responder_answers "$socket" ready
    run -0 restart
    [[ $output == *"the new set logs to $socket.log"* ]]
    grep -q '"message":"stopped"' log
    same 1 "$(grep -c '"message":"started"' log)"
    grep -q '"message":"started"' "$socket.log"
}

# --- a set that systemd started --------------------------------------------------------------------------------------

# serve_with VALUE: starts a set with this value, a shell expression, of the variable that systemd sets; $$ is the set's id.
serve_with() {
    background log sh -c "SYSTEMD_EXEC_PID=$1"' exec "$@"' sh "$root/spawn/responder" "$socket" --processes 1
    set=$pid
    wait_up "$set" responder_answers "$socket" ready
}

@test "a systemd service is refused before anything is started, and the refusal says what to do" {
    serve_with '$$'
    run -1 restart
    [[ $output == *"process $set"*'systemctl restart '* ]]
    [[ ! -e $socket.log ]]
    only "$set"
}

@test "a set that a descendant of a systemd service started is replaced" {
    serve_with $$
    restart
    gone "$set"
    only "$(<"$socket.pid")"
}

@test "the service is found in cgroups of both versions, and of a user" {
    cgroup() { printf '%s\n' "$@" >cgroup && service_in cgroup; }
    same desk.service "$(cgroup 0::/system.slice/desk.service)"
    same desk@1.service "$(cgroup 4:memory:/other.service 1:name=systemd:/system.slice/desk@1.service 0::/)"
    same '--user desk.service' "$(cgroup 0::/user.slice/user-1000.slice/user@1000.service/app.slice/desk.service)"
    for path in / /user.slice/user-1000.slice/session-2.scope /system.slice/docker-0a.scope; do
        run ! cgroup "0::$path"
    done
}

# --- cgi-fcgi --------------------------------------------------------------------------------------------------------

@test "without cgi-fcgi a restart says at once what to install, and so does a start that waits for the answer" {
    serve
    mkdir bin
    cp -s /usr/bin/* /bin/* bin 2>/dev/null || true # in Debian both are the same
    rm bin/cgi-fcgi
    PATH=$PWD/bin
    run -1 restart
    [[ $output == *'needs cgi-fcgi: apt-get install libfcgi-bin' ]]
    run -1 start_responder log "$PWD/other.sock"
    [[ $output == *'needs cgi-fcgi: apt-get install libfcgi-bin' ]]
    same "$set" "$(sets)"
    same '' "$(members "$PWD/other.sock")"
}
