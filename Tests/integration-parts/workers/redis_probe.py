"""A recipe for the plain format with the work of the tests: redis_probe.py redis_worker|brpop_worker."""

import importlib
import sys

import work

recipe = importlib.import_module(sys.argv[1])
recipe.enhance = work.enhance
recipe.main()
