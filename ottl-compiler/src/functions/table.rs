//! Every function of the language, declared: name, parameters, result, what builds it. From this
//! come the checks of calls, the hints, and the documentation.

use super::{
    Build, Check, Function, Item, Param,
    ParamKind::{self, *},
    Place, Prepare, TargetKind, adjusted_count, case, cef, clf, convert, csv, dates, decode,
    editors, elf, flatten, format, grok, hash, lambdas, leef, lists, metrics, net, parse, points,
    predicates, replace, severity, simplified_xml, span_name, strings, times, url, user_agent, xml,
    xpath,
};
use crate::types::{Type, TypeSet};

pub(super) const fn req(name: &'static str, kind: ParamKind) -> Param {
    Param {
        name,
        kind,
        optional: false,
    }
}

pub(super) const fn opt(name: &'static str, kind: ParamKind) -> Param {
    Param {
        name,
        kind,
        optional: true,
    }
}

pub(super) const fn editor(name: &'static str, params: &'static [Param], build: Build) -> Function {
    converter(name, params, TypeSet::NONE, build)
}

pub(super) const fn converter(
    name: &'static str,
    params: &'static [Param],
    result: TypeSet,
    build: Build,
) -> Function {
    Function {
        name,
        place: Place::Standard,
        params,
        result,
        build,
        check: None,
        prepare: None,
        pure: true,
        by_need: false,
    }
}

impl Function {
    pub(super) const fn only(mut self, place: Place) -> Function {
        self.place = place;
        self
    }

    pub(super) const fn check(mut self, check: Check) -> Function {
        self.check = Some(check);
        self
    }

    pub(super) const fn prepare(mut self, prepare: Prepare) -> Function {
        self.prepare = Some(prepare);
        self
    }

    const fn by_need(mut self) -> Function {
        self.by_need = true;
        self
    }

    const fn impure(mut self) -> Function {
        self.pure = false;
        self
    }
}

const ANY: TypeSet = TypeSet::ANY;
const STRING: TypeSet = TypeSet::one(Type::String);
const BOOL: TypeSet = TypeSet::one(Type::Bool);
const INT: TypeSet = TypeSet::one(Type::Int);
const FLOAT: TypeSet = TypeSet::one(Type::Float);
const TIME: TypeSet = TypeSet::one(Type::Time);
const DURATION: TypeSet = TypeSet::one(Type::Duration);
const MAP: TypeSet = TypeSet::one(Type::Map);
const LIST: TypeSet = TypeSet::one(Type::List);
const TYPED: TypeSet = TypeSet::one(Type::Typed);
const TRACE_ID: TypeSet = TypeSet::one(Type::TraceId);
const SPAN_ID: TypeSet = TypeSet::one(Type::SpanId);
const PROFILE_ID: TypeSet = TypeSet::one(Type::ProfileId);
const STRING_NIL: TypeSet = TypeSet::of(&[Type::String, Type::Nil]);
const BOOL_NIL: TypeSet = TypeSet::of(&[Type::Bool, Type::Nil]);
const INT_NIL: TypeSet = TypeSet::of(&[Type::Int, Type::Nil]);
const FLOAT_NIL: TypeSet = TypeSet::of(&[Type::Float, Type::Nil]);
const MAP_LIST: TypeSet = TypeSet::of(&[Type::Map, Type::List]);

