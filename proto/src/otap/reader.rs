//! Columns of OTAP tables being read, in every encoding that the specification permits:
//! native or dictionary arrays, ids plain or as deltas. Whose columns they are is the
//! business of `read`.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    DurationNanosecondType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, DurationNanosecondArray, FixedSizeBinaryArray,
    Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampNanosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field};

use super::model::Kind;
use super::{OtapError, PayloadType};

/// The columns of a table or of a struct in it.
pub(super) trait Source {
    fn find(&self, name: &str) -> Option<(&Field, &ArrayRef)>;
}

impl Source for RecordBatch {
    fn find(&self, name: &str) -> Option<(&Field, &ArrayRef)> {
        let (at, field) = self.schema_ref().column_with_name(name)?;
        Some((field, self.columns().get(at)?))
    }
}

impl Source for StructArray {
    fn find(&self, name: &str) -> Option<(&Field, &ArrayRef)> {
        let (at, field) = self.fields().find(name)?;
        Some((field, self.columns().get(at)?))
    }
}

/// A column being read.
pub(super) struct Reader {
    keys: Option<Keys>,
    values: Values,
}

enum Keys {
    U8(UInt8Array),
    U16(UInt16Array),
}

enum Values {
    U8(UInt8Array),
    U16(UInt16Array),
    U32(UInt32Array),
    U64(UInt64Array),
    I32(Int32Array),
    I64(Int64Array),
    F64(Float64Array),
    Time(TimestampNanosecondArray),
    Duration(DurationNanosecondArray),
    Bool(BooleanArray),
    Text(StringArray),
    Bytes(BinaryArray),
    Id(FixedSizeBinaryArray),
    Doubles(ListArray, Float64Array),
    Counts(ListArray, UInt64Array),
    Quantiles(ListArray, StructArray, Float64Array, Float64Array),
}

/// What a column has to be.
#[derive(Clone, Copy)]
pub(super) enum Want {
    /// The column of a field.
    Kind(Kind),
    /// The number of a type: 8 bits.
    Code,
    Bytes,
    /// An id of 16 or 32 bits.
    RowId,
}

impl Reader {
    /// The column as what it should be; `None` where it is of another type.
    pub fn new(array: &ArrayRef, want: Want) -> Option<Reader> {
        let (keys, array) = match array.data_type() {
            DataType::Dictionary(key, _) => match key.as_ref() {
                DataType::UInt8 => {
                    let dictionary = array.as_dictionary_opt::<UInt8Type>()?;
                    (
                        Some(Keys::U8(dictionary.keys().clone())),
                        dictionary.values(),
                    )
                }
                DataType::UInt16 => {
                    let dictionary = array.as_dictionary_opt::<UInt16Type>()?;
                    (
                        Some(Keys::U16(dictionary.keys().clone())),
                        dictionary.values(),
                    )
                }
                _ => return None,
            },
            _ => (None, array),
        };
        let values = match want {
            Want::Code => Values::U8(array.as_primitive_opt::<UInt8Type>()?.clone()),
            Want::Bytes => Values::Bytes(array.as_binary_opt::<i32>()?.clone()),
            Want::RowId => match array.data_type() {
                DataType::UInt16 => Values::U16(array.as_primitive_opt::<UInt16Type>()?.clone()),
                _ => Values::U32(array.as_primitive_opt::<UInt32Type>()?.clone()),
            },
            Want::Kind(kind) => match kind {
                Kind::Time => {
                    Values::Time(array.as_primitive_opt::<TimestampNanosecondType>()?.clone())
                }
                Kind::Duration => {
                    Values::Duration(array.as_primitive_opt::<DurationNanosecondType>()?.clone())
                }
                Kind::Int32 | Kind::Sint32 => {
                    Values::I32(array.as_primitive_opt::<Int32Type>()?.clone())
                }
                Kind::Uint32 | Kind::Fixed32 => {
                    Values::U32(array.as_primitive_opt::<UInt32Type>()?.clone())
                }
                Kind::Fixed64 => Values::U64(array.as_primitive_opt::<UInt64Type>()?.clone()),
                Kind::Sfixed64 => Values::I64(array.as_primitive_opt::<Int64Type>()?.clone()),
                Kind::Double => Values::F64(array.as_primitive_opt::<Float64Type>()?.clone()),
                Kind::Bool => Values::Bool(array.as_boolean_opt()?.clone()),
                Kind::Text | Kind::Words => Values::Text(array.as_string_opt::<i32>()?.clone()),
                Kind::Id(size) => {
                    let ids = array.as_fixed_size_binary_opt()?;
                    if ids.value_length() != size {
                        return None;
                    }
                    Values::Id(ids.clone())
                }
                Kind::Doubles => {
                    let list = array.as_list_opt::<i32>()?;
                    let values = list.values().as_primitive_opt::<Float64Type>()?.clone();
                    Values::Doubles(list.clone(), values)
                }
                Kind::Counts | Kind::Varints => {
                    let list = array.as_list_opt::<i32>()?;
                    let values = list.values().as_primitive_opt::<UInt64Type>()?.clone();
                    Values::Counts(list.clone(), values)
                }
                Kind::Quantiles => {
                    let list = array.as_list_opt::<i32>()?;
                    let values = list.values().as_struct_opt()?;
                    let column = |name| {
                        let column = values.column_by_name(name)?;
                        Some(column.as_primitive_opt::<Float64Type>()?.clone())
                    };
                    Values::Quantiles(
                        list.clone(),
                        values.clone(),
                        column("quantile")?,
                        column("value")?,
                    )
                }
            },
        };
        Some(Reader { keys, values })
    }

