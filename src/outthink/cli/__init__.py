"""The command line. `outthink.cli.main` holds the root command; every other file is one command or what several share.

Flags are overrides on a preset recipe, nothing else. Parts of the package are imported by the command that needs them, so that
`outthink --help` is quick.
"""

__all__: list[str] = []