/// The standard editors.
#[rustfmt::skip]
pub(super) static EDITORS: &[Function] = &[
    editor("append", &[req("target", Target(TargetKind::Any)), opt("value", Any), opt("values", Items(Item::Any, false))], Build::Editor(lists::append)).check(lists::check_append),
    editor("clear", &[req("target", Target(TargetKind::Any))], Build::Editor(editors::clear)).check(editors::check_clear),
    editor("delete_index", &[req("target", Target(TargetKind::List)), req("start_index", Int), opt("end_index", Int)], Build::Editor(lists::delete_index)),
    editor("delete_key", &[req("target", Target(TargetKind::Map)), req("key", String)], Build::Editor(editors::delete_key)),
    editor("delete_matching_keys", &[req("target", Target(TargetKind::Map)), req("pattern", Regex)], Build::Editor(editors::delete_matching_keys)),
    editor("flatten", &[req("target", Target(TargetKind::Map)), opt("prefix", LiteralString), opt("depth", LiteralInt), opt("resolve_conflicts", LiteralBool)], Build::Editor(flatten::flatten)).check(flatten::check_depth),
    editor("keep_keys", &[req("target", Target(TargetKind::Map)), req("keys", Items(Item::String, true))], Build::Editor(editors::keep_keys)),
    editor("keep_matching_keys", &[req("target", Target(TargetKind::Map)), req("pattern", Regex)], Build::Editor(editors::keep_matching_keys)),
    editor("limit", &[req("target", Target(TargetKind::Map)), req("limit", LiteralInt), req("priority_keys", LiteralStrings)], Build::Editor(editors::limit)).check(editors::check_limit),
    editor("merge_maps", &[req("target", Target(TargetKind::Map)), req("source", Map), req("strategy", LiteralString)], Build::Editor(editors::merge_maps)).check(editors::check_merge),
    editor("replace_all_matches", &[req("target", Target(TargetKind::Map)), req("pattern", Glob), req("replacement", String), opt("function", Function), opt("replacement_format", String)], Build::Editor(replace::replace_all_matches)).by_need(),
    editor("replace_all_patterns", &[req("target", Target(TargetKind::Map)), req("mode", LiteralString), req("regex_pattern", Regex), req("replacement", String), opt("function", Function), opt("replacement_format", String)], Build::Editor(replace::replace_all_patterns)).by_need().check(replace::check_mode),
    editor("replace_match", &[req("target", Target(TargetKind::Any)), req("pattern", Glob), req("replacement", String), opt("function", Function), opt("replacement_format", String)], Build::Editor(replace::replace_match)).by_need(),
    editor("replace_pattern", &[req("target", Target(TargetKind::Any)), req("regex_pattern", Regex), req("replacement", String), opt("function", Function), opt("replacement_format", String)], Build::EditorOfSome(replace::replace_pattern)).by_need(),
    editor("set", &[req("target", Target(TargetKind::Any)), req("value", Any)], Build::Set),
    editor("stringify_all", &[req("target", Target(TargetKind::Map))], Build::Editor(editors::stringify_all)),
    editor("truncate_all", &[req("target", Target(TargetKind::Map)), req("limit", LiteralInt), opt("utf8_safe", LiteralBool), opt("truncation_marker", LiteralString)], Build::Editor(editors::truncate_all)).check(editors::check_truncate),
];

