"""What can keep a worker from working.

WorkerError
├── CannotPrepare     a segment cannot start here: data, templates, secrets, allow-list; its text goes to the user
└── Refused           the server does not take this worker: another version, a wrong token; the process ends
"""


class WorkerError(Exception):
    """Base of this process's own errors; the text is a sentence for the user."""


class CannotPrepare(WorkerError):
    """A segment or a preflight cannot start on this worker."""


class Refused(WorkerError):
    """The server refused this worker for good; trying again would not help."""
