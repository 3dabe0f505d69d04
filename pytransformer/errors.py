"""The mistakes that are the user's to repair."""


class UserError(Exception):
    """A mistake in what the user gave: files, options, a configuration.

    The message is one line that names what is wrong and what to do. The command line prints it
    without a traceback.
    """