/// The standard converters.
#[rustfmt::skip]
pub(super) static CONVERTERS: &[Function] = &[
    converter("Base64Encode", &[req("target", String), opt("variant", String)], STRING, Build::Scalar(convert::base64_encode)),
    converter("Bool", &[req("target", BoolLike)], BOOL_NIL, Build::Scalar(convert::identity)),
    converter("Coalesce", &[req("values", Items(Item::Any, false))], ANY, Build::Coalesce).check(predicates::not_empty),
    converter("CommunityID", &[req("source_i_p", String), req("source_port", Int), req("destination_i_p", String), req("destination_port", Int), opt("protocol", String), opt("seed", Int)], STRING, Build::Scalar(net::community_id)),
    converter("Concat", &[req("vals", Items(Item::StringLike, true)), req("delimiter", String)], STRING, Build::Scalar(strings::concat)),
    converter("ContainsValue", &[req("target", List), req("item", Any)], BOOL, Build::Scalar(predicates::contains_value)),
    converter("ConvertAttributesToElementsXML", &[req("target", String), opt("x_path", LiteralString)], STRING, Build::Scalar(xpath::convert_attributes)).prepare(xpath::prepare_attributes),
    converter("ConvertCase", &[req("target", String), req("to_case", LiteralString)], STRING, Build::Scalar(case::convert)).check(case::check_case),
    converter("ConvertTextToElementsXML", &[req("target", String), opt("x_path", LiteralString), opt("element_name", LiteralString)], STRING, Build::Scalar(xpath::convert_text)).prepare(xpath::prepare_text),
    converter("Day", &[req("time", Time)], INT, Build::Scalar(times::day)),
    converter("Decode", &[req("target", Any), req("encoding", String)], STRING, Build::Scalar(decode::decode)).prepare(decode::prepare),
    converter("Double", &[req("target", FloatLike)], FLOAT_NIL, Build::Scalar(convert::identity)),
    converter("Duration", &[req("duration", String)], DURATION, Build::Scalar(times::duration)),
    converter("ExtractGrokPatterns", &[req("target", String), req("pattern", String), opt("named_captures_only", LiteralBool), opt("pattern_definitions", LiteralStrings)], MAP, Build::Scalar(grok::extract)).prepare(grok::prepare),
    converter("ExtractPatterns", &[req("target", String), req("pattern", Regex)], MAP, Build::Scalar(parse::extract_patterns)),
    converter("FNV", &[req("target", String)], INT, Build::Scalar(hash::fnv)),
    converter("Format", &[req("format", LiteralString), req("vals", Items(Item::Any, false))], STRING, Build::Scalar(format::format)),
    converter("FormatTime", &[req("time", Time), req("format", LiteralString)], STRING, Build::Scalar(dates::format_time)).prepare(dates::prepare_format),
    converter("GetXML", &[req("target", String), req("x_path", LiteralString)], STRING, Build::Scalar(xpath::get_xml)).prepare(xpath::prepare),
    converter("HasPrefix", &[req("target", String), req("prefix", String)], BOOL, Build::Scalar(predicates::has_prefix)),
    converter("HasSuffix", &[req("target", String), req("suffix", String)], BOOL, Build::Scalar(predicates::has_suffix)),
    converter("Hex", &[req("target", BytesLike)], STRING, Build::Scalar(convert::hex)),
    converter("Hour", &[req("time", Time)], INT, Build::Scalar(times::hour)),
    converter("Hours", &[req("duration", Duration)], FLOAT, Build::Scalar(times::hours)),
    converter("Index", &[req("target", Any), req("value", Any)], INT, Build::Scalar(strings::index)),
    converter("InsertXML", &[req("target", String), req("x_path", LiteralString), req("sub_document", String)], STRING, Build::Scalar(xpath::insert_xml)).prepare(xpath::prepare),
    converter("Int", &[req("target", IntLike)], INT_NIL, Build::Scalar(convert::identity)),
    converter("IsBool", &[req("target", Any)], BOOL, Build::Scalar(predicates::is_bool)).check(predicates::literal_bool),
    converter("IsDouble", &[req("target", Any)], BOOL, Build::Scalar(predicates::is_double)).check(predicates::literal_double),
    converter("IsEmpty", &[req("target", Any)], BOOL, Build::Scalar(predicates::is_empty)),
    converter("IsInCIDR", &[req("target", String), req("networks", Items(Item::String, false))], BOOL, Build::Scalar(net::is_in_cidr)).by_need().check(net::check_networks),
    converter("IsInt", &[req("target", Any)], BOOL, Build::Scalar(predicates::is_int)).check(predicates::literal_int),
    converter("IsList", &[req("target", Any)], BOOL, Build::Scalar(predicates::is_list)),
    converter("IsMap", &[req("target", Any)], BOOL, Build::Scalar(predicates::is_map)).check(predicates::literal_map),
    converter("IsMatch", &[req("target", StringLike), req("pattern", Regex)], BOOL, Build::Scalar(predicates::is_match)),
    converter("IsString", &[req("target", Any)], BOOL, Build::Scalar(predicates::is_string)).check(predicates::literal_string),
    converter("IsValidLuhn", &[req("target", StringLike)], BOOL, Build::Scalar(parse::is_valid_luhn)),
    converter("Keys", &[req("target", Map)], LIST, Build::Scalar(convert::keys)),
    converter("Len", &[req("target", Any)], INT, Build::Scalar(strings::len)),
    converter("Log", &[req("target", FloatLike)], FLOAT, Build::Scalar(convert::log)),
    converter("MD5", &[req("target", String)], STRING, Build::Scalar(hash::md5)),
    converter("Microseconds", &[req("duration", Duration)], INT, Build::Scalar(times::microseconds)),
    converter("Milliseconds", &[req("duration", Duration)], INT, Build::Scalar(times::milliseconds)),
    converter("Minute", &[req("time", Time)], INT, Build::Scalar(times::minute)),
    converter("Minutes", &[req("duration", Duration)], FLOAT, Build::Scalar(times::minutes)),
    converter("Month", &[req("time", Time)], INT, Build::Scalar(times::month)),
    converter("Murmur3Hash", &[req("target", String)], STRING, Build::Scalar(hash::murmur3)),
    converter("Murmur3Hash128", &[req("target", String)], STRING, Build::Scalar(hash::murmur3_128)),
    converter("Nanosecond", &[req("time", Time)], INT, Build::Scalar(times::nanosecond)),
    converter("Nanoseconds", &[req("duration", Duration)], INT, Build::Scalar(times::nanoseconds)),
    converter("Now", &[], TIME, Build::Scalar(times::now)).impure(),
    converter("ParseCSV", &[req("target", String), req("header", String), opt("delimiter", LiteralString), opt("header_delimiter", LiteralString), opt("mode", LiteralString)], MAP, Build::Scalar(csv::parse_csv)).prepare(csv::prepare),
    converter("ParseInt", &[req("target", String), req("base", Int)], INT, Build::Scalar(convert::parse_int)),
    converter("ParseJSON", &[req("target", String)], MAP_LIST, Build::Scalar(parse::parse_json)),
    converter("ParseKeyValue", &[req("target", String), opt("delimiter", LiteralString), opt("pair_delimiter", LiteralString)], MAP, Build::Scalar(parse::parse_key_value)).check(parse::check_delimiters),
    converter("ParseSeverity", &[req("target", Any), req("mapping", Map)], STRING, Build::Scalar(severity::parse_severity)).prepare(severity::prepare),
    converter("ParseSimplifiedXML", &[req("target", String)], MAP, Build::Scalar(simplified_xml::parse_simplified_xml)),
    converter("ParseXML", &[req("target", String)], MAP, Build::Scalar(xml::parse_xml)),
    converter("RemoveXML", &[req("target", String), req("x_path", LiteralString)], STRING, Build::Scalar(xpath::remove_xml)).prepare(xpath::prepare),
    converter("SHA1", &[req("target", String)], STRING, Build::Scalar(hash::sha1)),
    converter("SHA256", &[req("target", String)], STRING, Build::Scalar(hash::sha256)),
    converter("SHA512", &[req("target", String)], STRING, Build::Scalar(hash::sha512)),
    converter("Second", &[req("time", Time)], INT, Build::Scalar(times::second)),
    converter("Seconds", &[req("duration", Duration)], FLOAT, Build::Scalar(times::seconds)),
    converter("SliceToMap", &[req("target", List), opt("key_path", LiteralStrings), opt("value_path", LiteralStrings)], MAP, Build::Scalar(lists::slice_to_map)),
    converter("Sort", &[req("target", Any), opt("order", LiteralString)], LIST, Build::Scalar(lists::sort)).check(lists::check_order),
    converter("SpanID", &[req("target", BytesLike)], SPAN_ID, Build::Scalar(convert::span_id)).check(convert::check_8),
    converter("Split", &[req("target", String), req("delimiter", String)], TYPED, Build::Scalar(strings::split)),
    converter("String", &[req("target", StringLike)], STRING_NIL, Build::Scalar(convert::identity)),
    converter("Substring", &[req("target", String), req("start", Int), req("length", Int), opt("utf8_safe", LiteralBool)], STRING, Build::Scalar(strings::substring)),
    converter("Time", &[req("time", String), req("format", LiteralString), opt("location", LiteralString), opt("locale", LiteralString)], TIME, Build::Scalar(dates::time)).prepare(dates::prepare_time),
    converter("ToCamelCase", &[req("target", String)], STRING, Build::Scalar(case::to_camel)),
    converter("ToKeyValueString", &[req("target", Map), opt("delimiter", LiteralString), opt("pair_delimiter", LiteralString), opt("sort_output", LiteralBool)], STRING, Build::Scalar(parse::to_key_value_string)).check(parse::check_delimiters),
    converter("ToLowerCase", &[req("target", String)], STRING, Build::Scalar(strings::to_lower)),
    converter("ToSnakeCase", &[req("target", String)], STRING, Build::Scalar(case::to_snake)),
    converter("ToUpperCase", &[req("target", String)], STRING, Build::Scalar(strings::to_upper)),
    converter("TraceID", &[req("target", BytesLike)], TRACE_ID, Build::Scalar(convert::trace_id)).check(convert::check_16),
    converter("Trim", &[req("target", String), opt("replacement", LiteralString)], STRING, Build::Scalar(strings::trim)),
    converter("TrimPrefix", &[req("target", String), req("prefix", String)], STRING, Build::Scalar(strings::trim_prefix)),
    converter("TrimSuffix", &[req("target", String), req("suffix", String)], STRING, Build::Scalar(strings::trim_suffix)),
    converter("TruncateTime", &[req("time", Time), req("duration", Duration)], TIME, Build::Scalar(times::truncate_time)),
    converter("URL", &[req("u_r_i", String)], MAP, Build::Scalar(url::url)),
    converter("UUID", &[], STRING, Build::Scalar(hash::uuid)).impure(),
    converter("UUIDv7", &[], STRING, Build::Scalar(hash::uuid_v7)).impure(),
    converter("Unix", &[req("seconds", Int), opt("nanoseconds", Int)], TIME, Build::Scalar(times::unix)),
    converter("UnixMicro", &[req("time", Time)], INT, Build::Scalar(times::unix_micro)),
    converter("UnixMilli", &[req("time", Time)], INT, Build::Scalar(times::unix_milli)),
    converter("UnixNano", &[req("time", Time)], INT, Build::Scalar(times::unix_nano)),
    converter("UnixSeconds", &[req("time", Time)], INT, Build::Scalar(times::unix_seconds)),
    converter("UserAgent", &[req("user_agent", String)], MAP, Build::Scalar(user_agent::user_agent)).prepare(user_agent::prepare),
    converter("Values", &[req("target", Map)], LIST, Build::Scalar(convert::values)),
    converter("Weekday", &[req("time", Time)], INT, Build::Scalar(times::weekday)),
    converter("XXH128", &[req("target", String)], STRING, Build::Scalar(hash::xxh128)),
    converter("XXH3", &[req("target", String)], STRING, Build::Scalar(hash::xxh3)),
    converter("Year", &[req("time", Time)], INT, Build::Scalar(times::year)),
];

