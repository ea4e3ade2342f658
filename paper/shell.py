"""How a module of this package runs as a command."""

import sys
from collections.abc import Callable

from benchmark.errors import ThriveError


def run(main: Callable[[], object]) -> None:
    """Call a module's main. An error that a user can fix is printed as a message, without a traceback."""
    try:
        main()
    except ThriveError as error:
        sys.exit(str(error))
