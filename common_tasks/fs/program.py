"""What runs in this process: a program or, while a test runs, that test. Imports nothing but `os`."""

import os


class Running:
    """The test that runs in this process, if there is one: the test runner sets it here."""

    test = ""

    def begin(self, test: str) -> None:
        """Note that a test begins."""
        self.test = test

    def end(self) -> None:
        """Note that no test runs any more."""
        self.test = ""


running = Running()


def program() -> str:
    """Return the absolute path of the file that Python was started with; empty for code without a file."""
    import __main__

    file = getattr(__main__, "__file__", None)
    if not isinstance(file, str):
        return ""
    folder, name = os.path.split(os.path.abspath(file))
    return os.path.join(os.path.realpath(folder), name)


def describe(program: str, root: str, prefix: str) -> str:
    """Return what to call a program in the project at `root`: its path below the root, else its name.

    `prefix`: the folder of Python's environment. Programs installed there do not belong to the project, even if the
    environment is inside it. All paths are absolute; if `root` is `/`, a program is called by its absolute path.
    """
    if not program:
        return "python"
    if program.startswith(f"{root.rstrip('/')}/") and not program.startswith(f"{prefix}/"):
        return program.removeprefix(f"{root}/")
    folder, name = os.path.split(program)
    return os.path.basename(folder) if name == "__main__.py" else name