    /// The index into `values` of a row, unless it is null.
    fn index(&self, row: usize) -> Option<usize> {
        let index = match &self.keys {
            None => row,
            Some(Keys::U8(keys)) if keys.is_valid(row) => usize::from(keys.value(row)),
            Some(Keys::U16(keys)) if keys.is_valid(row) => usize::from(keys.value(row)),
            Some(_) => return None,
        };
        let array: &dyn Array = match &self.values {
            Values::U8(a) => a,
            Values::U16(a) => a,
            Values::U32(a) => a,
            Values::U64(a) => a,
            Values::I32(a) => a,
            Values::I64(a) => a,
            Values::F64(a) => a,
            Values::Time(a) => a,
            Values::Duration(a) => a,
            Values::Bool(a) => a,
            Values::Text(a) => a,
            Values::Bytes(a) => a,
            Values::Id(a) => a,
            Values::Doubles(a, _) | Values::Counts(a, _) | Values::Quantiles(a, ..) => a,
        };
        (index < array.len() && array.is_valid(index)).then_some(index)
    }

    /// A number's bits, signed ones extended to 64; `None` where the row is null.
    pub fn bits(&self, row: usize) -> Option<u64> {
        let at = self.index(row)?;
        Some(match &self.values {
            Values::U8(a) => u64::from(a.value(at)),
            Values::U16(a) => u64::from(a.value(at)),
            Values::U32(a) => u64::from(a.value(at)),
            Values::U64(a) => a.value(at),
            Values::I32(a) => i64::from(a.value(at)) as u64,
            Values::I64(a) => a.value(at) as u64,
            Values::F64(a) => a.value(at).to_bits(),
            Values::Time(a) => a.value(at) as u64,
            Values::Duration(a) => a.value(at) as u64,
            Values::Bool(a) => u64::from(a.value(at)),
            _ => return None,
        })
    }

    /// Text, bytes or an id; `None` where the row is null.
    pub fn bytes(&self, row: usize) -> Option<&[u8]> {
        let at = self.index(row)?;
        match &self.values {
            Values::Text(a) => Some(a.value(at).as_bytes()),
            Values::Bytes(a) => Some(a.value(at)),
            Values::Id(a) => Some(a.value(at)),
            _ => None,
        }
    }

