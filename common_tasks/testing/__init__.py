"""What the pytest plugin does: keeps the directories of failed tests, finds what tests leave behind.

    keeping      lends tests their directories, and decides what becomes of them
    loans        a directory that is lent, and the lines that say what was kept
    leaks        what a run has left, and whose it is; with
    containment  a temporary directory for the run alone
    watch        what was running when a name appeared in it
    pending      what will still be removed when Python ends
    findings     values, and the closing report

Its options and fixtures are in `namespace/_common_tasks_pytest.py`, which pytest loads; `-p no:common_tasks` turns it
off.
"""
