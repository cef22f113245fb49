"""Listens on a unix socket, and runs a program with it, as systemd does for a socket unit.

    listen.py SOCKET stdin|listen-fds|blocking|shutdown PROGRAM [ARGUMENT...]

stdin: as descriptor 0. listen-fds: as descriptor 3, with LISTEN_FDS and LISTEN_PID. blocking: as descriptor 0, and
O_NONBLOCK is cleared time and again, as systemd does at each start and reload of a unit with StandardInput=socket.
shutdown: as descriptor 0, and on USR1 the listening socket is shut down; ends with the program's status.
"""
import fcntl
import os
import signal
import socket
import sys
import time


def run(listener, way, command):
    if way == "listen-fds":
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
    else:
        os.dup2(listener.fileno(), 0)
    os.execv(command[0], command)


def main(path, way, *command):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    os.chmod(path, 0o660)
    if way not in ("blocking", "shutdown"):
        run(listener, way, command)
    child = os.fork()
    if not child:
        run(listener, way, command)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    if way == "shutdown":
        signal.signal(signal.SIGUSR1, lambda *_: listener.shutdown(socket.SHUT_RDWR))
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        fcntl.fcntl(listener, fcntl.F_SETFL, fcntl.fcntl(listener, fcntl.F_GETFL) & ~os.O_NONBLOCK)
        time.sleep(0.002)


main(*sys.argv[1:])
