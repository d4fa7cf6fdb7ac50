"""`python -m route_sql` is the command `route-sql`."""

if __name__ == "__main__":
    # Imported here, since processes that build rows import this module again and need no command line.
    from route_sql.cli import main

    main()
