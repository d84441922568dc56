//! Finding the programs under test. cargo tells a test where the binaries of
//! its own package are, not those of another one, so the gateway is built here
//! once by cargo itself, with the profile and into the folder that this test
//! was built with. `TRUNKLINE_BIN` names another binary to test.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// The folder of this profile in the target folder, such as `target/debug`.
fn profile_folder() -> PathBuf {
    // target/<profile>/deps/<test>
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_path_buf()
}

/// cargo's target folder.
pub fn target() -> PathBuf {
    profile_folder().parent().unwrap().to_path_buf()
}

/// The `trunkline` binary.
///
/// # Panics
/// When it cannot be built.
pub fn trunkline() -> &'static Path {
    // A failure is kept too, so that not every test builds again to see it.
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT
        .get_or_init(|| match std::env::var_os("TRUNKLINE_BIN") {
            Some(given) => Some(PathBuf::from(given)),
            None => build(),
        })
        .as_deref()
        .expect("the gateway does not build")
}

fn build() -> Option<PathBuf> {
    let folder = profile_folder();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(workspace())
        // Of the whole workspace, so that libraries have the features that `cargo test` built them with.
        .args(["build", "--quiet", "--workspace", "--bin", "trunkline"])
        .args(["--profile", profile])
        .arg("--target-dir")
        .arg(target())
        .status()
        .unwrap();
    built.success().then(|| folder.join("trunkline"))
}
