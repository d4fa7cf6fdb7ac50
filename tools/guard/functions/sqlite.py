"""SQLite's functions that only compute.

Left out: load_extension, fts3_tokenizer, the shell's readfile, writefile, edit and fsdir, and functions that show
details of the connection or the library.
"""

# https://sqlite.org/lang_corefunc.html
_CORE = """
    abs char coalesce concat concat_ws format glob hex if ifnull iif instr length like likelihood likely lower ltrim
    max min nullif octet_length printf quote random randomblob replace round rtrim sign soundex sqlite_version substr
    substring trim typeof unhex unicode unistr unistr_quote unlikely upper zeroblob subtype
"""
# https://sqlite.org/lang_aggfunc.html
_AGGREGATES = """
    avg count group_concat max median min percentile percentile_cont percentile_disc string_agg sum total
"""
# https://sqlite.org/lang_datefunc.html
_DATES = """
    date time datetime julianday unixepoch strftime timediff current_date current_time current_timestamp
"""
# https://sqlite.org/lang_mathfunc.html
_MATHEMATICS = """
    acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow power
    radians sin sinh sqrt tan tanh trunc
"""
# https://sqlite.org/windowfunctions.html
_WINDOWS = """
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
"""
# https://sqlite.org/json1.html
_JSON = """
    json jsonb json_array jsonb_array json_array_length json_array_insert jsonb_array_insert json_error_position
    json_extract jsonb_extract json_insert jsonb_insert json_object jsonb_object json_patch jsonb_patch json_pretty
    json_quote json_remove jsonb_remove json_replace jsonb_replace json_set jsonb_set json_type json_valid
    json_group_array jsonb_group_array json_group_object jsonb_group_object json_each json_tree jsonb_each jsonb_tree
"""
# https://sqlite.org/fts5.html, https://sqlite.org/fts3.html, https://sqlite.org/rtree.html,
# https://sqlite.org/series.html, https://sqlite.org/lang_expr.html
_OTHERS = "bm25 highlight snippet matchinfo offsets match regexp generate_series"
# https://sqlite.org/datatype3.html: types with a length, in CAST
_TYPES = """
    varchar char character nchar nvarchar text blob decimal numeric number float double real int integer bigint smallint
    tinyint boolean timestamp
"""
# SQLite has none of these, but models know them from other engines, and SQLite's own "no such function" helps best.
_ABSENT = """
    now year month day curdate getdate date_format datediff date_diff timestampdiff date_add date_sub date_part to_char
    to_date str_to_date extract dateadd left right isnull nvl greatest least stddev variance
"""
ALLOWED = frozenset(
    f"{_CORE}{_AGGREGATES}{_DATES}{_MATHEMATICS}{_WINDOWS}{_JSON}{_OTHERS}{_TYPES}{_ABSENT}".split()
) | {"cast"}
