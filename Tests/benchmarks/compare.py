"""Runs the peers and, with --ours, the project's responder side by side and prints what each costs.

    compare.py --ours 'COMMAND'            # COMMAND is started by spawn-fcgi with the listening socket as fd 0
    compare.py --only lua,limit --connections 1,32,256 --seconds 5 --rounds 3

COMMAND finds Redis at the unix socket $PEER_REDIS and the signing secret in $PEER_SECRET, and hands them on as its own
settings, e.g. --ours 'multiwatch -f 2 -- env SERVICEDESK_SECRET=$PEER_SECRET SERVICEDESK_REDIS_URL=unix://$PEER_REDIS NAME'. Tests/bench does that.
Each round runs every contender once, in turn, so that a drift of the machine's speed hits all of them alike.
rps: answered 202 a second. cpu: microseconds of processor time for one accepted webhook, added up over nginx, the
program and Redis (the load generator is not counted). A contender with any other answer than 202 is shown with `bad`.
Needs: nginx with libnginx-mod-http-lua and lua-cjson, redis-server, spawn-fcgi, wrk, gcc, libfcgi-dev, libssl-dev,
libhiredis-dev, and for fastapi the packages fastapi, 'uvicorn[standard]' and 'redis[hiredis]' ($PEER_PYTHON, default
python3).
"""
import argparse
import json
import statistics
import sys

import slices
from rig import Rig, load_script


SHOWN = ("rps", "50%", "99%", "cpu", "nginx", "app", "redis", "rss")


def medians(runs):
    return {key: statistics.median(run[key] for run in runs) for key in SHOWN}


def ratios(runs, others):
    """Of one contender to another, round by round; nothing where one is missing, or both are the same."""
    if not runs or not others or runs is others:
        return {}
    return {key: statistics.median(run[key] / other[key] for run, other in zip(runs, others, strict=True) if other[key])
            for key in ("rps", "cpu")}


def pairs(names):
    """Whose cost is printed as a ratio to whose."""
    chosen = [("ours", name) for name in names if name != "ours"] + [("tls", "tcp")]
    return [pair for pair in chosen if set(pair) <= set(names)]


def text(connections, runs, o):
    print(f"\n{connections} connections, {o.rounds} rounds of {o.seconds} s; medians"
          f"\n{'':10}{'rps':>9}{'p50 ms':>9}{'p99 ms':>9}{'cpu us':>9}{'nginx':>8}{'app':>8}{'redis':>8}{'RSS MB':>8}{'bad':>6}")
    for name, mine in runs.items():
        m = medians(mine)
        print(f"{name:10}{m['rps']:9.0f}{m['50%']:9.2f}{m['99%']:9.2f}{m['cpu']:9.1f}{m['nginx']:8.1f}{m['app']:8.1f}"
              f"{m['redis']:8.1f}{m['rss']:8.1f}{sum(run['bad'] for run in mine):6d}")
    for name, other in pairs(runs):
        ratio = ratios(runs[name], runs[other])
        print(f"{name + ' / ' + other:16} rps x{ratio['rps']:.2f}   cpu x{ratio['cpu']:.2f}", flush=True)


def markdown(results):
    print("\n| connections | | 202 a second | p50 ms | p99 ms | CPU µs | ours: 202 a second | ours: CPU |\n|--:|---|--:|--:|--:|--:|--:|--:|")
    for connections, runs in sorted(results.items()):
        for name, mine in runs.items():
            m, ratio = medians(mine), ratios(runs.get("ours"), mine)
            print(f"| {connections} | {name} | {m['rps']:,.0f} | {m['50%']:.2f} | {m['99%']:.2f} | {m['cpu']:.1f} | "
                  + " | ".join(f"×{ratio[key]:.2f}" if ratio else "" for key in ("rps", "cpu")) + " |")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--ours", help="command of the project's responder")
    a.add_argument("--before", metavar="FILE", help="another build of it, beside it in every round")
    a.add_argument("--program", help="what in COMMAND that build takes the place of")
    a.add_argument("--only", default="floor,limit,threads,lua,fastapi", help="contenders, comma-separated: these, `named`, ours with a webhook-id each time, `celery`, ours with jobs for Celery, and `tcp` and `tls`, ours with Redis over loopback TCP, plain and with TLS (ours is added by --ours)")
    a.add_argument("--connections", default="32")
    a.add_argument("--seconds", type=int, default=4)
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--slices", type=int, default=0, help="instead of rounds, give each contender this many turns of a fraction of a second: measures processor time alone, but to a percent or two")
    a.add_argument("--size", type=int, default=0, help="description length in characters; 0: a realistic mix, median about 400")
    a.add_argument("--port", type=int, default=18099)
    a.add_argument("--json", help="write all rows to this file")
    a.add_argument("--markdown", action="store_true", help="end with a table of medians and ratios in Markdown")
    o = a.parse_args()
    if o.slices and o.json:
        a.error("--json has no rows for --slices")
    only = [n for n in o.only.split(",") if n] + (["before"] if o.before else []) + (["ours"] if o.ours else [])
    if o.slices:
        only = [name for name in only if name != "floor"]   # It queues nothing that could be counted.
    rig, results = Rig(only, o.ours, o.port, o.before and o.ours.replace(o.program, o.before)), {}
    try:
        rig.up()
        load_script(f"{rig.dir}/load.lua", o.size)
        load_script(f"{rig.dir}/named.lua", o.size, named=True)
        for connections in map(int, o.connections.split(",")):
            if o.slices:
                rows = slices.run(rig, only, connections, o.slices)
                slices.text(connections, rows, pairs(rows))
                continue
            runs = results[connections] = {name: [] for name in only}
            for _ in range(o.rounds):
                for name in only:
                    runs[name].append(rig.run(name, connections, o.seconds))
            text(connections, runs, o)
    finally:
        rig.down()
    lost = sum(run["depth"] < run["total"] - run["bad"]
               for runs in results.values() for name in ("ours", "named", "celery", "tcp", "tls") for run in runs.get(name, ()))
    if lost:
        sys.exit(f"ours: fewer jobs in Redis than answers 202 in {lost} runs")
    if o.json:
        rows = [dict(run, name=name, connections=connections, round=number) for connections, runs in results.items()
                for name, mine in runs.items() for number, run in enumerate(mine)]
        json.dump(rows, open(o.json, "w"))
    if o.markdown and not o.slices:
        markdown(results)


if __name__ == "__main__":
    main()
