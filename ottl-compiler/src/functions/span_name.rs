//! `set_semconv_span_name`: names of spans as the semantic conventions make them, from attributes
//! of their kind, old names of attributes included.

use trunkline_proto::batch::{
    AttributeEdit, Data, Field, FieldValue, Level, Selection, Source, Value as Any, When,
};

use crate::{
    contexts::Context,
    failure::Failure,
    go::text::as_text,
    program::{Args, Argument},
    run::Row,
    value::Value,
};

/// `set_semconv_span_name(semconv_version, original_span_name_attribute?)`
pub(super) fn set_semconv_span_name(row: &mut Row<'_>, args: &Args<'_>) -> Result<(), Failure> {
    let (level, span) = row.place(Context::Span)?;
    let data = row.data();
    let kind = match data.field(level, span, Field::Kind)? {
        Some(FieldValue::Int(kind)) => kind,
        _ => 0,
    };
    let old = match data.field(level, span, Field::Name)? {
        Some(FieldValue::Bytes(name)) => name.to_vec(),
        _ => Vec::new(),
    };
    let mut attributes = Attributes { data, span };
    let Some(name) = attributes.name(kind)?.filter(|name| *name != old) else {
        return Ok(());
    };
    data.set_field(level, span, Field::Name, Some(FieldValue::Bytes(&name)))?;
    if let Some(key) = args.text_or_none(1)? {
        let edit = AttributeEdit::Set {
            key,
            value: Source::Value(Any::String(&old)),
            when: When::Always,
        };
        data.edit_attributes(level, Selection::Rows(&[span]), &[edit])?;
    }
    Ok(())
}

/// The version must be one whose rules these are.
pub(super) fn check_version(args: &[Argument]) -> Result<(), String> {
    if let Some(Value::String(text)) = args.first().and_then(Argument::literal) {
        let text = String::from_utf8_lossy(text);
        let Some((version, is_early)) = version(&text) else {
            return Err(format!(
                "failed to parse semconv version {text:?}: invalid semantic version"
            ));
        };
        // What comes before a version is less than it.
        let too_low = version < [1, 37, 0] || version == [1, 37, 0] && is_early;
        if too_low || version > [1, 43, 0] {
            return Err(format!(
                "unsupported semconv version {text:?}: must be between 1.37.0 and 1.43.0"
            ));
        }
    }
    match args.get(1).and_then(Argument::literal) {
        Some(Value::String(key)) if key.is_empty() => {
            Err("originalSpanNameAttribute cannot be an empty string".to_owned())
        }
        _ => Ok(()),
    }
}

/// The numbers of a version, of which the last may be missing, and whether it comes before its
/// release.
fn version(text: &str) -> Option<([u64; 3], bool)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = text
        .split_once('+')
        .map_or((text, None), |(a, b)| (a, Some(b)));
    let (core, early) = text
        .split_once('-')
        .map_or((text, None), |(a, b)| (a, Some(b)));
    let identifiers = |text: &str| {
        text.split('.').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
    };
    if !early.is_none_or(identifiers) || !build.is_none_or(identifiers) {
        return None;
    }
    let mut numbers = [0; 3];
    let mut slots = numbers.iter_mut();
    for part in core.split('.') {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *slots.next()? = part.parse().ok()?;
    }
    Some((numbers, early.is_some()))
}

/// The attributes of a span, as texts.
struct Attributes<'d> {
    data: &'d mut Data,
    span: u32,
}

type Found = Result<Option<Vec<u8>>, Failure>;

