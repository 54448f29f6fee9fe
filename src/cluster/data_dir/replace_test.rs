//! Changes of a directory from one node to the next, including interrupted ones.

use super::super::identity::{NodeIdentity, write_identity};
use super::*;
use crate::state_machine::NodeId;

fn identity(node: u64, boot: u64) -> NodeIdentity {
    NodeIdentity { node_id: NodeId(node), cluster_id: None, boot }
}

/// A node with a log of its own and two snapshots in `folder`.
fn settled_in(folder: &Path, node: u64, boot: u64) {
    std::fs::create_dir_all(folder.join("snapshots")).unwrap();
    std::fs::write(folder.join("snapshots/1.snapshot"), format!("one of {node}")).unwrap();
    std::fs::write(folder.join("log.redb"), format!("log of {node}")).unwrap();
    write_identity(folder, &identity(node, boot)).unwrap();
}

/// A directory of node 1 with a spool, and node 2 chosen as its replacement.
fn appointed() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    settled_in(directory.path(), 1, 4);
    std::fs::write(directory.path().join("spool"), "events").unwrap();
    settled_in(&stage_replacement(directory.path()).unwrap(), 2, 0);
    commit_replacement(directory.path()).unwrap();
    directory
}

fn content(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_default()
}

/// Checks that node 2 is in the directory, complete, and node 1 is aside, complete.
fn assert_passed(folder: &Path) {
    let aside = folder.join("set-aside-0000000000000001-4");
    for (folder, node, boot) in [(folder, 2, 0), (&aside, 1, 4)] {
        assert_eq!(read_identity(folder).unwrap(), Some(identity(node, boot)));
        assert_eq!(content(folder, "log.redb"), format!("log of {node}"));
        assert_eq!(content(folder, "snapshots/1.snapshot"), format!("one of {node}"));
    }
    assert_eq!(content(folder, "spool"), "events");
    assert!(!folder.join(REPLACEMENT_FOLDER).exists() && !folder.join(UNFINISHED_FOLDER).exists());
}

#[test]
fn an_heir_takes_the_place_of_the_old_node_whose_files_are_kept() {
    let directory = appointed();
    let aside = directory.path().join("set-aside-0000000000000001-4");
    assert_eq!(settle(directory.path()).unwrap(), Some(aside));
    assert_passed(directory.path());
    assert_eq!(settle(directory.path()).unwrap(), None);
    assert_passed(directory.path());
}

#[test]
fn a_pass_that_was_cut_short_anywhere_is_gone_on_with() {
    let moves = ["log.redb", "snapshots", IDENTITY_FILE];
    for done in 0..=2 * moves.len() {
        let directory = appointed();
        let folder = directory.path();
        let aside = folder.join("set-aside-0000000000000001-4");
        std::fs::create_dir_all(&aside).unwrap();
        let out = moves.iter().map(|name| (folder.join(name), aside.join(name)));
        let replacement = folder.join(REPLACEMENT_FOLDER);
        let into = moves.iter().map(|name| (replacement.join(name), folder.join(name)));
        for (from, to) in out.chain(into).take(done) {
            std::fs::rename(from, to).unwrap();
        }
        settle(folder).unwrap();
        assert_passed(folder);
    }
}

#[test]
fn what_was_not_finished_preparing_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    settled_in(directory.path(), 1, 4);
    settled_in(&stage_replacement(directory.path()).unwrap(), 2, 0);
    assert_eq!(settle(directory.path()).unwrap(), None);
    assert_eq!(read_identity(directory.path()).unwrap(), Some(identity(1, 4)));
    let again = stage_replacement(directory.path()).unwrap();
    assert_eq!(std::fs::read_dir(again).unwrap().count(), 0);
}

#[test]
fn an_heir_comes_into_an_empty_directory_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    settled_in(&stage_replacement(directory.path()).unwrap(), 2, 0);
    commit_replacement(directory.path()).unwrap();
    assert_eq!(settle(directory.path()).unwrap(), None);
    assert_eq!(read_identity(directory.path()).unwrap(), Some(identity(2, 0)));
    let names = std::fs::read_dir(directory.path()).unwrap();
    assert_eq!(names.count(), 3);
}

#[test]
fn rule_23_nodes_that_are_over_in_their_first_lives_do_not_meet() {
    let directory = tempfile::tempdir().unwrap();
    for node in [1, 2] {
        settled_in(directory.path(), node, 1);
        retire_directory(directory.path()).unwrap();
        let aside = directory.path().join(format!("set-aside-{}-1", NodeId(node)));
        assert_eq!(settle(directory.path()).unwrap(), Some(aside.clone()));
        assert_eq!(content(&aside, "snapshots/1.snapshot"), format!("one of {node}"));
        assert_eq!(settle(directory.path()).unwrap(), None);
    }
    assert_eq!(read_identity(directory.path()).unwrap(), None);
}

#[test]
fn a_life_whose_files_were_copied_back_may_be_over_twice_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let names = ["", "-2", "-3"].map(|end| format!("set-aside-{}-4{end}", NodeId(1)));
    for name in &names {
        settled_in(directory.path(), 1, 4);
        std::fs::write(directory.path().join("log.redb"), name).unwrap();
        retire_directory(directory.path()).unwrap();
        assert_eq!(settle(directory.path()).unwrap(), Some(directory.path().join(name)));
    }
    for name in &names {
        let aside = directory.path().join(name);
        assert_eq!(content(&aside, "log.redb"), *name);
        assert_eq!(content(&aside, "snapshots/1.snapshot"), "one of 1");
    }
}

#[test]
fn an_identity_that_cannot_be_read_may_be_put_aside_twice() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["set-aside-unreadable", "set-aside-unreadable-2"] {
        settled_in(directory.path(), 1, 4);
        std::fs::write(directory.path().join(IDENTITY_FILE), "{").unwrap();
        retire_directory(directory.path()).unwrap();
        assert_eq!(settle(directory.path()).unwrap(), Some(directory.path().join(name)));
        assert_eq!(content(&directory.path().join(name), "log.redb"), "log of 1");
    }
}
