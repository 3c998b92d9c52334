"""One exception for everything a user can put right."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in the input, said in one line: where it is, what is wrong, and the mend.

    Stage scripts and the command line print it without a traceback and leave with exit code 2.
    """

    def __init__(self, place: str, problem: str, mend: str = "") -> None:
        self.place = place
        self.problem = problem
        self.mend = mend
        super().__init__(place, problem, mend)  # as they were given, so that another process can hand it over

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}" + (f"; {self.mend}" if self.mend else "")
