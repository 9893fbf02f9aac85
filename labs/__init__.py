"""One runnable module a topic: `python -m labs` lists them, `python -m labs.NAME --help` explains one."""
