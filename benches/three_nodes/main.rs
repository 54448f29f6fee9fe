//! The performance of three nodes on one machine, compared with a three-member etcd, and their
//! recovery time after a loss. Prints one table without judging it; goals are next to the figures.

mod accept;
mod cluster;
mod etcd;
mod grpc;
mod leader;
mod owner;
mod restart;
mod sender;
#[path = "../shared/mod.rs"]
mod shared;
mod sink;
mod waiting;

use anyhow::bail;
use shared::recorded::Recorded;
use shared::table::Table;
use tokio::signal::unix::{SignalKind, signal};

/// Parts of the table that can be selected by name; without a name all of them.
const PARTS: [&str; 4] = ["accept", "leader", "owner", "restart"];

fn main() -> anyhow::Result<()> {
    // One thread for load generators and receivers, and so for every start of a process.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        // Dropping the measurement kills the processes.
        tokio::select! {
            measured = measure() => measured?.print(),
            _ = terminated.recv() => bail!("terminated"),
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    })
}

async fn measure() -> anyhow::Result<Table> {
    // Cargo adds its own flags.
    let arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let named: Vec<String> = arguments.collect();
    if let Some(unknown) = named.iter().find(|name| !PARTS.contains(&name.as_str())) {
        bail!("{unknown} is none of {}", PARTS.join(", "));
    }
    let recorded = Recorded::task_run()?;
    let mut table = Table::new();
    for part in PARTS.into_iter().filter(|part| named.is_empty() || named.iter().any(|n| n == part))
    {
        let measured = match part {
            "accept" => accept::measure(&recorded, &mut table).await,
            "leader" => leader::measure(&recorded, &mut table).await,
            "owner" => owner::measure(&recorded, &mut table).await,
            _ => restart::measure(&recorded, &mut table).await,
        };
        // A cluster that does not recover is a result, and the other parts are still useful.
        if let Err(error) = measured {
            table.add(format!("{part}: not measured"), format!("{error:#}"), "");
        }
    }
    Ok(table)
}
