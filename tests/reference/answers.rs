//! The two that are asked: the reference, a process that answers line by line
//! (`tests/ottl/answer`), and the row evaluator, whose answers are written in the same form.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

use trunkline_ottl::{
    Compiler,
    contexts::Context,
    functions::Host,
    go::{sprintf::sprintf, text::as_text, zone::Zone},
    value::{Value, json as value_json},
};
use trunkline_proto::{Batch, Signal, json};

#[path = "../ottl/case.rs"]
mod case;

/// What cases run on: the first item of a request in OTLP/JSON.
#[derive(Clone, Debug)]
pub struct Input {
    /// What the item is.
    pub context: Context,
    /// The request, in one line.
    pub json: String,
}

impl Input {
    fn signal(&self) -> Signal {
        match self.context {
            Context::Span => Signal::Traces,
            Context::DataPoint => Signal::Metrics,
            _ => Signal::Logs,
        }
    }

    fn batch(&self) -> Batch {
        let mut bytes = self.json.clone().into_bytes();
        let request = json::to_protobuf(self.signal(), &mut bytes).unwrap();
        Batch::from_protobuf(self.signal(), request).unwrap()
    }
}

/// The running reference; it is started anew after a case that ends it.
pub struct Reference {
    program: PathBuf,
    child: Child,
    lines: Receiver<String>,
    input: String,
}

/// How long one case may take. Some never end in the reference.
const PATIENCE: Duration = Duration::from_secs(20);

impl Reference {
    /// Starts it.
    pub fn start(program: &Path) -> Reference {
        let (child, lines) = spawn(program);
        Reference {
            program: program.to_owned(),
            child,
            lines,
            input: String::new(),
        }
    }

    /// Says what the following cases run on.
    pub fn input(&mut self, input: &Input) {
        self.input = format!("i {}\n", input.json);
        self.write(&self.input.clone());
    }

    /// What it says to a case; nothing where it ended, or would not.
    pub fn ask(&mut self, case: &str) -> Option<String> {
        self.write(&format!("{case}\n"));
        match self.lines.recv_timeout(PATIENCE) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let _ = self.child.kill();
                let _ = self.child.wait();
                (self.child, self.lines) = spawn(&self.program);
                self.write(&self.input.clone());
                None
            }
        }
    }

    fn write(&mut self, line: &str) {
        let pipe = self.child.stdin.as_mut().unwrap();
        // Where it has ended already the answer is missed, which tells.
        let _ = pipe.write_all(line.as_bytes());
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &Path) -> (Child, Receiver<String>) {
    let mut child = Command::new(program)
        .env("TZ", "UTC")
        .env("GOMEMLIMIT", "1GiB")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (sender, lines) = channel();
    let out: ChildStdout = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut line = Vec::new();
        while out.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
            let text = String::from_utf8_lossy(&line);
            if sender.send(text.trim_end_matches('\n').to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    (child, lines)
}

/// What the row evaluator says to a case.
pub fn ours(input: &Input, case: &str) -> String {
    let (kind, text) = case.split_once(' ').unwrap();
    let context = input.context;
    let compiler = Compiler::new(Host::Library, &[context]).in_context(context);
    let mut batch = input.batch();
    let given = case::give(&compiler, context, &mut batch, kind, text);
    given.text(show).unwrap_or_else(|| {
        let failed = matches!(&given, case::Given::Ran(failed) if failed.contains(&true));
        let mut out = if failed {
            b"ERROR ".to_vec()
        } else {
            Vec::new()
        };
        json::from_protobuf(input.signal(), &batch.to_protobuf(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    })
}

/// What the compiler says of a case; nothing where it takes it.
pub fn refusal(input: &Input, case: &str) -> String {
    let (kind, text) = case.split_once(' ').unwrap();
    let compiler = Compiler::new(Host::Library, &[input.context]).in_context(input.context);
    let refused = match kind {
        "v" => compiler.value(text).err(),
        "c" => compiler.condition(text).err(),
        _ => {
            let statements: Vec<&str> = text.split(";;").collect();
            compiler.statements(&statements, &[]).err()
        }
    };
    refused.map_or_else(String::new, |refused| refused.to_string())
}

/// A value as the reference's program shows it.
fn show(value: &Value) -> String {
    let printed = |verb: &str| {
        let text = sprintf(verb.as_bytes(), std::slice::from_ref(value)).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    };
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let json = || {
        let mut out = Vec::new();
        value_json::write(value, &mut out).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    };
    match value {
        Value::Nil => "nil".to_owned(),
        Value::String(_) => printed("%q"),
        Value::Bytes(bytes) => format!("0x{}", hex(bytes)),
        Value::Float(_) => {
            let text = printed("%v");
            match text.contains(['.', 'e', 'I', 'N']) {
                true => text,
                false => format!("{text}.0"),
            }
        }
        Value::Duration(nanos) => format!("{nanos}ns"),
        Value::Time(time) => time.told_in(Zone::Utc).rfc3339().unwrap_or_default(),
        Value::TraceId(id) => format!("trace:{}", hex(id)),
        Value::SpanId(id) => format!("span:{}", hex(id)),
        Value::Typed(items) if items.name() == "[]string" => format!("[]string{}", json()),
        Value::Typed(_) => printed("%v"),
        Value::Map(any) | Value::Slice(any) => {
            let mut out = Vec::new();
            as_text(&trunkline_proto::batch::Value::read(any).unwrap(), &mut out);
            String::from_utf8_lossy(&out).into_owned()
        }
        Value::RawMap(_) | Value::List(_) => {
            let mut any = Vec::new();
            match value.encode(&mut any) {
                Ok(()) => show(&Value::Map(any.into())),
                Err(_) => printed("%v"),
            }
        }
        Value::Part(..) => "part".to_owned(),
        _ => json(),
    }
}
