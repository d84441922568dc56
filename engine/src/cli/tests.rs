//! Command lines, and what is said to them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn say(arguments: &[&str]) -> Result<String, String> {
    let run: Runner = |settings, options| {
        Err(format!(
            "ran {} pipelines, {:?}, {:?} cores, {}",
            settings.service.pipelines.len(),
            options.runtime,
            options.cores,
            options.data_dir.display()
        ))
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = arguments.iter().map(OsString::from);
    execute(arguments, run, &mut out, &mut err)?;
    Ok(String::from_utf8(out).unwrap())
}

const VALID: &str = "--config=yaml:{receivers: {nop: }, exporters: {nop: }, service: {pipelines: {logs: {receivers: [nop], exporters: [nop]}}}}";

#[test]
fn flags_are_read_as_pflag_reads_them() {
    for (arguments, result) in [
        (&["--zork"][..], "unknown flag: --zork"),
        (
            &["--confg", "a"],
            "unknown flag: --confg (did you mean --config?)",
        ),
        (&["-x"], "unknown shorthand flag: 'x' in -x"),
        (&["--config"], "flag needs an argument: --config"),
        (
            &["--set", "x"],
            "invalid argument \"x\" for \"--set\" flag: missing equal sign",
        ),
        (
            &["--cores=0"],
            "invalid argument \"0\" for \"--cores\" flag: a number from 1 to 1024 is needed",
        ),
        (
            &["--runtime", "kqueue"],
            "invalid argument \"kqueue\" for \"--runtime\" flag: runtimes are: auto, io_uring, epoll",
        ),
        (
            &["foo"],
            "unknown command \"foo\" for \"trunkline\"\n\nRun 'trunkline --help' for usage.",
        ),
        (&["--mode", "x"], "unknown flag: --mode"),
        (
            &["print-config", "--mode=x", VALID],
            "invalid mode \"x\": modes are: redacted, unredacted",
        ),
        (
            &["print-config", "--format", "toml", VALID],
            "unrecognized print format: toml",
        ),
        (
            &["validate", "--config", "nope.yaml"],
            "failed to get config: cannot resolve the configuration: cannot retrieve the configuration: unable to read the file file:nope.yaml: open nope.yaml: no such file or directory",
        ),
        (
            &["--data-dir", "/d", "--cores", "2", "--runtime=epoll"],
            "ran 4 pipelines, Epoll, Some(2) cores, /d",
        ),
        (
            &["run", "--data-dir=/d", VALID],
            "ran 1 pipelines, Auto, None cores, /d",
        ),
    ] {
        assert_eq!(say(arguments).unwrap_err(), result, "{arguments:?}");
    }
    let error = say(&["--feature-gates=+nope"]).unwrap_err();
    assert!(
        error.starts_with("invalid argument \"+nope\" for \"--feature-gates\" flag: no such feature gate \"nope\". valid gates: ["),
        "{error}"
    );
}

#[test]
fn commands_say_what_they_are_asked() {
    assert_eq!(
        say(&["--version"]).unwrap(),
        format!("trunkline version {VERSION}\n")
    );
    assert_eq!(say(&["validate", VALID]).unwrap(), "");
    let components = say(&["components"]).unwrap();
    for line in [
        "exporters:\n    - name: debug\n",
        "    - name: otlp_grpc\n",
        "        traces: Stable\n",
        "    - name: health_check\n",
        "        extension: Alpha\n",
        "providers:\n    - scheme: env\n",
    ] {
        assert!(
            components.contains(line),
            "{line:?} is not in:\n{components}"
        );
    }
    assert!(!components.contains("name: otlphttp"));
    let gates = say(&["featuregate", "--feature-gates=service.profilesSupport"]).unwrap();
    assert!(gates.contains("service.profilesSupport"));
    assert!(
        say(&["featuregate", "service.profilesSupport"])
            .unwrap()
            .contains("Enabled: false")
    );
    let schema: serde_json::Value = serde_json::from_str(&say(&["schema"]).unwrap()).unwrap();
    assert!(schema["properties"]["receivers"].is_object());
    let json = say(&["print-config", "--format=json", VALID]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json["service"]["telemetry"]["logs"]["sampling"]["tick"],
        10_000_000_000_i64
    );
    assert!(
        say(&["print-config", VALID])
            .unwrap()
            .contains("                tick: 10s\n")
    );
    assert!(say(&["help"]).unwrap().contains("--config URI"));
}
