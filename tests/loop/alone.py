"""Run the loop of a project in a process of its own, to be killed: `python alone.py FOLDER`."""

import sys

from levers.ledger import write_atomic
from levers.loop import Loop, Project

if __name__ == "__main__":
    loop = Loop(Project(sys.argv[1]))
    write_atomic(loop.folder / "run.json", loop.run().model_dump_json())
