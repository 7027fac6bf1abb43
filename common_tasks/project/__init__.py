"""What a project is: what marks its root, what git says of it, which of its files are leftovers.

Also the errors that are raised.
"""
