"""What runs in this process: a program, or at the moment one of its tests. Loads nothing else."""

import os


class Running:
    """The test that runs in this process, if there is one: whoever runs tests says so here."""

    test = ""

    def begin(self, test: str) -> None:
        """Note that a test begins."""
        self.test = test

    def end(self) -> None:
        """Note that no test runs any more."""
        self.test = ""


running = Running()


def program() -> str:
    """Return the absolute path of the file that Python was started with; nothing for code without a file."""
    import __main__

    file = getattr(__main__, "__file__", None)
    if not isinstance(file, str):
        return ""
    folder, name = os.path.split(os.path.abspath(file))
    return os.path.join(os.path.realpath(folder), name)


def describe(program: str, root: str, prefix: str) -> str:
    """Return how a program is called in the folder `root`: by its path below the root, else by its name.

    `prefix`: the folder of Python's environment. What is installed there is not the project's, wherever it stands.
    All paths are absolute; below `/` a program is called by its absolute path.
    """
    if not program:
        return "python"
    if program.startswith(f"{root.rstrip('/')}/") and not program.startswith(f"{prefix}/"):
        return program.removeprefix(f"{root}/")
    folder, name = os.path.split(program)
    return os.path.basename(folder) if name == "__main__.py" else name
