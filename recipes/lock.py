"""Print the lock: the exact version of every installed package, without where it came from.

A local version label (`2.13.0+cpu`) is dropped, so that the lock names the release and pip takes the build it can find.
"""

from importlib.metadata import distributions

OURS = {"levers", "pip", "setuptools", "wheel"}


def main() -> None:
    """Print `name==version` lines, sorted."""
    found = {each.metadata["Name"].lower().replace("_", "-"): each.version.split("+")[0] for each in distributions()}
    for name in sorted(found):
        if name not in OURS:
            print(f"{name}=={found[name]}")


if __name__ == "__main__":
    main()
