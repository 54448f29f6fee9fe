//! The effects of event floods on one relay: its memory during and after a restart, the effect on
//! another namespace, and the time until all is as before. Goals are printed next to the figures.
//!
//! `cargo bench --bench floods`, or with the names of floods to run.

mod client;
mod flood;
#[path = "../shared/mod.rs"]
mod shared;
mod watch;

use anyhow::bail;
use flood::{FLOODS, measure};
use shared::table::Table;

fn main() -> anyhow::Result<()> {
    // Cargo adds its own flags.
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let known = |name: &String| FLOODS.iter().any(|flood| flood.name == name);
    if let Some(unknown) = named.iter().find(|name| !known(name)) {
        bail!("{unknown} is none of {}", FLOODS.map(|flood| flood.name).join(", "));
    }
    let mut table = Table::new();
    for flood in &FLOODS {
        if named.is_empty() || named.iter().any(|name| name == flood.name) {
            measure(flood, &mut table)?;
        }
    }
    table.print()
}
