"""The subcommands of `route-sql`, one file each."""
