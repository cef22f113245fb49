"""Balances the books of one fault: what senders sent and were answered, what is in the queue, and what /metrics counted.

Nothing here asks the responder anything but its counters. Every delivery has a ticket of its own, by which its job is
found again. The rules:

- an answer 202 has its job in the queue, under the job_id that was answered;
- a delivery is one job at most: a named one however often it was repeated, another one because it was sent once;
- a delivery that was refused for good (400, 401) makes no job, and a named delivery is accepted in the end;
- a request that was sent is answered 202, refused, or broken, and what senders saw refused, responders have counted;
- a job whose sender never got a 202 is one that was counted as ambiguous, or whose answer was lost on the way: counted as
  undelivered, taken by an nginx that then died, or never sent by a responder that was killed.
"""
import collections
import json
import statistics

ACCEPTED = ('servicedesk_requests_total{status="202",reason="accepted"}',
            'servicedesk_requests_total{status="202",reason="repeated"}')

REFUSED, BROKEN = (400, 401, 413, 415, 422, 429, 503), (0, 502, 504)  # 0: no answer


def change(before, after, *names):
    return int(sum(after.get(name, 0) - before.get(name, 0) for name in names))


class Ledger:
    """`answers` is what senders may see besides the answer that is due: "all" for any, "503" for what the contract promises
    while Redis is away, "202" for nothing else. `loses_counters`: responders end, and their counters with them."""

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
        self.statuses = collections.Counter(entry["status"] for entry in entries)
        self.broken = sum(self.statuses[status] for status in BROKEN)
        self.refused = sum(self.statuses[status] for status in REFUSED)
        # Counters that were lost may be lower than before.
        self.ambiguous = max(0, change(before, after, "servicedesk_ambiguous_pushes_total"))
        self.undelivered = max(0, change(before, after, "servicedesk_queued_unanswered_total"))
        self.said = change(before, after, *ACCEPTED)
        counted = {(name.split('"')[1], name.split('"')[3]): change(before, after, name)
                   for name in after if name.startswith("servicedesk_requests_total{")}
        self.counted = collections.Counter()
        for (status, _), count in counted.items():
            self.counted[int(status)] += count
        # Refusals by reason, as the responders counted them, and what broke, as senders saw it.
        self.reasons = collections.Counter({" ".join(label): count for label, count in sorted(counted.items())
                                            if count > 0 and label[0] not in ("200", "202")})
        self.reasons.update({f"{status} nginx": self.statuses[status] for status in (502, 504) if self.statuses[status]})
        self.reasons.update(entry["error"] for entry in entries if "error" in entry)
        if self.undelivered:
            self.reasons["queued and undeliverable"] = self.undelivered
        self.wrong = []
        self.balance(answers, loses_counters)
        self.balance_requests(answers, loses_counters)

    def balance(self, answers, loses_counters):
        lost, named_twice, twice, other, stray, never, without_answer, without_202 = ([] for _ in range(8))
        for ticket, entries in self.deliveries.items():
            jobs = self.queued.get(ticket, [])
            due = entries[0]["due"]
            said = {entry["job"] for entry in entries if entry["status"] == 202}
            if said and not jobs:
                lost.append(ticket)
            elif said and said != set(jobs):
                other.append(ticket)
            if len(jobs) > 1:
                (named_twice if entries[0]["named"] else twice).append(ticket)
            if due != 202 and (jobs or any(entry["status"] in (202, 422) for entry in entries)):
                stray.append(ticket)
            if any(entry.get("gave_up") for entry in entries):
                never.append(ticket)
            if due == 202 and any(entry["status"] in (400, 401, 422, 413, 415, 429) for entry in entries):
                stray.append(ticket)
            if jobs and not said:
                is_broken = any(entry["status"] in BROKEN for entry in entries)
                (without_answer if is_broken else without_202).append(ticket)
        stray += [ticket for ticket in self.queued if ticket not in self.deliveries]
        self.lost, self.named_twice, self.twice = len(lost), len(named_twice), len(twice)
        self.without_202, self.without_answer = len(without_202), len(without_answer)
        # 202s that no sender has seen: responders cannot know about all of them.
        self.unseen = self.said - self.accepted

        self.expect(not lost, "202 without a job", lost)
        self.expect(not named_twice, "a named delivery queued twice", named_twice)
        self.expect(not twice, "a delivery that was sent once queued twice", twice)
        self.expect(not other, "the answer has another job_id than the queue", other)
        self.expect(not stray, "refused or accepted contrary to the contract", stray)
        self.expect(not never, "a named delivery that was never accepted", never)
        self.expect(self.accepted > 0, "nothing was accepted at all")
        self.expect(self.without_202 <= self.ambiguous,
                    f"{self.without_202} jobs answered 503, and only {self.ambiguous} counted as ambiguous", without_202)
        explained = max(0, self.unseen) + self.ambiguous - self.without_202 + (self.broken if loses_counters else 0)
        self.expect(self.without_answer <= explained,
                    f"{self.without_answer} jobs without an answer, and only {explained} explained", without_answer)

    def balance_requests(self, answers, loses_counters):
        known = self.accepted + self.refused + self.broken
        self.expect(known == self.requests, f"{self.requests - known} answers of another kind: {dict(self.statuses)}")
        for status in () if loses_counters else (202, *REFUSED):
            self.expect(self.counted[status] >= self.statuses[status],
                        f"senders saw {self.statuses[status]} answers {status}, but {self.counted[status]} were counted")
        if answers != "all":
            self.expect(self.broken == 0, f"{self.broken} answers broke: {dict(self.reasons)}")
            self.expect(self.unseen == 0 or loses_counters, f"senders saw {self.accepted} answers 202, but {self.said} were counted")
        if answers == "202":
            refused = self.statuses[503]
            self.expect(refused == 0, f"{refused} answers 503 where there should be none")

    def expect(self, is_so, what, tickets=()):
        if not is_so:
            self.wrong.append(f"{what}: {', '.join(tickets[:3])} ({len(tickets)})" if tickets else what)

    # --- as text -----------------------------------------------------------------------------------------------------

    COLUMNS = (("fault", 19), ("s", 4), ("times", 6), ("sent", 7), ("202", 7), ("refused", 8), ("broken", 7), ("queued", 7),
               ("lost", 5), ("dup. id", 8), ("dup.", 5), ("no 202", 7), ("ambig.", 7), ("unheard", 8), ("recovery, s", 14))
    LEGEND = """    sent = 202 + refused + broken; the reasons are below each row: refusals as responders counted them
    lost       202 without a job
    dup. id    deliveries with a webhook-id that are queued twice; dup.: without one, sent once, and queued twice
    no 202     jobs whose sender got no 202, explained by ambig. (counted as ambiguous), unheard (202 that no sender saw), or
               broken if the responder was killed before it had answered
    recovery   from the end of the fault to the next 202, the median and the longest"""

    @staticmethod
    def line(*cells):
        return "".join(f"{cell:<{width}}" if index == 0 else f"{cell:>{width}}"
                       for index, (cell, (_, width)) in enumerate(zip(cells, Ledger.COLUMNS, strict=True)))

    @staticmethod
    def head():
        return Ledger.line(*(name for name, _ in Ledger.COLUMNS))

    @staticmethod
    def row(name, ledgers):
        """The sums of some ledgers."""
        def total(*names):
            return sum(getattr(ledger, each) for ledger in ledgers for each in names)
        recoveries = [recovery for ledger in ledgers for recovery in ledger.recoveries]
        return Ledger.line(
            name, round(total("seconds")), *map(total, ("times", "requests", "accepted", "refused", "broken", "jobs", "lost",
                                                        "named_twice", "twice")),
            total("without_202", "without_answer"), total("ambiguous"), sum(max(0, ledger.unseen) for ledger in ledgers),
            f"{statistics.median(recoveries):.2f} / {max(recoveries):.2f}" if recoveries else "")

    @staticmethod
    def verdict(ledgers):
        lost, twice = (sum(getattr(ledger, name) for ledger in ledgers for name in names)
                       for names in (("lost",), ("named_twice", "twice")))
        return f"{lost} lost, {twice} duplicated"

    @staticmethod
    def details(ledgers):
        reasons = sum((ledger.reasons for ledger in ledgers), collections.Counter())
        return "    " + (", ".join(f"{reason} {count}" for reason, count in reasons.items()) or "nothing was refused")
