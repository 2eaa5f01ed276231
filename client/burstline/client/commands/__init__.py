"""The subcommands, one file each; each file's `command` is what `cli` looks for."""