    /// The elements of a list, as pairs of bits; the second only of quantiles.
    pub fn elements(&self, row: usize) -> impl Iterator<Item = (u64, u64)> + '_ {
        let list = match &self.values {
            Values::Doubles(a, _) | Values::Counts(a, _) | Values::Quantiles(a, ..) => Some(a),
            _ => None,
        };
        let range = match (self.index(row), list) {
            (Some(at), Some(list)) => {
                let offsets = list.value_offsets();
                let bound = |at: usize| offsets.get(at).map_or(0, |offset| *offset as usize);
                bound(at)..bound(at + 1)
            }
            _ => 0..0,
        };
        let double = |a: &Float64Array, at: usize| match a.is_valid(at) {
            true => a.value(at).to_bits(),
            false => 0,
        };
        range.map(move |at| match &self.values {
            Values::Doubles(_, values) => (double(values, at), 0),
            Values::Counts(_, values) if values.is_valid(at) => (values.value(at), 0),
            Values::Quantiles(_, whole, quantiles, values) if whole.is_valid(at) => {
                (double(quantiles, at), double(values, at))
            }
            _ => (0, 0),
        })
    }

    /// Whether two rows hold the same; two nulls do.
    pub fn same(&self, a: usize, b: usize) -> bool {
        self.bits(a) == self.bits(b) && self.bytes(a) == self.bytes(b)
    }
}

/// Opens a column if it is there.
pub(super) fn optional(
    source: &dyn Source,
    table: PayloadType,
    prefix: &str,
    name: &str,
    want: Want,
) -> Result<Option<Reader>, OtapError> {
    match source.find(name) {
        None => Ok(None),
        Some((_, array)) => match Reader::new(array, want) {
            Some(reader) => Ok(Some(reader)),
            None => Err(problem(
                table,
                prefix,
                name,
                "is of a type that it may not have",
            )),
        },
    }
}

/// Opens a column that has to be there.
pub(super) fn required(
    source: &dyn Source,
    table: PayloadType,
    prefix: &str,
    name: &str,
    want: Want,
) -> Result<Reader, OtapError> {
    optional(source, table, prefix, name, want)?
        .ok_or_else(|| problem(table, prefix, name, "is missing"))
}

pub(super) fn problem(
    table: PayloadType,
    prefix: &str,
    name: &str,
    problem: &'static str,
) -> OtapError {
    OtapError::Column {
        table,
        column: format!("{prefix}{name}"),
        problem,
    }
}

/// How an id column is encoded (specification 6.4).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Delta,
    /// Deltas where the equality columns are those of the row before.
    QuasiDelta,
}

/// The ids that a column holds; null stays null. `default` is the encoding where the
/// column does not say; `follows` says whether a row is a delta in quasi-delta encoding.
pub(super) fn ids(
    source: &dyn Source,
    table: PayloadType,
    prefix: &str,
    name: &str,
    default: Encoding,
    follows: impl Fn(usize) -> bool,
) -> Result<Option<Vec<Option<u32>>>, OtapError> {
    let Some((field, array)) = source.find(name) else {
        return Ok(None);
    };
    let encoding = match field.metadata().get("encoding").map(String::as_str) {
        None => default,
        Some("plain") => Encoding::Plain,
        Some("delta") => Encoding::Delta,
        Some("quasidelta") => Encoding::QuasiDelta,
        Some(_) => return Err(problem(table, prefix, name, "has an unknown encoding")),
    };
    let Some(reader) = Reader::new(array, Want::RowId) else {
        return Err(problem(
            table,
            prefix,
            name,
            "is of a type that it may not have",
        ));
    };
    let mut before = 0u32;
    let mut ids = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        let Some(bits) = reader.bits(row) else {
            ids.push(None);
            continue;
        };
        let add = match encoding {
            Encoding::Plain => false,
            Encoding::Delta => true,
            Encoding::QuasiDelta => row > 0 && follows(row),
        };
        let id = if add {
            before.checked_add(bits as u32)
        } else {
            Some(bits as u32)
        };
        let Some(id) = id else {
            return Err(problem(table, prefix, name, "has deltas that overflow"));
        };
        before = id;
        ids.push(Some(id));
    }
    Ok(Some(ids))
}
