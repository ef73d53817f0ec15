//! How far a long command has come, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error; none where that is no terminal.
#[derive(Debug, Clone)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Counts what has been read, without knowing how much there is.
    pub(super) fn counting(what: String) -> Self {
        Self::styled(
            ProgressBar::new_spinner(),
            "{spinner} {prefix}: {human_pos} read, {elapsed} {msg}",
            what,
        )
    }

    /// On the way to a number of rows that is known.
    pub(super) fn to(rows: u64, what: String) -> Self {
        Self::styled(
            ProgressBar::new(rows),
            "{prefix} {wide_bar} {human_pos}/{human_len} rows, {eta} left",
            what,
        )
    }

    fn styled(bar: ProgressBar, template: &'static str, what: String) -> Self {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(bar.with_style(style).with_prefix(what))
    }

    /// So many more.
    pub(super) fn add(&self, count: u64) {
        self.0.inc(count);
    }

    /// So many in all.
    pub(super) fn reach(&self, count: u64, message: String) {
        self.0.set_message(message);
        self.0.set_position(count);
    }

    /// How many there have been, and takes the bar away.
    pub(super) fn end(&self) -> u64 {
        self.0.finish_and_clear();
        self.0.position()
    }

    /// Redraws while a statement takes long.
    pub(super) fn ticking(self) -> Self {
        // A hidden bar needs no thread that draws it.
        if !self.0.is_hidden() {
            self.0.enable_steady_tick(Duration::from_millis(200));
        }
        self
    }
}
