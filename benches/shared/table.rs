//! The printed table.

use std::io::Write as _;

/// Rows of measurements, in the order of adding.
pub struct Table {
    rows: Vec<Row>,
}

struct Row {
    what: String,
    value: String,
    /// Empty if there is none.
    goal: &'static str,
}

impl Table {
    pub fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a figure; `goal` is empty if there is none.
    pub fn add(&mut self, what: impl Into<String>, value: impl Into<String>, goal: &'static str) {
        self.rows.push(Row { what: what.into(), value: value.into(), goal });
    }

    /// Prints the machine, then all rows in aligned columns.
    pub fn print(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}\n", machine()?)?;
        let what = self.rows.iter().map(|row| row.what.len()).max().unwrap_or_default();
        let value = self.rows.iter().map(|row| row.value.len()).max().unwrap_or_default();
        writeln!(out, "| {:what$} | {:value$} | goal |", "what", "value")?;
        writeln!(out, "|{:-<w$}|{:-<v$}|------|", "", "", w = what + 2, v = value + 2)?;
        for row in &self.rows {
            writeln!(out, "| {:what$} | {:value$} | {} |", row.what, row.value, row.goal)?;
        }
        Ok(())
    }
}

/// Cores, processor, and the load of the machine over the last minute.
fn machine() -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism()?;
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    Ok(format!("machine: {cores} cores, {model}, load average at the end {load}"))
}
