//! Prints the table of ratios, and writes it for scripts.

use std::path::Path;
use std::time::Duration;

use comfy_table::Table;
use serde::Serialize;

use crate::measure::Ratio;

/// Everything measured so far.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    notes: Vec<String>,
}

/// One comparison.
#[derive(Serialize)]
struct Row {
    name: String,
    ratio: f64,
    target: f64,
    direction: &'static str,
    #[serde(skip)]
    detail: String,
}

impl Report {
    /// Adds a time that should be at most `target` times the baseline's time. `operations` is the number of operations
    /// that the times are for.
    pub(crate) fn at_most(&mut self, name: &str, target: f64, ratio: &Ratio, operations: u32) {
        self.row(name, ratio.median, target, "at most", detail(ratio, operations));
    }

    /// Adds a rate that should be at least `target` times the baseline's rate.
    pub(crate) fn at_least(&mut self, name: &str, target: f64, ratio: &Ratio, operations: u32) {
        self.row(name, 1.0 / ratio.median, target, "at least", detail(ratio, operations));
    }

    pub(crate) fn row(
        &mut self,
        name: &str,
        ratio: f64,
        target: f64,
        direction: &'static str,
        detail: String,
    ) {
        eprintln!("{name}: {ratio:.2} ({direction} {target}) {detail}");
        let ratio = (ratio * 1_000.0).round() / 1_000.0;
        self.rows.push(Row { name: name.to_owned(), ratio, target, direction, detail });
    }

    /// Adds a note without a target.
    pub(crate) fn note(&mut self, text: String) {
        eprintln!("{text}");
        self.notes.push(text);
    }

    pub(crate) fn print(&self) {
        let mut table = Table::new();
        table.set_header(["comparison", "ratio", "target", "", "ours / baseline, spread of the rounds"]);
        for row in &self.rows {
            let met =
                if row.direction == "at most" { row.ratio <= row.target } else { row.ratio >= row.target };
            table.add_row([
                row.name.clone(),
                format!("{:.2}", row.ratio),
                format!("{} {}", row.direction, row.target),
                if met { "met" } else { "missed" }.to_owned(),
                row.detail.clone(),
            ]);
        }
        println!("{table}");
        for note in &self.notes {
            println!("{note}");
        }
    }

    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        std::fs::write(file, serde_json::to_string_pretty(&self.rows)?)?;
        Ok(())
    }
}

fn detail(ratio: &Ratio, operations: u32) -> String {
    let each = |time: Duration| time / operations;
    let (ours, baseline) = ratio.times;
    let (low, high) = ratio.spread;
    let (best_ours, best_baseline) = ratio.best;
    format!(
        "{:.1?} / {:.1?}, {low:.2} to {high:.2}, best {:.1?} / {:.1?}",
        each(ours),
        each(baseline),
        each(best_ours),
        each(best_baseline)
    )
}
