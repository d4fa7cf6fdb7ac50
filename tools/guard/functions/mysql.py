"""The functions of MySQL and MariaDB that only compute.

Left out: LOAD_FILE, SLEEP, BENCHMARK, locks (GET_LOCK and its like), replication and sequences, LAST_INSERT_ID and
other functions that keep or show the state of the session or the server, encryption with keys of the server, and
functions loaded by the user.
"""

# https://dev.mysql.com/doc/refman/en/flow-control-functions.html and comparison-operators.html
_CONDITIONS = "if ifnull nullif nvl nvl2 coalesce greatest least interval isnull strcmp"
# https://dev.mysql.com/doc/refman/en/mathematical-functions.html
_MATHEMATICS = """
    abs acos asin atan atan2 ceil ceiling conv cos cot crc32 crc32c degrees exp floor ln log log10 log2 mod pi pow power
    radians rand round sign sin sqrt tan truncate
"""
# https://dev.mysql.com/doc/refman/en/date-and-time-functions.html
_DATES = """
    adddate addtime convert_tz curdate current_date current_time current_timestamp curtime date date_add date_format
    date_sub datediff day dayname dayofmonth dayofweek dayofyear extract from_days from_unixtime get_format hour
    last_day localtime localtimestamp makedate maketime microsecond minute month monthname now period_add period_diff
    quarter sec_to_time second str_to_date subdate subtime sysdate time time_format time_to_sec timediff timestamp
    timestampadd timestampdiff to_char to_date to_days to_seconds unix_timestamp utc_date utc_time utc_timestamp week
    weekday weekofyear year yearweek add_months months_between
"""
# https://dev.mysql.com/doc/refman/en/string-functions.html and regexp.html
_STRINGS = """
    ascii bin bit_length char char_length character_length chr concat concat_ws elt export_set field find_in_set
    format format_bytes from_base64 hex insert instr lcase left length lengthb locate lower lpad ltrim make_set mid
    natural_sort_key oct octet_length ord position quote regexp_instr regexp_like regexp_replace regexp_substr repeat
    replace reverse right rpad rtrim sformat soundex space substr substring substring_index to_base64 trim ucase unhex
    upper weight_string
"""
# https://dev.mysql.com/doc/refman/en/cast-functions.html, bit-functions.html, encryption-functions.html
_CASTS_AND_HASHES = "cast convert bit_count md5 sha sha1 sha2 compress uncompress uncompressed_length"
# https://dev.mysql.com/doc/refman/en/json-functions.html
_JSON = """
    json_array json_array_append json_array_insert json_contains json_contains_path json_depth json_extract json_insert
    json_keys json_length json_merge json_merge_patch json_merge_preserve json_object json_overlaps json_pretty
    json_quote json_remove json_replace json_schema_valid json_search json_set json_table json_type json_unquote
    json_valid json_value json_compact json_detailed json_equals json_exists json_loose json_normalize json_query
"""
# https://dev.mysql.com/doc/refman/en/aggregate-functions.html
_AGGREGATES = """
    any_value avg bit_and bit_or bit_xor count group_concat grouping json_arrayagg json_objectagg max median min
    percentile_cont percentile_disc std stddev stddev_pop stddev_samp sum var_pop var_samp variance
"""
# https://dev.mysql.com/doc/refman/en/window-function-descriptions.html
_WINDOWS = "cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number"
# https://dev.mysql.com/doc/refman/en/miscellaneous-functions.html
_MISCELLANEOUS = """
    inet_aton inet_ntoa inet6_aton inet6_ntoa is_ipv4 is_ipv6 is_ipv4_compat is_ipv4_mapped is_uuid uuid uuid_to_bin
    bin_to_uuid
"""
# https://dev.mysql.com/doc/refman/en/spatial-function-reference.html: the measures people ask for
_SPATIAL = """
    point st_area st_astext st_contains st_distance st_distance_sphere st_geomfromtext st_intersects st_latitude
    st_length st_longitude st_within st_x st_y
"""
# https://dev.mysql.com/doc/refman/en/data-types.html: types with a length, in CAST
_TYPES = """
    nchar varchar nvarchar binary varbinary decimal dec numeric fixed float double datetime bit int integer bigint
    signed unsigned text
"""
ALLOWED = frozenset(
    f"{_CONDITIONS} {_MATHEMATICS} {_DATES} {_STRINGS} {_CASTS_AND_HASHES} {_JSON} {_AGGREGATES} {_WINDOWS} "
    f"{_MISCELLANEOUS} {_SPATIAL} {_TYPES}".split()
)