impl Attributes<'_> {
    /// The name of a span of this kind, if some convention says it.
    fn name(&mut self, kind: i64) -> Found {
        const SERVER: i64 = 2;
        const CLIENT: i64 = 3;
        const PRODUCER: i64 = 4;
        const CONSUMER: i64 = 5;
        // An empty name counts as none.
        let some = |found: Option<Vec<u8>>| found.filter(|name| !name.is_empty());
        let subject = match kind {
            SERVER => "http.route",
            CLIENT => "url.template",
            PRODUCER | CONSUMER => return Ok(some(self.messaging()?)),
            _ => return Ok(None),
        };
        if let Some(name) = some(self.http(subject)?) {
            return Ok(Some(name));
        }
        if let Some(name) = some(self.rpc()?) {
            return Ok(Some(name));
        }
        if kind == CLIENT
            && let Some(name) = some(self.database()?)
        {
            return Ok(Some(name));
        }
        Ok(some(self.messaging()?))
    }

    fn text(&mut self, key: &str) -> Found {
        let value = self
            .data
            .attribute(Level::Item, self.span, key.as_bytes())?;
        Ok(value.map(|value| {
            let mut text = Vec::new();
            as_text(&value, &mut text);
            text
        }))
    }

    /// Under its name, or else the one it had.
    fn either(&mut self, key: &str, old: &str) -> Found {
        match self.text(key)? {
            Some(text) => Ok(Some(text)),
            None => self.text(old),
        }
    }

    fn is_true(&mut self, key: &str) -> Result<bool, Failure> {
        let value = self
            .data
            .attribute(Level::Item, self.span, key.as_bytes())?;
        Ok(matches!(value, Some(Any::Bool(true))))
    }

    /// <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>
    fn http(&mut self, subject: &str) -> Found {
        let Some(method) = self.either("http.request.method", "http.method")? else {
            return Ok(None);
        };
        Ok(Some(match self.text(subject)? {
            Some(subject) => [method, subject].join(&b' '),
            None => method,
        }))
    }

    /// <https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans/>
    fn rpc(&mut self) -> Found {
        let Some(system) = self.either("rpc.system.name", "rpc.system")? else {
            return Ok(None);
        };
        let method = self.either("rpc.method", "rpc.grpc.method")?;
        let service = self.either("rpc.service", "rpc.grpc.service")?;
        Ok(Some(match (service, method) {
            (Some(service), Some(method)) => [service, method].join(&b'/'),
            (None, Some(method)) => method,
            (Some(service), None) => [service, b"*".to_vec()].join(&b'/'),
            (None, None) => system,
        }))
    }

    /// <https://opentelemetry.io/docs/specs/semconv/database/database-spans/>
    fn database(&mut self) -> Found {
        let Some(system) = self.either("db.system.name", "db.system")? else {
            return Ok(None);
        };
        if let Some(summary) = self.text("db.query.summary")? {
            return Ok(Some(summary));
        }
        let operation = self.either("db.operation.name", "db.operation")?;
        let target = self.database_target()?;
        let parts: Vec<Vec<u8>> = [operation, target]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        Ok(Some(match parts.is_empty() {
            true => system,
            false => parts.join(&b' '),
        }))
    }

    fn database_target(&mut self) -> Found {
        let namespace = self.either("db.namespace", "db.name")?;
        let namespace = namespace.filter(|namespace| !namespace.is_empty());
        let within = match self.text("db.collection.name")? {
            None => self.text("db.stored_procedure.name")?,
            found => found,
        };
        Ok(match (namespace, within) {
            (Some(namespace), Some(within)) => Some([namespace, within].join(&b'.')),
            (None, Some(within)) => Some(within),
            (Some(namespace), None) => Some(namespace),
            (None, None) => self.server()?,
        })
    }

    fn server(&mut self) -> Found {
        let Some(address) = self.text("server.address")? else {
            return Ok(None);
        };
        Ok(Some(match self.text("server.port")? {
            Some(port) => [address, port].join(&b':'),
            None => address,
        }))
    }

    /// <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#span-name>
    fn messaging(&mut self) -> Found {
        let Some(system) = self.text("messaging.system")? else {
            return Ok(None);
        };
        let operation = self.either("messaging.operation.name", "messaging.operation")?;
        let destination = self.destination()?;
        let destination = destination.filter(|destination| !destination.is_empty());
        Ok(Some(match (operation, destination) {
            (Some(operation), Some(destination)) => [operation, destination].join(&b' '),
            (None, Some(destination)) => destination,
            (Some(operation), None) => operation,
            (None, None) => system,
        }))
    }

    fn destination(&mut self) -> Found {
        if self.is_true("messaging.destination.temporary")? {
            return Ok(Some(b"(temporary)".to_vec()));
        }
        if self.is_true("messaging.destination.anonymous")? {
            return Ok(Some(b"(anonymous)".to_vec()));
        }
        if let Some(template) = self.text("messaging.destination.template")? {
            return Ok(Some(template));
        }
        match self.either("messaging.destination.name", "messaging.destination")? {
            Some(name) => Ok(Some(name)),
            None => self.server(),
        }
    }
}
