//! Tests the compiler's messages for wrong uses: each file in `ui/` is one case, and the `.stderr` beside it has the
//! message.
//!
//! ```text
//! cargo test -p evented-compile-tests                       # with rustup, in any folder, with any compiler
//! EVENTED_CASE=keys/ cargo test -p evented-compile-tests    # the cases whose paths contain this
//! EVENTED_RECORD=1 cargo test -p evented-compile-tests      # writes the messages instead of comparing them
//! ```
//!
//! The messages are those of one version of the compiler, which `rust-toolchain.toml` names. The test builds the crates
//! that the cases use once, as `cargo check` does. Each case is then one call of `rustc`.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod normal;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use similar::TextDiff;

/// The crates that cases name.
const CRATES: [&str; 8] =
    ["chrono", "diesel", "diesel_async", "evented_diesel", "evented_feed", "evented_live", "serde", "uuid"];

/// The version of Rust whose messages are recorded.
fn recorded() -> &'static str {
    let file = include_str!("../../rust-toolchain.toml");
    let recorded = file.lines().find_map(|line| line.strip_prefix("channel = ")).expect("a channel");
    recorded.trim_matches('"')
}

/// The version that `rustc` prints.
fn version(mut rustc: Command) -> String {
    let output = rustc.arg("--version").output().expect("a compiler");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn is_recorded(version: &str) -> bool {
    version.starts_with(&format!("rustc {} ", recorded()))
}

/// Whether the compiler that this test was started with is the recorded one already. Then nothing needs to be installed,
/// whatever its toolchain is called.
fn is_running_recorded() -> bool {
    static IS_RECORDED: LazyLock<bool> = LazyLock::new(|| is_recorded(&version(Command::new("rustc"))));
    *IS_RECORDED
}

/// A program of the recorded compiler: that of the running toolchain, or the one that rustup takes by
/// `rust-toolchain.toml` in the folder of this package.
fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    if !is_running_recorded() {
        // Cargo passes the compiler that it was itself started with on by these variables.
        for variable in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUSTDOC"] {
            command.env_remove(variable);
        }
    }
    command
}

/// The compiler itself. It runs in the root of the workspace, as cargo does it: the sources of the library, from which it
/// quotes, are found there.
fn compiler() -> PathBuf {
    let output = tool("rustc").args(["--print", "sysroot"]).output().expect("a compiler");
    Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("bin/rustc")
}

/// The root of the workspace, and the way from there to this package.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR").trim_end_matches(PACKAGE))
}
const PACKAGE: &str = "tests/compile";

/// Fails unless the compiler is the recorded one.
fn demand_the_recorded_compiler() {
    let (recorded, version) = (recorded(), version(tool("rustc")));
    assert!(
        is_recorded(&version),
        "the messages are those of Rust {recorded}, and the compiler in tests/compile is {}.\n\
         Install rustup (https://rustup.rs): it takes the compiler that tests/compile/rust-toolchain.toml names, and \
         `rustup toolchain install {recorded} --profile minimal` installs it. Without rustup, `rustc` and `cargo` of \
         Rust {recorded} have to be the first ones in PATH.",
        if version.is_empty() { "missing" } else { &version },
    );
}

/// The arguments by which `rustc` finds the crates that cases name.
fn dependencies() -> Vec<OsString> {
    let check = ["check", "--lib", "--features", "cases", "--message-format=json-render-diagnostics"];
    let output = tool("cargo").args(check).stderr(Stdio::inherit()).output().expect("cargo");
    assert!(output.status.success(), "what the cases use does not build");
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let Some(name) = message["target"]["name"].as_str().filter(|name| CRATES.contains(name)) else {
            continue;
        };
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(|file| file.as_str());
        for file in files.filter(|file| file.ends_with(".rmeta")) {
            let before = found.insert(name.to_owned(), file.into());
            assert_eq!(before, None, "two versions of {name}: which one do the cases mean?");
        }
    }
    let mut args = Vec::new();
    for name in CRATES {
        let file = found.get(name).unwrap_or_else(|| panic!("cargo says nothing of {name}"));
        let mut argument = OsString::from(format!("--extern={name}="));
        argument.push(file);
        args.push(argument);
    }
    let folder = found.values().next().and_then(|file| file.parent()).expect("a folder");
    let mut argument = OsString::from("-Ldependency=");
    argument.push(folder);
    args.push(argument);
    args
}

/// The paths of all cases, from the folder of this package on.
fn cases() -> Vec<PathBuf> {
    let wanted = env::var("EVENTED_CASE").unwrap_or_default();
    let mut cases = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for theme in fs::read_dir(root.join("ui")).expect("the folder of cases") {
        for case in fs::read_dir(theme.expect("a folder").path()).expect("a folder") {
            let path = case.expect("a file").path();
            let case = path.strip_prefix(root).expect("a path below the root");
            if path.extension().is_some_and(|it| it == "rs") && case.to_string_lossy().contains(&wanted) {
                cases.push(case.to_owned());
            }
        }
    }
    cases.sort();
    assert!(!cases.is_empty(), "no case has {wanted:?} in its path");
    cases
}

/// What the compiler says of a case; nothing if it has no objections.
fn said(compiler: &Path, case: &Path, number: usize, dependencies: &[OsString]) -> String {
    // The compiler writes the names of long types there, too.
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("case-{number}"));
    let output = Command::new(compiler)
        .current_dir(root())
        .args(["--edition=2024", "--crate-name=case", "--crate-type=bin", "--emit=metadata"])
        .args(["-Adead_code", "--diagnostic-width=140", "--out-dir"])
        .arg(out)
        .args(dependencies)
        .arg(Path::new(PACKAGE).join(case))
        .output()
        .expect("a compiler");
    let said = String::from_utf8_lossy(&output.stderr).replace(&format!("{PACKAGE}/ui/"), "ui/");
    let said = normal::normal(&said, &case.to_string_lossy());
    if output.status.success() { String::new() } else { said }
}

/// What is wrong with a case, if anything is.
fn fault(case: &Path, said: &str) -> Option<String> {
    let name = case.display();
    if said.is_empty() {
        return Some(format!("{name}: the compiler has no objections"));
    }
    if !said.contains("--> ") {
        return Some(format!("{name}: the compiler did not get as far as the case\n{said}"));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(case).with_extension("stderr");
    if env::var_os("EVENTED_RECORD").is_some() {
        fs::write(file, said).expect("a file that can be written");
        return None;
    }
    let recorded = fs::read_to_string(file).unwrap_or_default();
    if recorded == said {
        return None;
    }
    let diff = TextDiff::from_lines(recorded.as_str(), said);
    let diff = diff.unified_diff().header("recorded", "said").to_string();
    Some(format!("{name}: the compiler says something else than recorded\n{diff}"))
}

#[test]
fn the_compiler_says_of_each_wrong_use_what_is_recorded() {
    demand_the_recorded_compiler();
    let (compiler, dependencies, cases) = (compiler(), dependencies(), cases());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut faults = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(number) else { return faults };
            faults.extend(fault(case, &said(&compiler, case, number, &dependencies)));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let faults: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
    });
    println!("{} cases", cases.len());
    assert!(
        faults.is_empty(),
        "{}\n{} of {} cases; `EVENTED_RECORD=1 cargo test -p evented-compile-tests` records what the compiler says now",
        faults.join("\n"),
        faults.len(),
        cases.len()
    );
}