/// What only some components or contexts have.
#[rustfmt::skip]
pub(super) static ELSEWHERE: &[Function] = &[
    converter("ProfileID", &[req("target", BytesLike)], PROFILE_ID, Build::Scalar(convert::profile_id)).only(Place::Profiles).check(convert::check_16),
    converter("IsRootSpan", &[], BOOL, Build::IsRootSpan).only(Place::SpanContext),
    converter("All", &[req("source", Any), req("predicate", Lambda(2))], BOOL, Build::RowScalar(lambdas::all)).only(Place::Lambda),
    converter("Any", &[req("source", Any), req("predicate", Lambda(2))], BOOL, Build::RowScalar(lambdas::any)).only(Place::Lambda),
    converter("Filter", &[req("source", Any), req("predicate", Lambda(2))], MAP_LIST, Build::RowScalar(lambdas::filter)).only(Place::Lambda),
    converter("Find", &[req("source", Any), req("predicate", Lambda(2)), opt("mapper", Lambda(2))], ANY, Build::RowScalar(lambdas::find)).only(Place::Lambda),
    converter("MapEach", &[req("source", Any), req("mapper", Lambda(2))], MAP_LIST, Build::RowScalar(lambdas::map_each)).only(Place::Lambda),
    converter("MapKeys", &[req("source", Map), req("key_mapper", Lambda(2))], MAP, Build::RowScalar(lambdas::map_keys)).only(Place::Lambda),
    converter("Reduce", &[req("source", Any), req("seed", Any), req("accumulator", Lambda(3))], ANY, Build::RowScalar(lambdas::reduce)).only(Place::Lambda),
    converter("When", &[req("condition", Lambda(0)), req("true_value", Any), req("false_value", Any)], ANY, Build::When).only(Place::Lambda),
    editor("aggregate_on_attribute_value", &[req("aggregation_function", LiteralString), req("attribute", LiteralString), req("values", LiteralStrings), req("new_value", LiteralString)], Build::RowEditor(metrics::aggregate_on_attribute_value)).check(metrics::check_function).only(Place::TransformMetric),
    editor("aggregate_on_attributes", &[req("aggregation_function", LiteralString), opt("attributes", LiteralStrings)], Build::RowEditor(metrics::aggregate_on_attributes)).check(metrics::check_function).only(Place::TransformMetric),
    editor("convert_exponential_histogram_to_histogram", &[req("distribution_fn", LiteralString), req("explicit_bounds", LiteralFloats)], Build::RowEditor(metrics::convert_exponential_histogram_to_histogram)).check(metrics::check_explicit).only(Place::TransformMetric),
    editor("convert_gauge_to_sum", &[req("string_agg_temp", LiteralString), req("monotonic", LiteralBool)], Build::RowEditor(metrics::convert_gauge_to_sum)).check(metrics::check_temporality).only(Place::TransformMetric),
    editor("convert_sum_to_gauge", &[], Build::RowEditor(metrics::convert_sum_to_gauge)).only(Place::TransformMetric),
    editor("convert_summary_quantile_val_to_gauge", &[opt("attribute_key", LiteralString), opt("suffix", LiteralString)], Build::RowEditor(metrics::convert_summary_quantile_val_to_gauge)).only(Place::TransformMetric),
    editor("copy_metric", &[opt("name", String), opt("description", String), opt("unit", String)], Build::RowEditor(metrics::copy_metric)).by_need().only(Place::TransformMetric),
    editor("extract_avg_metric", &[opt("suffix", LiteralString)], Build::RowEditor(metrics::extract_avg_metric)).only(Place::TransformMetric),
    editor("extract_count_metric", &[req("monotonic", LiteralBool), opt("suffix", LiteralString)], Build::RowEditor(metrics::extract_count_metric)).only(Place::TransformMetric),
    editor("extract_percentile_metric", &[req("percentile", LiteralFloat), opt("suffix", LiteralString)], Build::RowEditor(metrics::extract_percentile_metric)).check(metrics::check_percentile).only(Place::TransformMetric),
    editor("extract_sum_metric", &[req("monotonic", LiteralBool), opt("suffix", LiteralString)], Build::RowEditor(metrics::extract_sum_metric)).only(Place::TransformMetric),
    editor("scale_metric", &[req("multiplier", LiteralFloat), opt("unit", String)], Build::RowEditor(metrics::scale_metric)).only(Place::TransformMetric),
    editor("convert_summary_count_val_to_sum", &[req("string_agg_temp", LiteralString), req("monotonic", LiteralBool), opt("suffix", LiteralString)], Build::RowEditor(metrics::convert_summary_count_val_to_sum)).check(metrics::check_temporality).only(Place::TransformDataPoint),
    editor("convert_summary_sum_val_to_sum", &[req("string_agg_temp", LiteralString), req("monotonic", LiteralBool), opt("suffix", LiteralString)], Build::RowEditor(metrics::convert_summary_sum_val_to_sum)).check(metrics::check_temporality).only(Place::TransformDataPoint),
    editor("merge_histogram_buckets", &[req("target_value", FloatLike), opt("method", LiteralString)], Build::RowEditor(metrics::merge_histogram_buckets)).check(metrics::check_buckets).only(Place::TransformDataPoint),
    editor("set_semconv_span_name", &[req("semconv_version", LiteralString), opt("original_span_name_attribute", LiteralString)], Build::RowEditor(span_name::set_semconv_span_name)).check(span_name::check_version).only(Place::TransformSpan),
    converter("ParseCEF", &[req("target", String)], MAP, Build::Scalar(cef::parse_cef)).only(Place::TransformLog),
    converter("ParseCLF", &[req("target", String), opt("format", LiteralString)], MAP, Build::Scalar(clf::parse_clf)).prepare(clf::prepare).only(Place::TransformLog),
    converter("ParseELF", &[req("target", String)], MAP, Build::Scalar(elf::parse_elf)).only(Place::TransformLog),
    converter("ParseLEEF", &[req("target", String)], MAP, Build::Scalar(leef::parse_leef)).only(Place::TransformLog),
    converter("HasAttrKeyOnDatapoint", &[req("key", LiteralString)], BOOL, Build::RowScalar(points::has_attr_key_on_datapoint)).only(Place::FilterMetric),
    converter("HasAttrOnDatapoint", &[req("key", LiteralString), req("expected_val", LiteralString)], BOOL, Build::RowScalar(points::has_attr_on_datapoint)).only(Place::FilterMetric),
    editor("route", &[], Build::Nothing).only(Place::Routing),
    converter("AdjustedCount", &[], FLOAT, Build::RowScalar(adjusted_count::adjusted_count)).only(Place::SignalToMetrics),
];
