"""How the responder's work for one request grows: with requests that are ready at once, idle connections, tenants, and
the length of the body. Tests/bench growth.

Prints processor time of the responder for each request, and fails where it grows with connections or tenants that have
nothing to do, or faster than the body.
"""
import argparse
import os
import resource
import socket
import sys

from rig import SECRET, Rig, load_script

# How much more the most may cost than the least, where it should cost the same; two runs of the same differ by a tenth.
TOLERANCE = 1.3


class Growth:
    def __init__(self, ours, seconds):
        self.ours, self.seconds, self.failed = ours, seconds, []

    def measure(self, connections=32, size=0, settings="", prepare=None, **load):
        """One run on a stack of its own. `prepare` is called with the stack before the load."""
        rig, held = Rig(["ours"], self.ours.replace("@SETTINGS@", settings)), []
        try:
            rig.up()
            load_script(f"{rig.dir}/load.lua", size, **load)
            if prepare:
                held = prepare(rig)
            rig.run("ours", connections, 1)
            row = rig.run("ours", connections, self.seconds)
        finally:
            for one in held:
                one.close()
            rig.down()
        if row["bad"]:
            sys.exit(f"{row['bad']} answers were not 202")
        return row

    def series(self, title, values, unit, run, judge):
        print(f"\n{title}\n{unit:>12}{'202 a second':>14}{'app us':>9}{'RSS MB':>9}")
        rows = []
        for value in values:
            rows.append(run(value))
            print(f"{value:12,}{rows[-1]['rps']:14,.0f}{rows[-1]['app']:9.1f}{rows[-1]['rss']:9.1f}", flush=True)
        if fault := judge(values, [row["app"] for row in rows]):
            print(f"FAILED: {fault}")
            self.failed.append(title)


def flat(values, costs):
    if max(costs[1:]) > costs[0] * TOLERANCE:
        return f"{max(costs[1:]):.1f} us instead of {costs[0]:.1f} us"
    return None


def at_most_linear(values, costs):
    """None costs more for a character than the first."""
    if any(cost > costs[0] * value / values[0] for value, cost in zip(values[1:], costs[1:])):
        return "it grows faster than the body"
    return None


def idle_connections(count):
    def prepare(rig):
        held = []
        for _ in range(count):
            held.append(socket.socket(socket.AF_UNIX))
            held[-1].connect(f"{rig.dir}/ours.sock")
        return held
    return prepare


def tenant(number, count):
    """One of `count`, spread over all of them, and its secret."""
    index = number * count // 256
    return f"tenant-{index}", f"{SECRET}-{index}"


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--ours", required=True, help="command of the responder, with @SETTINGS@ for more of its settings")
    a.add_argument("--tenants", required=True, help="where a tenants file can be written")
    a.add_argument("--seconds", type=int, default=3)
    o = a.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    growth, secret = Growth(o.ours, o.seconds), f"SERVICEDESK_SECRET={SECRET}"

    def with_tenants(count):
        with open(os.open(o.tenants, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.writelines(f"tenant-{index} {SECRET}-{index}\n" for index in range(count))
        return growth.measure(settings=f"SERVICEDESK_TENANTS_FILE={o.tenants}", secret_of=lambda n: tenant(n, count))

    growth.series("Requests that are ready at once (connections of the load)", [1, 8, 32, 128, 512], "connections",
                  lambda n: growth.measure(n, settings=secret), flat)
    growth.series("Idle connections, beside a load of 32", [0, 500, 1000, 2000], "idle",
                  lambda n: growth.measure(settings=secret, prepare=idle_connections(n)), flat)
    growth.series("Tenants", [256, 10_000, 100_000], "tenants", with_tenants, flat)
    growth.series("Length of the description", [300, 1000, 3000, 9000], "characters",
                  lambda n: growth.measure(settings=secret, size=n), at_most_linear)
    if growth.failed:
        sys.exit(f"\n{len(growth.failed)} grew faster than they may")


if __name__ == "__main__":
    main()
