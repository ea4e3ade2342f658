"""Running a module of this package as a command."""

import sys
from collections.abc import Callable

from benchmark.errors import ThriveError


def run(main: Callable[[], object]) -> None:
    """Call a module's main; what a user can mend is a line, not a traceback."""
    try:
        main()
    except ThriveError as error:
        sys.exit(str(error))
