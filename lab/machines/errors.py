"""What goes wrong with machines, told in one line with the remedy."""


class MachineError(RuntimeError):
    """A machine or its image could not be made, started or changed; the text says what to do."""
