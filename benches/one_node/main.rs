//! The performance of one node, measured and printed as one table. It does not judge: goals are
//! printed next to the figures, and the reader knows the other load of the machine.

mod accept;
mod breakdown;
mod cpu_clock;
mod memory;
mod plan;
mod redis;
mod relay;
#[path = "../shared/mod.rs"]
mod shared;

use anyhow::bail;
use shared::recorded::Recorded;
use shared::table::Table;

/// Starts this program again as the process whose memory is measured.
const MEMORY_ARGUMENT: &str = "--memory";

/// Parts of the table that can be selected by name; without a name all of them.
const PARTS: [&str; 4] = ["accept", "breakdown", "plan", "memory"];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, what] = arguments.as_slice()
        && flag == MEMORY_ARGUMENT
    {
        return memory::remember(what);
    }
    // Cargo adds its own flags.
    let named: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    if let Some(unknown) = named.iter().find(|name| !PARTS.contains(name)) {
        bail!("{unknown} is none of {}", PARTS.join(", "));
    }
    let asks_for = |part: &str| named.is_empty() || named.contains(&part);
    let recorded = Recorded::task_run()?;
    let mut table = Table::new();
    for part in PARTS.into_iter().filter(|part| asks_for(part)) {
        match part {
            "accept" => accept::measure(&recorded, &mut table)?,
            "breakdown" => breakdown::measure(&recorded, &mut table)?,
            "plan" => plan::measure(&recorded, &mut table)?,
            _ => memory::measure(&mut table)?,
        }
    }
    table.print()
}
