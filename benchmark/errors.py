"""Errors that a user can cause and fix. Each message gives the facts, then the next step."""


class ThriveError(Exception):
    """An error that a user can fix: the command line prints it without a traceback."""


class AllRefused(ThriveError):
    """A task-setting has no results, because every entry that was run refuses it."""


class BadParams(ThriveError):
    """params.yaml is wrong."""


class BadEntry(ThriveError):
    """An entry's folder, card or strategy cannot be loaded."""


class ContractBroken(ThriveError):
    """A strategy returned something that the contract does not allow."""


class StrategyFailed(ThriveError):
    """A strategy raised an error."""


class TrackBroken(ContractBroken):
    """A strategy asked for something that its track withholds."""


class BudgetExceeded(ContractBroken):
    """A strategy used more than its budget."""


class Unsupported(ThriveError):
    """A strategy asked a task-setting for something that it cannot do; the board shows a dash with this reason."""


class PinMismatch(ThriveError):
    """A file differs from the one that params.yaml pins."""


class Changed(ThriveError):
    """The code that a process has loaded may differ from the code that was hashed."""

    def __init__(self, what: object) -> None:
        super().__init__(f"{what} changed while the sweep ran: nothing that depends on it is kept. Run it again.")


class Stopped(ThriveError):
    """A confined process did not answer: it died, reached a limit, or sent something that is not an answer."""


class BadMessage(Stopped):
    """A line that is not a message."""
