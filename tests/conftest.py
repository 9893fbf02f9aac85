"""Shared by all tests: one torch thread, and no leak of the environment into them."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
