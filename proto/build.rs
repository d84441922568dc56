//! Generates the OTLP message types from the .proto files that ship in the source of
//! the `opentelemetry-proto` crate, with a compiler written in Rust: no `protoc` needed.

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::Command,
};

const PACKAGE: &str = "opentelemetry-proto";
const FOLDER: &str = "src/proto/opentelemetry-proto";
const FILES: [&str; 4] = [
    "opentelemetry/proto/collector/trace/v1/trace_service.proto",
    "opentelemetry/proto/collector/metrics/v1/metrics_service.proto",
    "opentelemetry/proto/collector/logs/v1/logs_service.proto",
    "opentelemetry/proto/collector/profiles/v1development/profiles_service.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let root = package_folder()?.join(FOLDER);
    if !root.join(FILES[0]).is_file() {
        return Err(format!("{} has no {}", root.display(), FILES[0]).into());
    }
    let descriptors = protox::compile(FILES.map(|file| root.join(file)), [&root])?;
    prost_build::Config::new()
        .disable_comments(["."])
        .include_file("otlp.rs")
        .compile_fds(descriptors)?;
    Ok(())
}

/// Where cargo keeps the source of the package: in a registry, a vendor folder or a
/// checkout. Asked offline first; a machine that has not fetched every package of the
/// workspace yet is asked again with the network allowed.
fn package_folder() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = env::var("CARGO")?;
    let manifest = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("Cargo.toml");
    let target = env::var("TARGET")?;
    let mut complaint = String::new();
    for offline in [true, false] {
        let mut command = Command::new(&cargo);
        command
            .args([
                "metadata",
                "--format-version",
                "1",
                "--filter-platform",
                &target,
            ])
            .arg("--manifest-path")
            .arg(&manifest);
        if offline {
            command.arg("--offline");
        }
        let output = command.output()?;
        if !output.status.success() {
            complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            continue;
        }
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let manifest = metadata["packages"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|package| package["name"] == PACKAGE)
            .and_then(|package| package["manifest_path"].as_str())
            .ok_or_else(|| format!("cargo metadata does not list {PACKAGE}"))?;
        let folder = Path::new(manifest)
            .parent()
            .ok_or("a manifest without a folder")?;
        return Ok(folder.to_path_buf());
    }
    Err(format!("cargo metadata failed: {complaint}").into())
}
