"""`python -m levers` is the command line."""

from levers.cli import main

if __name__ == "__main__":
    main()
