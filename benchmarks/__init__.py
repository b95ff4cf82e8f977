"""How fast this project is, measured side by side with its peers; not part of the package.

Every contender of a work runs in a process of its own, so that no library changes the settings of
another; the processes are driven in turns, and medians are compared.
"""
