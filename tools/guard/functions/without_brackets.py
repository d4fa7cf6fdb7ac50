"""Words that are functions without brackets."""

WORDS: dict[str, frozenset[str]] = {
    "sqlite": frozenset({"current_date", "current_time", "current_timestamp"}),
    "postgres": frozenset(
        "current_catalog current_date current_role current_schema current_time current_timestamp current_user "
        "localtime localtimestamp session_user system_user user".split()
    ),
    "mysql": frozenset(
        "current_date current_role current_time current_timestamp current_user localtime localtimestamp utc_date "
        "utc_time utc_timestamp".split()
    ),
    "tsql": frozenset("current_date current_time current_timestamp current_user session_user system_user user".split()),
}
"""Words that are always functions."""
WORDS_WITHOUT_COLUMN: dict[str, frozenset[str]] = {
    "duckdb": frozenset(
        "current_catalog current_database current_date current_role current_schema current_time current_timestamp "
        "current_user localtime localtimestamp session_user user".split()
    ),
}
"""Words that are functions unless a column has the name."""
