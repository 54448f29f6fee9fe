//! What floods of events do to one relay: its memory at any time and after a restart, what another
//! namespace notices, and when all is as before. Goals are printed beside the figures.
//!
//! `cargo bench --bench floods`, or the names of the floods to be tried.

mod client;
mod flood;
#[path = "../shared/mod.rs"]
mod shared;
mod watch;

use anyhow::bail;
use flood::{FLOODS, measure};
use shared::table::Table;

fn main() -> anyhow::Result<()> {
    // Cargo adds flags of its own.
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
