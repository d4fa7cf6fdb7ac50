"""`python -m route_sql.training.two_stages CONFIG`: the whole run on one machine with a GPU and no network."""

if __name__ == "__main__":
    # Not above: the processes that build rows import this module anew, and need none of the libraries of training.
    from route_sql.training.two_stages.command import main
    from route_sql.training.two_stages.terminal import run_command

    run_command(main)
