//! `trunkline test`: runs the cases that a user keeps beside a configuration through its pipelines
//! and processors, for their own checks before a change is rolled out. Cases are read in `cases`,
//! played in `play`, judged in `judge`; `update` writes what came out into the file.

mod cases;
mod judge;
mod play;
#[cfg(test)]
mod tests;
mod update;

use std::{ffi::OsString, fmt::Write as _, io::Write, path::PathBuf};

use self::{cases::File, judge::judge, play::play};
use super::{
    diff::Paint,
    flags::{Flag, Flags},
};
use crate::config::{Gates, Load, Settings, source::process_environment};

const HELP: &str = "\
Runs test cases through the pipelines and processors of a configuration. Nothing is received or
sent: in place of the exporters something only takes notes. See docs/testing.md.

Usage:
  trunkline test [flags] CONFIG...

Flags:
  --cases FILE            The cases (else beside the first CONFIG: config.test.yaml for config.yaml)
  --case NAME             Only the cases whose names hold this; repeatable
  --update                Write what came out as what is expected, after showing the difference
  --set a.b=c             Sets a key of the configuration after all files; repeatable
  --feature-gates LIST    Feature gates, separated by commas
  --color WHEN            auto, always or never
  -h, --help              This text
";

const FLAGS: &[&str] = &[
    "cases",
    "case",
    "update",
    "set",
    "feature-gates",
    "color",
    "help",
];

#[derive(Debug, Default)]
struct Options {
    configs: Vec<String>,
    sets: Vec<String>,
    gates: Gates,
    cases: Option<PathBuf>,
    names: Vec<String>,
    update: bool,
    colour: Option<bool>,
    help: bool,
}

impl Options {
    fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Options, String> {
        let mut options = Options::default();
        let mut flags = Flags::new(arguments, FLAGS);
        while let Some(flag) = flags.next()? {
            let name = match flag {
                Flag::Named(name) => name,
                Flag::Other(config) => {
                    options.configs.push(config);
                    continue;
                }
            };
            match name.as_str() {
                "cases" => options.cases = Some(flags.value(&name)?.into()),
                "case" => options.names.push(flags.value(&name)?),
                "update" => options.update = true,
                "set" => options.sets.push(flags.value(&name)?),
                "feature-gates" => flags.gates(&name, &mut options.gates)?,
                "color" => options.colour = flags.colour(&name)?,
                _ => options.help = true,
            }
        }
        match options.configs.is_empty() && !options.help {
            true => Err("say which configuration: trunkline test config.yaml".to_owned()),
            false => Ok(options),
        }
    }

    /// The file of cases.
    fn file(&self) -> Result<PathBuf, String> {
        if let Some(file) = &self.cases {
            return Ok(file.clone());
        }
        let first = self.configs.first().map(String::as_str).unwrap_or_default();
        let path = first.strip_prefix("file:").unwrap_or(first);
        let stem = [".yaml", ".yml"]
            .iter()
            .find_map(|end| path.strip_suffix(end));
        match stem {
            Some(stem) => Ok(format!("{stem}.test.yaml").into()),
            None => Err(format!(
                "say where the cases for {first:?} are, with --cases"
            )),
        }
    }
}

/// Does what the arguments behind `test` say. `terminal`: standard output is one.
///
/// # Errors
/// What is wrong with the arguments, the configuration or the cases, as text; and that cases
/// failed.
pub(super) fn run(
    arguments: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    terminal: bool,
) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    let paint = Paint(options.colour.unwrap_or(terminal));
    let mut say = |text: &str| {
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.map_err(|e| format!("cannot write to standard output: {e}"))
    };
    if options.help {
        return say(HELP);
    }
    let path = options.file()?;
    let settings = Settings::load(&Load {
        configs: options.configs.clone(),
        sets: options.sets.clone(),
        gates: options.gates.clone(),
        data_dir: "./trunkline-data".into(),
        environment: process_environment,
    });
    let settings = settings.map_err(|e| e.text(true))?;
    let file = File::read(&path)?;
    let wanted = |name: &str| {
        options
            .names
            .iter()
            .any(|part| name.contains(part.as_str()))
    };
    let (mut passed, mut failed, mut updated) = (0, 0, 0);
    let mut changes = Vec::new();
    for case in &file.cases {
        if !options.names.is_empty() && !wanted(&case.name) {
            continue;
        }
        let played = play(&settings, &case.way, case.input.clone(), &case.metadata)
            .map_err(|text| format!("{}: {}: {text}", case.node.at, case.name))?;
        let misses = judge(case, &played, paint)?;
        if misses.is_empty() {
            passed += 1;
            say(&format!("{} {}\n", paint.green("ok  "), case.name))?;
            continue;
        }
        let mut text = format!("{} {} ({})\n", paint.red("FAIL"), case.name, case.node.at);
        for miss in &misses {
            for line in miss.text.lines() {
                let _ = writeln!(text, "     {line}");
            }
        }
        say(&text)?;
        // What a sender is told is not written anew.
        let refused = misses.iter().any(|miss| miss.key == "refused");
        match options.update && !refused {
            true => {
                updated += 1;
                changes.extend(update::changes(&file.text, case, &misses, &played)?);
            }
            false => failed += 1,
        }
    }
    if updated > 0 {
        let text = update::apply(&file.text, changes);
        std::fs::write(&file.path, text)
            .map_err(|e| format!("cannot write {}: {e}", file.path.display()))?;
    }
    let mut sums = vec![format!("{passed} passed")];
    if updated > 0 {
        sums.push(format!("{updated} updated"));
    }
    sums.push(format!("{failed} failed"));
    say(&format!("{}\n", sums.join(", ")))?;
    match (passed + updated + failed, failed) {
        (0, _) => Err(format!("no case is called like {:?}", options.names)),
        (_, 0) => Ok(()),
        (all, failed) => Err(format!("{failed} of {all} cases failed")),
    }
}
