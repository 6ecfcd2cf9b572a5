"""``python -m fk_doctor`` runs the program."""

import os
import subprocess
import sys

from ._program import find_program


def main() -> None:
    command = [find_program(), *sys.argv[1:]]
    if os.name == "nt":
        # Windows has no exec: it would return to the shell at once.
        sys.exit(subprocess.run(command).returncode)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
