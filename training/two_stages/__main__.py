"""`python -m route_sql.training.two_stages CONFIG`: the old form of `route-sql train two-stages --plan FILE`."""

if __name__ == "__main__":
    # The imports are here because processes that build rows import this module again and need no training libraries.
    from route_sql.training.two_stages.command import main
    from route_sql.training.two_stages.terminal import run_command

    run_command(main)
