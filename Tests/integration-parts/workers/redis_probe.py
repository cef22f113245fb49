"""A recipe for the plain format with the work of the tests: redis_probe.py redis_worker|brpop_worker. WORKER_CLOCK is by how
many seconds its clock is ahead."""

import importlib
import os
import sys
import time

import work

right_time = time.time
time.time = lambda: right_time() + int(os.environ.get("WORKER_CLOCK", 0))
recipe = importlib.import_module(sys.argv[1])
recipe.enhance = work.enhance
recipe.main()
