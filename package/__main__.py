"""`python -m route_sql` is the command `route-sql`."""

from route_sql.cli import main

main()
