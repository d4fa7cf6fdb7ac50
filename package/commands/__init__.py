"""The subcommands of `route-sql`, one file each, and the options that they share."""
