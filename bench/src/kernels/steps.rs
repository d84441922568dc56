//! The kernels one by one: what is prepared, and what is timed.

use std::hint::black_box;

use bytes::Bytes;
use trunkline_proto::batch::{
    AttributeEdit, Error as BatchError, Field, Level, Selection, Source, When,
};
use trunkline_proto::{Batch, Signal};

use super::{ottl, routing, variants::Variant};

/// What a kernel works on.
pub struct Work {
    pub signal: Signal,
    pub payload: Bytes,
    pub batch: Option<Batch>,
    /// Kept from request to request, as a core keeps its output buffer.
    pub out: Vec<u8>,
    pub programs: ottl::Programs,
    pub routes: routing::Routes,
}

pub type Step = fn(&mut Work) -> Result<(), BatchError>;

/// A kernel of the table.
pub struct Kernel {
    pub name: &'static str,
    pub what: &'static str,
    /// Not timed.
    pub prepare: Step,
    /// What it is done to.
    pub variant: Variant,
    pub run: Step,
}

/// All of them, in the order in which they are run.
pub const KERNELS: [Kernel; 23] = [
    Kernel {
        name: "copy",
        what: "the request's bytes, copied: the floor for anything that writes",
        prepare: nothing,
        variant: Variant::Generated,
        run: copy,
    },
    Kernel {
        name: "decode",
        what: "structure walked and items counted, as every request is",
        prepare: nothing,
        variant: Variant::Generated,
        run: decode,
    },
    Kernel {
        name: "validate",
        what: "every field of a decoded request checked",
        prepare: decode,
        variant: Variant::Generated,
        run: validate,
    },
    Kernel {
        name: "open",
        what: "a decoded request taken apart down to its items",
        prepare: decode,
        variant: Variant::Generated,
        run: open,
    },
    Kernel {
        name: "gather",
        what: "one attribute of every item as a column",
        prepare: opened,
        variant: Variant::Generated,
        run: gather,
    },
    Kernel {
        name: "fields",
        what: "five fields of every item as Arrow columns",
        prepare: opened,
        variant: Variant::Generated,
        run: fields,
    },
    Kernel {
        name: "table",
        what: "all attributes of the items as one table",
        prepare: opened,
        variant: Variant::Generated,
        run: table,
    },
    Kernel {
        name: "edit",
        what: "one attribute inserted from another, two deleted",
        prepare: opened,
        variant: Variant::Generated,
        run: edit,
    },
    Kernel {
        name: "splice",
        what: "an edited request written out",
        prepare: edited,
        variant: Variant::Generated,
        run: splice,
    },
    Kernel {
        name: "whole",
        what: "decode, open, edit and splice",
        prepare: nothing,
        variant: Variant::Generated,
        run: whole,
    },
    Kernel {
        name: "ottl",
        what: "ten OTTL statements over columns",
        prepare: opened,
        variant: Variant::Generated,
        run: |w| statements(w, ottl::Statements::Ten, false),
    },
    Kernel {
        name: "ottl-set",
        what: "one OTTL statement that sets a constant",
        prepare: opened,
        variant: Variant::Generated,
        run: |w| statements(w, ottl::Statements::One, false),
    },
    Kernel {
        name: "ottl-10",
        what: "10 conditional sets",
        prepare: opened,
        variant: Variant::Generated,
        run: |w| statements(w, ottl::Statements::Conditional(10), false),
    },
    Kernel {
        name: "ottl-100",
        what: "100 conditional sets",
        prepare: opened,
        variant: Variant::Generated,
        run: |w| statements(w, ottl::Statements::Conditional(100), false),
    },
    Kernel {
        name: "ottl-rows",
        what: "the ten statements by rows",
        prepare: opened,
        variant: Variant::Generated,
        run: |w| statements(w, ottl::Statements::Ten, true),
    },
    Kernel {
        name: "ottl-splice",
        what: "what the ten statements left, written out",
        prepare: |w| {
            opened(w)?;
            statements(w, ottl::Statements::Ten, false)
        },
        variant: Variant::Generated,
        run: splice,
    },
    Kernel {
        name: "ottl-whole",
        what: "decode, open, the ten statements and splice",
        prepare: nothing,
        variant: Variant::Generated,
        run: |w| {
            decode(w)?;
            statements(w, ottl::Statements::Ten, false)?;
            splice(w)
        },
    },
    Kernel {
        name: "ottl-names",
        what: "the ten statements where all attributes have other names",
        prepare: opened,
        variant: Variant::Names,
        run: |w| statements(w, ottl::Statements::TenOtherNames, false),
    },
    Kernel {
        name: "ottl-shuffled",
        what: "the ten statements, keys in another order from item to item",
        prepare: opened,
        variant: Variant::Shuffled,
        run: |w| statements(w, ottl::Statements::Ten, false),
    },
    Kernel {
        name: "ottl-distinct",
        what: "the ten statements, every string another",
        prepare: opened,
        variant: Variant::Distinct,
        run: |w| statements(w, ottl::Statements::Ten, false),
    },
    Kernel {
        name: "ottl-mixed",
        what: "the ten statements, one attribute of four types",
        prepare: opened,
        variant: Variant::Mixed,
        run: |w| statements(w, ottl::Statements::Ten, false),
    },
    Kernel {
        name: "ottl-filter",
        what: "an OTTL condition asked, 95 of 100 items dropped, the rest written",
        prepare: opened,
        variant: Variant::Generated,
        run: |w| {
            filter(w)?;
            splice(w)
        },
    },
    Kernel {
        name: "routing",
        what: "a decoded request opened, and parted by 100 conditions on resources",
        prepare: decode,
        variant: Variant::Generated,
        run: route,
    },
];

