"""Balances the books of one fault: what senders sent and were answered, what is in the queue, and what /metrics counted.

Nothing here asks the responder anything but its counters. Every delivery has a ticket of its own, by which its job is
found again. The rules:

- an answer 202 has its job in the queue, under the job_id that was answered;
- a delivery is one job at most: a named one however often it was repeated, another one because it was sent once;
- what was refused for good (400, 401) is no job, and a named delivery is accepted in the end;
- a job whose sender never got a 202 is one that was counted as ambiguous, or whose answer was lost on the way: counted as
  undelivered, taken by an nginx that then died, or unsaid by a responder that was killed.
"""
import collections
import json
import statistics

ACCEPTED = ('servicedesk_requests_total{status="202",reason="accepted"}',
            'servicedesk_requests_total{status="202",reason="repeated"}')


def change(before, after, *names):
    return int(sum(after.get(name, 0) - before.get(name, 0) for name in names))


class Ledger:
    """`answers` is what senders may see beside what is due to them: "all" for any, "503" for what the contract promises
    while Redis is away, "202" for nothing else. `loses_counters`: responders are killed, and what they knew with them."""

    def __init__(self, name, seconds, entries, jobs, before, after, recoveries, answers, loses_counters):
        self.seconds = seconds
        self.name, self.recoveries, self.times = name, [r for r in recoveries if r is not None], len(recoveries)
        self.deliveries = collections.defaultdict(list)
        for entry in entries:
            self.deliveries[entry["ticket"]].append(entry)
        self.queued = collections.defaultdict(list)
        for job in map(json.loads, jobs):
            self.queued[job["ticket_id"]].append(job["job_id"])
        self.jobs, self.requests = len(jobs), len(entries)
        self.accepted = sum(entry["status"] == 202 for entry in entries)
        self.broken = sum(entry["status"] in (0, 502, 504) for entry in entries)
        self.errors = collections.Counter(entry["error"] for entry in entries if "error" in entry)
        self.statuses = collections.Counter(entry["status"] for entry in entries)
        self.ambiguous = change(before, after, "servicedesk_ambiguous_pushes_total")
        self.undelivered = change(before, after, "servicedesk_queued_unanswered_total")
        self.said = change(before, after, *ACCEPTED)
        self.reasons = {label: count for label, count in (
            (name.split('"')[1] + " " + name.split('"')[3], change(before, after, name))
            for name in after if name.startswith("servicedesk_requests_total{")) if count and label[:3] not in ("200", "202")}
        self.wrong = []
        self.balance(answers, loses_counters)

    def balance(self, answers, loses_counters):
        lost, twice, other, stray, never, without_answer, without_202 = [], [], [], [], [], [], []
        for ticket, entries in self.deliveries.items():
            jobs = self.queued.get(ticket, [])
            due = entries[0]["due"]
            said = {entry["job"] for entry in entries if entry["status"] == 202}
            if said and not jobs:
                lost.append(ticket)
            elif said and said != set(jobs):
                other.append(ticket)
            if len(jobs) > 1:
                twice.append(ticket)
            if due != 202 and (jobs or any(entry["status"] in (202, 422) for entry in entries)):
                stray.append(ticket)
            if any(entry.get("gave_up") for entry in entries):
                never.append(ticket)
            if due == 202 and any(entry["status"] in (400, 401, 422, 413, 415, 429) for entry in entries):
                stray.append(ticket)
            if jobs and not said:
                is_broken = any(entry["status"] in (0, 502, 504) for entry in entries)
                (without_answer if is_broken else without_202).append(ticket)
        stray += [ticket for ticket in self.queued if ticket not in self.deliveries]
        self.lost, self.twice = len(lost), len(twice)
        self.without_202, self.without_answer = len(without_202), len(without_answer)
        # What responders have answered 202 and no sender has seen: they cannot know all of it themselves.
        self.unseen = self.said - self.accepted

        self.expect(not lost, "202 without a job", lost)
        self.expect(not twice, "a delivery queued twice", twice)
        self.expect(not other, "the answer has another job_id than the queue", other)
        self.expect(not stray, "refused or accepted against the contract", stray)
        self.expect(not never, "a named delivery that was never accepted", never)
        self.expect(self.accepted > 0, "nothing was accepted at all")
        self.expect(self.without_202 <= self.ambiguous,
                    f"{self.without_202} jobs answered 503, and only {self.ambiguous} counted as ambiguous", without_202)
        explained = self.unseen + self.ambiguous - self.without_202 + (self.broken if loses_counters else 0)
        self.expect(self.without_answer <= explained,
                    f"{self.without_answer} jobs without an answer, and only {explained} explained", without_answer)
        if not loses_counters:
            self.expect(self.unseen >= 0, f"senders saw {self.accepted} answers 202, and {self.said} were counted")
        if answers != "all":
            self.expect(self.broken == 0, f"{self.broken} answers broke: {dict(self.errors)} {dict(self.statuses)}")
            self.expect(self.unseen == 0, f"senders saw {self.accepted} answers 202, and {self.said} were counted")
        if answers == "202":
            refused = self.statuses[503]
            self.expect(refused == 0, f"{refused} answers 503 where there should be none")

    def expect(self, is_so, what, tickets=()):
        if not is_so:
            self.wrong.append(f"{what}: {', '.join(tickets[:3])} ({len(tickets)})" if tickets else what)

    # --- as text -----------------------------------------------------------------------------------------------------

    HEAD = (f"{'fault':<20}{'s':>5}{'times':>6}{'sent':>8}{'202':>8}{'queued':>8}{'lost':>6}{'twice':>6}{'no 202':>8}"
            f"{'ambig.':>8}{'unheard':>8}{'recovery, s':>16}")

    def row(self):
        return self.line(self.name, self.seconds, self.times, self.requests, self.accepted, self.jobs, self.lost, self.twice,
                         self.without_202 + self.without_answer, self.ambiguous, max(0, self.unseen), self.recoveries)

    @staticmethod
    def line(name, seconds, times, requests, accepted, jobs, lost, twice, without, ambiguous, unseen, recoveries):
        recovery = f"{statistics.median(recoveries):.2f} / {max(recoveries):.2f}" if recoveries else ""
        return (f"{name:<20}{seconds:>5.0f}{times:>6}{requests:>8}{accepted:>8}{jobs:>8}{lost:>6}{twice:>6}{without:>8}{ambiguous:>8}"
                f"{unseen:>8}{recovery:>16}")

    def details(self):
        """Refusals by reason, as the responders counted them, and what broke, as senders saw it."""
        parts = [f"{label} {count}" for label, count in sorted(self.reasons.items())]
        parts += [f"{status} nginx {self.statuses[status]}" for status in (502, 504) if self.statuses[status]]
        parts += [f"{error} {count}" for error, count in self.errors.items()]
        parts += [f"queued and undeliverable {self.undelivered}"] if self.undelivered else []
        return "    " + (", ".join(parts) or "nothing was refused")

    @staticmethod
    def total(ledgers):
        every = [r for ledger in ledgers for r in ledger.recoveries]
        sums = [sum(getattr(ledger, name) for ledger in ledgers) for name in
                ("seconds", "times", "requests", "accepted", "jobs", "lost", "twice")]
        without = sum(ledger.without_202 + ledger.without_answer for ledger in ledgers)
        return Ledger.line("total", *sums, without, sum(ledger.ambiguous for ledger in ledgers),
                           sum(max(0, ledger.unseen) for ledger in ledgers), every)
