//! Starts processes of this test program, each of which runs one ignored test, and kills them.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The environment variables with the database and the random seed of a writer.
pub(crate) const TARGET: &str = "EVENTED_CRASH_TARGET";
pub(crate) const SEED: &str = "EVENTED_CRASH_SEED";
/// The lines that a writer prints before and after each operation.
pub(crate) const BEGUN: &str = "evented begun";
pub(crate) const DONE: &str = "evented done";

/// Pseudo-random numbers that are the same in each run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// How a writer ended.
#[derive(Debug)]
pub(crate) struct Kill {
    /// How many operations the writer had completed.
    pub(crate) done: usize,
    /// Whether the writer was within an operation.
    pub(crate) within: bool,
}

/// Returns the command for a process of this program that runs only one ignored test. `path` is the path of the test,
/// which begins with `module_path!()`.
pub(crate) fn ignored_test(path: &str) -> Command {
    // The name of the program is not part of a test's name.
    let (_, test) = path.split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

/// Runs a writer, which is an ignored test of this program, and kills it at a random point.
pub(crate) fn kill_a_writer(test: &str, target: &str, dice: &mut Dice) -> Kill {
    let mut child = ignored_test(test)
        .env(TARGET, target)
        .env(SEED, dice.below(u64::MAX).to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    // First choose an operation at random, and then a point within it.
    let operations = dice.below(25);
    let mut begun = 0;
    let mut done = 0;
    for line in said.by_ref() {
        begun += usize::from(line.ends_with(BEGUN));
        done += usize::from(line.ends_with(DONE));
        if begun as u64 > operations {
            break;
        }
    }
    std::thread::sleep(Duration::from_micros(dice.below(2_000)));
    child.kill().unwrap();
    for line in said {
        begun += usize::from(line.ends_with(BEGUN));
        done += usize::from(line.ends_with(DONE));
    }
    let output = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_none(), "the writer ended by itself: {}\n{words}", output.status);
    assert!(begun > 0, "the writer did nothing: {words}");
    Kill { done, within: begun > done }
}
