"""What can go wrong through a user's doing. Each message gives the facts, then the way out."""


class ThriveError(Exception):
    """An error that a user can mend: the command line prints it without a traceback."""


class AllRefused(ThriveError):
    """A task-setting has no results, since every entry that was run there refuses it."""


class BadParams(ThriveError):
    """params.yaml does not say what it must."""


class BadEntry(ThriveError):
    """An entry's folder, card or strategy cannot be loaded."""


class ContractBroken(ThriveError):
    """A strategy returned what the contract does not allow."""


class StrategyFailed(ThriveError):
    """A strategy raised an error of its own."""


class TrackBroken(ContractBroken):
    """A strategy asked for what its track withholds."""


class BudgetExceeded(ContractBroken):
    """A strategy used more than its budget."""


class Unsupported(ThriveError):
    """A task-setting cannot do what a strategy asks of it; the board shows a dash with this reason."""


class PinMismatch(ThriveError):
    """A file is not the one that params.yaml pins."""


class Changed(ThriveError):
    """What a process has loaded is not, or may not be, what was hashed."""

    def __init__(self, what: object) -> None:
        super().__init__(f"{what} changed while the sweep ran: nothing that depends on it is kept. Run it again.")


class Stopped(ThriveError):
    """A confined process did not answer: it died, used up a limit, or sent what is no answer."""


class BadMessage(Stopped):
    """A line that is no message."""
