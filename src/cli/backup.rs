//! `cluster snapshot` and `cluster recover`: a backup, and the way out of a lost quorum.

use super::flags::{Endpoint, RecoverFlags};
use super::remote::Client;
use super::say;
use crate::cluster::data_dir::durable::sync_parent;
use crate::cluster::{self, Recovered, Recovery};
use anyhow::{Context as _, bail};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Saves a snapshot of the replica that is asked. The file appears only when it is whole.
pub(super) async fn save(endpoint: &Endpoint, output: &Path) -> anyhow::Result<()> {
    let part = part_of(output);
    let saved = match receive(endpoint, &part).await {
        Ok(()) => keep(&part, output),
        Err(error) => Err(error),
    };
    if saved.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    say(saved?);
    Ok(())
}

async fn receive(endpoint: &Endpoint, part: &Path) -> anyhow::Result<()> {
    let mut answer = Client::new(endpoint).await?.download("/api/v1/cluster/snapshot").await?;
    let at = || part.display().to_string();
    let mut file = File::create(part).with_context(at)?;
    while let Some(chunk) = answer.chunk().await? {
        file.write_all(&chunk).with_context(at)?;
    }
    file.sync_all().with_context(at)
}

/// The name of a file that is not whole yet.
fn part_of(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Checks what arrived, and gives it its name.
fn keep(part: &Path, output: &Path) -> anyhow::Result<String> {
    let at = || part.display().to_string();
    let bytes = std::fs::read(part).with_context(at)?;
    let index = match cluster::snapshot_index(&bytes) {
        Ok(index) => index,
        Err(error) => bail!("what arrived is no whole snapshot: {error}"),
    };
    let renamed = std::fs::rename(part, output).and_then(|()| sync_parent(output));
    renamed.with_context(|| output.display().to_string())?;
    Ok(format!("{}: {} bytes, up to log entry {index}", output.display(), bytes.len()))
}

/// Recovers a data directory of a relay that is stopped.
pub(super) fn recover(flags: &RecoverFlags) -> anyhow::Result<()> {
    let recovery = Recovery {
        data_dir: flags.data_dir.clone(),
        snapshot: flags.from_snapshot.clone(),
        is_forced: flags.force,
    };
    let recovered = cluster::recover(&recovery)?;
    told(&recovered).into_iter().for_each(say);
    Ok(())
}

fn told(recovered: &Recovered) -> Vec<String> {
    let Recovered { node, cluster, last_index, entries_from_log, set_aside } = recovered;
    let mut lines = vec![
        format!("node {node} is the only member of the new cluster {cluster}"),
        format!("it has everything up to log entry {last_index}, {entries_from_log} from the log"),
    ];
    if let Some(folder) = set_aside {
        lines.push(format!("the files of the old node are in {}", folder.display()));
    }
    lines.push("empty the data directories of all other replicas before you start them".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterId;
    use crate::state_machine::NodeId;

    #[test]
    fn what_is_no_whole_snapshot_gets_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("relay.snapshot");
        std::fs::write(&output, "of yesterday").unwrap();
        let part = part_of(&output);
        assert_eq!(part, folder.path().join("relay.snapshot.part"));
        std::fs::write(&part, "half").unwrap();
        let refused = keep(&part, &output).unwrap_err().to_string();
        let told = "what arrived is no whole snapshot: not a snapshot of this version";
        assert_eq!(refused, told);
        assert_eq!(std::fs::read(&output).unwrap(), b"of yesterday");
    }

    #[test]
    fn the_new_ids_and_what_is_left_to_do_are_told() {
        let recovered = Recovered {
            node: NodeId(0xab),
            cluster: ClusterId(0xcd),
            last_index: 90,
            entries_from_log: 4,
            set_aside: Some("data/set-aside-1".into()),
        };
        assert_eq!(
            told(&recovered),
            [
                "node 00000000000000ab is the only member of the new cluster 00000000000000cd",
                "it has everything up to log entry 90, 4 from the log",
                "the files of the old node are in data/set-aside-1",
                "empty the data directories of all other replicas before you start them",
            ]
        );
        assert_eq!(told(&Recovered { set_aside: None, ..recovered }).len(), 3);
    }
}
