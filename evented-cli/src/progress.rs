//! Shows the progress of a long command on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar on standard error; hidden if that is not a terminal.
#[derive(Debug, Clone)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Creates a bar that counts rows without a known total.
    pub(super) fn counting(what: String) -> Self {
        Self::styled(
            ProgressBar::new_spinner(),
            "{spinner} {prefix}: {human_pos} read, {elapsed} {msg}",
            what,
        )
    }

    /// Creates a bar that shows how long one statement takes.
    #[cfg(feature = "react")]
    pub(super) fn waiting(what: String) -> Self {
        Self::styled(ProgressBar::new_spinner(), "{spinner} {prefix}: {elapsed}", what)
    }

    /// Creates a bar with a known total of rows.
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

    /// Adds `count` to the progress.
    pub(super) fn add(&self, count: u64) {
        self.0.inc(count);
    }

    /// Sets the progress to `count`.
    pub(super) fn reach(&self, count: u64, message: String) {
        self.0.set_message(message);
        self.0.set_position(count);
    }

    /// Removes the bar, and returns the final count.
    pub(super) fn end(&self) -> u64 {
        self.0.finish_and_clear();
        self.0.position()
    }

    /// Redraws the bar periodically, also while one statement takes long.
    pub(super) fn ticking(self) -> Self {
        // A hidden bar needs no thread to draw it.
        if !self.0.is_hidden() {
            self.0.enable_steady_tick(Duration::from_millis(200));
        }
        self
    }
}
