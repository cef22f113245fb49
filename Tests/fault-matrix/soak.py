"""Minutes of mixed traffic with faults that leave the responders alive; their memory and descriptors must not grow."""
import random
import time

from matrix import FAULTS
from stack import descriptors, memory

# Bounds for one process, from the first quarter of the time to the last: of the most memory, and of the fewest
# descriptors, since requests that wait for Redis have one each, and give it back.
MEMORY, DESCRIPTORS = 4 * 1_048_576, 32
NAMES = ("redis-killed", "redis-stopped-1s", "redis-password", "redis-demoted", "redis-refuses", "client-killed",
         "nginx-reloaded", "nginx-killed", "log-full", "descriptors")


class Samples:
    """Memory and descriptors of every responder, once a second, from when `due` is set."""

    def __init__(self, stack):
        self.stack, self.pids = stack, stack.responders()
        self.rows, self.due = [], float("inf")

    def take(self):
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + 1
            self.rows.append([(memory(pid), descriptors(pid)) for pid in self.pids])

    def verdict(self):
        """The measurements, and the faults in them."""
        if len(self.rows) < 4:
            return [], ["it was too short to tell whether anything grows"]
        quarter = len(self.rows) // 4
        said, wrong = [], []
        if self.stack.responders() != self.pids:
            wrong.append(f"the responders were {self.pids}, now they are {self.stack.responders()}")
        for index, pid in enumerate(self.pids):
            first, last = ((max(row[index][0] for row in rows), min(row[index][1] for row in rows))
                           for rows in (self.rows[:quarter], self.rows[-quarter:]))
            said.append(f"    process {pid}: {first[0] / 1e6:.1f} MB at most and {first[1]} descriptors at least in the first "
                        f"quarter, {last[0] / 1e6:.1f} MB and {last[1]} in the last")
            if last[0] - first[0] >= MEMORY or last[1] - first[1] >= DESCRIPTORS:
                wrong.append(f"process {pid} grew by {last[0] - first[0]} bytes and {last[1] - first[1]} descriptors")
        return said, wrong


def soak(stack, minutes, run):
    """One phase a minute; `run` balances its books. Yields each ledger, and at last the verdict on the samples."""
    chosen = [fault for fault in FAULTS if fault.name in NAMES]
    samples = Samples(stack)
    end = time.monotonic() + minutes * 60
    rng = random.Random(1)
    phase = number = 0

    def strike(stack, _):
        nonlocal number
        # Each strikes twice before anything is measured: memory needed for the first time does not count as growth.
        fault = chosen[number % len(chosen)] if number < 2 * len(chosen) else rng.choice(chosen)
        number += 1
        fault.strike(stack, number)
        if number == 2 * len(chosen):
            samples.due = 0.0
        samples.take()

    while time.monotonic() < end:
        phase += 1
        yield run(strike, f"minute-{phase}", samples.take, min(60.0, end - time.monotonic()))
    yield samples.verdict()
