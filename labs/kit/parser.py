"""An argument parser whose errors are one line, like every other error for bad input."""

import argparse
from typing import NoReturn

from foundations.errors import InputError


class Parser(argparse.ArgumentParser):
    """`argparse.ArgumentParser`, raising where it would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        """Raise InputError with argparse's message."""
        raise InputError(f"{message} (see: {self.prog} --help)")