fn nothing(_: &mut Work) -> Result<(), BatchError> {
    Ok(())
}

fn copy(w: &mut Work) -> Result<(), BatchError> {
    w.out.clear();
    w.out.extend_from_slice(&w.payload);
    black_box(&w.out);
    Ok(())
}

pub fn decode(w: &mut Work) -> Result<(), BatchError> {
    let batch = Batch::from_protobuf(w.signal, w.payload.clone())?;
    black_box(batch.item_count());
    w.batch = Some(batch);
    Ok(())
}

fn validate(w: &mut Work) -> Result<(), BatchError> {
    match &w.batch {
        Some(batch) => Ok(batch.validate()?),
        None => Ok(()),
    }
}

/// Where the attributes that the kernels work on are.
pub fn level(signal: Signal) -> Level {
    match signal {
        Signal::Metrics => Level::DataPoint,
        _ => Level::Item,
    }
}

fn open(w: &mut Work) -> Result<(), BatchError> {
    let level = level(w.signal);
    if let Some(batch) = &mut w.batch {
        black_box(batch.open()?.row_count(level)?);
    }
    Ok(())
}

fn opened(w: &mut Work) -> Result<(), BatchError> {
    decode(w)?;
    open(w)
}

fn gather(w: &mut Work) -> Result<(), BatchError> {
    let level = level(w.signal);
    if let Some(batch) = &mut w.batch {
        black_box(batch.open()?.attribute_column(level, b"http.route")?);
    }
    Ok(())
}

fn fields(w: &mut Work) -> Result<(), BatchError> {
    let (level, fields) = match w.signal {
        Signal::Metrics => (
            Level::Item,
            &[Field::Name, Field::Unit, Field::Description][..],
        ),
        Signal::Logs => (
            Level::Item,
            &[
                Field::Time,
                Field::SeverityNumber,
                Field::SeverityText,
                Field::TraceId,
                Field::Body,
            ][..],
        ),
        _ => (
            Level::Item,
            &[
                Field::TraceId,
                Field::SpanId,
                Field::Name,
                Field::StartTime,
                Field::EndTime,
            ][..],
        ),
    };
    if let Some(batch) = &mut w.batch {
        black_box(batch.open()?.field_columns(level, fields)?);
    }
    Ok(())
}

fn table(w: &mut Work) -> Result<(), BatchError> {
    let level = level(w.signal);
    if let Some(batch) = &mut w.batch {
        black_box(batch.open()?.attribute_table(level)?);
    }
    Ok(())
}

/// The actions of the comparison's `attributes` rows.
const EDITS: [AttributeEdit<'static>; 3] = [
    AttributeEdit::Set {
        key: b"app.route",
        value: Source::Attribute(b"http.route"),
        when: When::Absent,
    },
    AttributeEdit::Remove {
        key: b"client.address",
    },
    AttributeEdit::Remove { key: b"enduser.id" },
];

fn edit(w: &mut Work) -> Result<(), BatchError> {
    let level = level(w.signal);
    if let Some(batch) = &mut w.batch {
        batch
            .open()?
            .edit_attributes(level, Selection::All, &EDITS)?;
    }
    Ok(())
}

fn edited(w: &mut Work) -> Result<(), BatchError> {
    decode(w)?;
    edit(w)
}

fn splice(w: &mut Work) -> Result<(), BatchError> {
    w.out.clear();
    if let Some(batch) = &w.batch {
        batch.write_protobuf(&mut w.out);
    }
    black_box(&w.out);
    Ok(())
}

pub fn whole(w: &mut Work) -> Result<(), BatchError> {
    decode(w)?;
    edit(w)?;
    splice(w)
}

fn statements(w: &mut Work, of: ottl::Statements, by_rows: bool) -> Result<(), BatchError> {
    match (&mut w.batch, w.programs.get(of, w.signal)) {
        (Some(batch), Some(executor)) => ottl::run(executor, batch, by_rows),
        _ => Ok(()),
    }
}

fn filter(w: &mut Work) -> Result<(), BatchError> {
    let level = level(w.signal);
    match (&mut w.batch, w.programs.condition(w.signal)) {
        (Some(batch), Some(executor)) => ottl::filter(executor, batch, level),
        _ => Ok(()),
    }
}

fn route(w: &mut Work) -> Result<(), BatchError> {
    if let Some(batch) = &mut w.batch {
        black_box(routing::run(&mut w.routes, batch)?);
    }
    Ok(())
}
