"""Sets limits on its own process, then becomes the command: `python launcher.py '{"RLIMIT_CPU": [2, 3]}' UID COMMAND …`

The last thing that runs before a stranger's code. It imports nothing of Thrive, and runs without site-packages.
"""

import json
import os
import resource
import sys


def main(limits: str, uid: str, *command: str) -> None:
    """Raises OSError or ValueError where the system refuses a limit: then the command is not run."""
    for name, (soft, hard) in json.loads(limits).items():
        resource.setrlimit(getattr(resource, name), (soft, hard))
    if uid:  # of root, who is exempt from the limit on processes: become somebody who owns nothing
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    os.chdir(os.environ["HOME"])  # the scratch folder, which only its owner may enter
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
