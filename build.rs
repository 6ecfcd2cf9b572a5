//! Finds the commit that is built, for `fk-doctor --version`.
#![allow(clippy::print_stdout, reason = "a build script speaks to Cargo on standard output")]

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=FK_DOCTOR_COMMIT");
    println!("cargo::rustc-env=FK_DOCTOR_COMMIT={}", commit());
}

fn commit() -> String {
    if let Ok(given) = std::env::var("FK_DOCTOR_COMMIT") {
        return given;
    }
    // A package can lie in a repository of somebody else.
    if let Some(commit) = of_package() {
        return commit;
    }
    // A development build would be compiled again after each commit.
    if std::env::var("PROFILE").is_ok_and(|profile| profile != "release") {
        return "unknown (development build)".to_owned();
    }
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Returns the commit that `cargo publish` recorded in the package.
fn of_package() -> Option<String> {
    let record = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = record.split_once("\"sha1\": \"")?;
    rest.get(..12).map(str::to_owned)
}
