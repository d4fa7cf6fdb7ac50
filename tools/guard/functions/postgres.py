"""PostgreSQL's functions that only compute.

Left out, though they look like the rest: functions that run SQL given as text (query_to_xml, table_to_xml,
database_to_xml, cursor_to_xml, ts_stat, ts_rewrite), all pg_... but pg_typeof and those that write a size, large
objects (lo_...), sequences, settings, advisory locks, notifications, privileges and catalog information, transaction
numbers, setseed, dblink and other functions of extensions that have effects.
"""

# https://www.postgresql.org/docs/current/functions-comparison.html and functions-conditional.html
_CONDITIONS = "num_nonnulls num_nulls coalesce nullif greatest least"
# https://www.postgresql.org/docs/current/functions-math.html
_MATHEMATICS = """
    abs cbrt ceil ceiling degrees div erf erfc exp factorial floor gamma gcd lcm lgamma ln log log10 min_scale mod pi
    power radians round scale sign sqrt trim_scale trunc width_bucket random random_normal acos acosd acosh asin asind
    asinh atan atand atanh atan2 atan2d cos cosd cosh cot cotd sin sind sinh tan tand tanh
"""
# https://www.postgresql.org/docs/current/functions-string.html, functions-binarystring.html, functions-bitstring.html
_STRINGS = """
    ascii bit_length btrim casefold char_length character_length chr concat concat_ws convert convert_from convert_to
    crc32 crc32c decode encode format initcap left length lower lpad ltrim md5 normalize octet_length overlay
    parse_ident position quote_ident quote_literal quote_nullable regexp_count regexp_instr regexp_like regexp_match
    regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr repeat replace reverse
    right rpad rtrim sha224 sha256 sha384 sha512 split_part starts_with string_to_array string_to_table strpos substr
    substring to_ascii to_bin to_hex to_oct translate trim unicode_assigned unistr upper bit_count get_bit get_byte
    set_bit set_byte
"""
# https://www.postgresql.org/docs/current/functions-formatting.html and functions-datetime.html
_DATES = """
    to_char to_date to_number to_timestamp age clock_timestamp current_date current_time current_timestamp date_add
    date_bin date_part date_subtract date_trunc extract isfinite justify_days justify_hours justify_interval localtime
    localtimestamp make_date make_interval make_time make_timestamp make_timestamptz now statement_timestamp timeofday
    transaction_timestamp timezone overlaps
"""
# https://www.postgresql.org/docs/current/functions-enum.html, functions-geometry.html, functions-net.html
_TYPES_OF_THEIR_OWN = """
    enum_first enum_last enum_range area center diagonal diameter height isclosed isopen npoints pclose popen radius
    slope width box circle line lseg path point polygon abbrev broadcast family host hostmask inet_merge
    inet_same_family masklen netmask network set_masklen macaddr8_set7bit
"""
# https://www.postgresql.org/docs/current/functions-textsearch.html
_TEXT_SEARCH = """
    array_to_tsvector numnode plainto_tsquery phraseto_tsquery websearch_to_tsquery querytree setweight strip to_tsquery
    to_tsvector json_to_tsvector jsonb_to_tsvector ts_delete ts_filter ts_headline ts_rank ts_rank_cd tsquery_phrase
    tsvector_to_array
"""
# https://www.postgresql.org/docs/current/functions-uuid.html
_UUID = "gen_random_uuid uuidv4 uuidv7 uuid_extract_timestamp uuid_extract_version"
# https://www.postgresql.org/docs/current/functions-json.html
_JSON = """
    to_json to_jsonb array_to_json row_to_json json_build_array jsonb_build_array json_build_object jsonb_build_object
    json_object jsonb_object json_array json json_scalar json_serialize json_arrayagg json_objectagg
    json_array_elements jsonb_array_elements json_array_elements_text jsonb_array_elements_text json_array_length
    jsonb_array_length json_each jsonb_each json_each_text jsonb_each_text json_extract_path jsonb_extract_path
    json_extract_path_text jsonb_extract_path_text json_object_keys jsonb_object_keys json_populate_record
    jsonb_populate_record json_populate_recordset jsonb_populate_recordset json_to_record jsonb_to_record
    json_to_recordset jsonb_to_recordset jsonb_set jsonb_set_lax jsonb_insert json_strip_nulls jsonb_strip_nulls
    jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first
    jsonb_path_exists_tz jsonb_path_match_tz jsonb_path_query_tz jsonb_path_query_array_tz jsonb_path_query_first_tz
    jsonb_pretty json_typeof jsonb_typeof json_exists json_query json_value json_table
"""
# https://www.postgresql.org/docs/current/functions-xml.html: what builds and reads a value; none runs SQL
_XML = """
    xmlelement xmlattributes xmlforest xmlconcat xmlcomment xmlagg xmltext xpath xpath_exists xmlexists
    xml_is_well_formed xml_is_well_formed_content xml_is_well_formed_document
"""
# https://www.postgresql.org/docs/current/functions-array.html and functions-range.html
_ARRAYS = """
    array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position array_positions
    array_prepend array_remove array_replace array_reverse array_sample array_shuffle array_sort array_to_string
    array_upper cardinality trim_array unnest isempty lower_inc upper_inc lower_inf upper_inf range_merge multirange
    int4range int8range numrange tsrange tstzrange daterange int4multirange int8multirange nummultirange tsmultirange
    tstzmultirange datemultirange
"""
# https://www.postgresql.org/docs/current/functions-aggregate.html
_AGGREGATES = """
    any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or count every json_agg jsonb_agg json_agg_strict
    jsonb_agg_strict json_object_agg jsonb_object_agg json_object_agg_strict jsonb_object_agg_strict
    json_object_agg_unique jsonb_object_agg_unique max min range_agg range_intersect_agg string_agg sum corr covar_pop
    covar_samp regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev
    stddev_pop stddev_samp variance var_pop var_samp mode percentile_cont percentile_disc rank dense_rank percent_rank
    cume_dist grouping
"""
# https://www.postgresql.org/docs/current/functions-window.html and functions-srf.html
_WINDOWS_AND_SETS = """
    row_number ntile lag lead first_value last_value nth_value generate_series generate_subscripts
"""
# https://www.postgresql.org/docs/current/functions-info.html: the only harmless one; the rest looks into the catalog
_INFORMATION = "pg_typeof pg_size_pretty pg_size_bytes"
# https://www.postgresql.org/docs/current/pgtrgm.html, fuzzystrmatch.html, unaccent.html: extensions that compute
_EXTENSIONS = """
    similarity word_similarity strict_word_similarity soundex difference levenshtein levenshtein_less_equal metaphone
    dmetaphone dmetaphone_alt daitch_mokotoff unaccent
"""
# https://www.postgresql.org/docs/current/datatype.html: types with a length, and those that cast when called
_TYPES = """
    cast bit varbit varchar char character bpchar text numeric decimal float float4 float8 double precision real int
    integer int2 int4 int8 bigint smallint bool boolean date time timetz timestamp timestamptz interval jsonb uuid
    inet cidr bytea
"""
ALLOWED = frozenset(
    f"{_CONDITIONS} {_MATHEMATICS} {_STRINGS} {_DATES} {_TYPES_OF_THEIR_OWN} {_TEXT_SEARCH} {_UUID} {_JSON} {_XML} "
    f"{_ARRAYS} {_AGGREGATES} {_WINDOWS_AND_SETS} {_INFORMATION} {_EXTENSIONS} {_TYPES}".split()
) | {"character varying"}
