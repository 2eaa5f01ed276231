"""Exit codes: one per verdict, and those of usage and signals (design: the command)."""

PASSED = 0
COULD_NOT_RUN = 1
USAGE = 2
QUOTA_BOUND = 3
GENERATOR_LIMITED = 4
INCOMPLETE = 5
ABORTED = 6
THRESHOLD_FAILED = 99
INTERRUPTED = 130
"""128 + SIGINT."""
TERMINATED = 143
"""128 + SIGTERM."""

_BY_VERDICT = {
    "passed": PASSED,
    "could_not_run": COULD_NOT_RUN,
    "quota_bound": QUOTA_BOUND,
    "generator_limited": GENERATOR_LIMITED,
    "incomplete": INCOMPLETE,
    "aborted": ABORTED,
    "threshold_failed": THRESHOLD_FAILED,
}


def exit_code(verdict: str) -> int:
    """Return the exit code of a verdict; one that this version does not know is "could not run"."""
    return _BY_VERDICT.get(verdict, COULD_NOT_RUN)
