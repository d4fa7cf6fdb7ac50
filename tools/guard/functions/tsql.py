"""The functions of SQL Server that every query needs; there is no adapter for it, so the list is short."""

# https://learn.microsoft.com/sql/t-sql/functions/functions
ALLOWED = frozenset(
    """
    abs avg cast ceiling charindex coalesce concat concat_ws convert count count_big current_timestamp dateadd
    datediff datefromparts datename datepart day dense_rank eomonth exp first_value floor format getdate iif isnull
    lag last_value lead left len log log10 lower ltrim max min month nchar ntile nullif parse patindex pi power rank
    replace replicate reverse right round row_number rtrim sign sqrt stdev stdevp str string_agg stuff substring sum
    translate trim try_cast try_convert upper var varp year varchar nvarchar char decimal numeric float datetime2 time
    binary varbinary
    """.split()
)
