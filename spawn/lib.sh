# shellcheck shell=bash disable=SC2034 # the scripts that source it use its variables
# Functions and variables that the scripts share. Sourcing it runs nothing.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${SERVICEDESK_PROGRAM:-$root/.build/release/servicedesk-responder}
packages=(nginx redis-server redis-tools spawn-fcgi multiwatch libfcgi-bin libfcgi-dev libssl-dev
    pkg-config procps curl jq)

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# wait_for SECONDS COMMAND...: tries it until it succeeds, ten times a second.
wait_for() {
    local end=$((SECONDS + $1))
    until "${@:2}"; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# --- processes -------------------------------------------------------------------------------------------------------

# alive PID: false for a zombie.
alive() { grep -qs '^State:.[^Z]' "/proc/$1/status"; }
gone() { ! alive "$1"; }

# background LOG COMMAND...: starts it out of reach of the terminal's Ctrl-C, as the leader of its own group; sets $pid.
background() {
    setsid "${@:2}" </dev/null >>"$1" 2>&1 3>&- &
    pid=$!
}

# stop PID [SIGNAL]: stops it and waits until it has gone; if it takes too long, kills its whole group.
stop() {
    kill -s "${2:-TERM}" "$1" 2>/dev/null || return 0
    wait_for 15 gone "$1" || kill -s KILL -- "-$1" 2>/dev/null || true
}

# wait_up PID COMMAND...: tries the command until it succeeds, for 10 s at most and only while the process lives.
wait_up() {
    local end=$((SECONDS + 10))
    until "${@:2}"; do
        alive "$1" && ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# --- the set of a socket ---------------------------------------------------------------------------------------------

# take_lock SOCKET: holds the lock on descriptor 9 until this process and all that inherit it have closed it. The file
# stays: removing it could remove one that another process has just locked.
take_lock() {
    exec 9>>"$1.lock"
    flock -n 9 || die "another start or restart of $1 is under way: wait until it has ended"
}

# listener SOCKET: connects, and prints the id of the process that called listen(2) on the socket that it reached:
# spawn-fcgi, which has become multiwatch. That process may have gone and left the socket to its children.
listener() { "${program%/*}/servicedeskctl" listener "$1"; }

# named_in FILE: prints the process id in the file if that process is alive.
named_in() {
    local found
    found=$(cat "$1" 2>/dev/null) && [[ $found =~ ^[1-9][0-9]*$ ]] && alive "$found" && echo "$found"
}

# is_set PID SOCKET: true for a living multiwatch that listens, on descriptor 0, on a socket that was bound to SOCKET
# or, by a restart, to SOCKET.new. Whether SOCKET still leads there is for `listener` to find out.
is_set() {
    local path
    alive "$1" && [[ $(cat "/proc/$1/comm") == multiwatch ]] && path=$(bound_path "$1") &&
        [[ $path == "$2" || $path == "$2.new" ]]
}

# bound_path PID: prints the path to which its descriptor 0 was bound, if that listens. The kernel keeps it as it was
# given to bind(2), whatever the socket's file is called now.
bound_path() {
    local inode path
    inode=$(readlink "/proc/$1/fd/0" 2>/dev/null) && [[ $inode == socket:* ]] || return
    path=$(sed -nE "s/^([^ ]+ ){3}00010000( +[^ ]+){2} +${inode//[!0-9]/} //p" "/proc/$1/net/unix")
    [[ $path ]] || return
    [[ $path == /* ]] || path=/proc/$1/cwd/$path
    realpath -m -- "$path"
}

# is_main_process PID: true if systemd started it as the main process of a service. Its descendants have its id in their
# environment too, not their own.
is_main_process() { grep -qzsFx "SYSTEMD_EXEC_PID=$1" "/proc/$1/environ"; }

# service_in FILE: prints the systemd service that a file such as /proc/PID/cgroup names, as arguments of systemctl.
service_in() {
    local path
    path=$(grep -Em 1 '^(0:|[0-9]+:name=systemd):/.*\.service$' "$1") || return
    [[ $path != */user@*.service/* ]] || printf -- '--user '
    echo "${path##*/}"
}

# --- what has to be there --------------------------------------------------------------------------------------------

# need_packages NAME...: installs those of these Debian packages that are missing, or says what to install.
need_packages() {
    local name missing=() sudo=()
    for name; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
    done
    ((${#missing[@]})) || return 0
    if ((EUID)); then
        sudo -n true 2>/dev/null || die "please install first: apt-get install ${missing[*]}"
        sudo=(sudo -n)
    fi
    say "installing ${missing[*]}"
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "${missing[@]}" >/dev/null
}

# need_command NAME PACKAGE: says what to install if the command is missing.
need_command() { type -P "$1" >/dev/null || die "needs $1: apt-get install $2"; }

# need_swift: checks the version of the toolchain.
need_swift() {
    local found
    found=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p') || true
    printf '%s\n' 6.2 "${found:-0}" | sort -CV ||
        die "needs Swift 6.2 or newer, found ${found:-none}: https://www.swift.org/install/linux"
}

# build_release: shows the progress line of swift on a terminal, otherwise only its errors.
build_release() {
    local quiet=--quiet
    [[ ! -t 1 ]] || quiet=
    say "building the release (takes minutes the first time)"
    swift build --package-path "$root" -c release --static-swift-stdlib $quiet
}

# --- the three servers -----------------------------------------------------------------------------------------------

# start_redis DIR: starts Redis on the socket DIR/redis.sock, append-only; sets $pid.
start_redis() {
    background "$1/redis.log" redis-server --dir "$1" --port 0 --unixsocket "$1/redis.sock" --unixsocketperm 600 \
        --save '' --appendonly yes
    wait_up "$pid" redis_up "$1/redis.sock" || die "Redis did not start: $(tail -n 3 "$1/redis.log")"
}
redis_up() { [[ $(redis-cli -s "$1" ping 2>/dev/null) == PONG ]]; }

# start_responder LOG SOCKET [OPTION...]: starts spawn/responder and waits until it answers; sets $pid.
start_responder() {
    need_command cgi-fcgi libfcgi-bin
    background "$1" "$root/spawn/responder" "${@:2}"
    wait_up "$pid" responder_answers "$2" live || die "the responder did not start: $(tail -n 3 "$1")"
}

# responder_answers SOCKET live|ready: asks without nginx. Nothing of our environment goes over the wire.
responder_answers() {
    [[ -S $1 ]] && timeout 5 env -i REQUEST_METHOD=GET SCRIPT_NAME="/health/$2" \
        "$(type -P cgi-fcgi)" -bind -connect "$1" </dev/null 2>/dev/null | grep -q '^Status: 200'
}

# start_nginx DIR SOCKET PORT [SED]: starts nginx with the shipped files, on PORT of 127.0.0.1 or the next free one;
# sets $pid and $port. SERVICEDESK_RATE, such as 50000r/s, replaces the limit of one client; SED edits the files
# further.
start_nginx() {
    local user=
    ((EUID)) || user='user root;' # otherwise root's workers would change to a user who cannot open a private socket
    for ((port = $3; port < $3 + 100; port++)); do
        (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue
        rm -rf "$1/nginx"
        cp -r "$root/nginx" "$1/nginx"
        sed -i "s|/run/servicedesk/responder.sock|$2|; s|127\.0\.0\.1:8080|127.0.0.1:$port|
            ${SERVICEDESK_RATE:+s|rate=[0-9]*r/s|rate=$SERVICEDESK_RATE|;} ${4-}" \
            "$1"/nginx/nginx.conf "$1"/nginx/servicedesk/*.conf
        background "$1/nginx.log" nginx -p "$1" -c "$1/nginx/nginx.conf" -e error.log -g "daemon off; $user"
        if wait_up "$pid" test -s "$1/nginx.pid"; then return; fi
    done
    die "nginx did not start: $(tail -n 3 "$1/error.log")"
}
