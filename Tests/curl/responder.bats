# spawn/responder in adverse conditions: stale files, two starts at once, killed processes.
load sets.bash

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
