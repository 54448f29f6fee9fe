//! The demo with several replicas: processes that form a cluster. While events arrive, it kills the
//! leader and rolls another replica.

use super::playing::Playing;
use super::replicas::Replicas;
use super::verdict::Played;
use super::view::{View, Work};
use super::{Sender, Stage};
use anyhow::bail;
use std::io::Write;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Time before each event. Slow enough that the actions on replicas fall between events.
const PACE: Duration = Duration::from_millis(100);
/// Events before the leader is killed, of the 38 with a new transition.
const BEFORE_KILL: usize = 12;
/// Events before a replica is rolled, likewise.
const BEFORE_ROLL: usize = 26;
/// After a kill a takeover waits 11 s at worst (`docs/ARCHITECTURE.md`).
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// Time between two checks whether all is done.
const SETTLE_POLL: Duration = Duration::from_millis(100);
/// The cluster counts as done after this much time without work: longer than the configured
/// straggler window of 1 s, after which a summary may still be due.
const QUIET: Duration = Duration::from_millis(1_500);

/// Forms a cluster, sends everything to it, kills and rolls replicas meanwhile, and stops it.
///
/// # Errors
/// The cluster did not form, found no new leader or did not take a replica back in time, or `stop`
/// was cancelled.
pub(super) async fn play(
    stage: &Stage,
    count: usize,
    stop: &CancellationToken,
    out: &mut impl Write,
) -> anyhow::Result<Played> {
    let mut replicas = Replicas::new(count, &stage.config, stage.folder.path())?;
    let played = tokio::select! {
        played = act(stage, &mut replicas, out) => played,
        () = stop.cancelled() => Err(anyhow::anyhow!("interrupted")),
    };
    let ended = replicas.end().await;
    let played = played?;
    ended?;
    Ok(played)
}

async fn act(
    stage: &Stage,
    replicas: &mut Replicas,
    out: &mut impl Write,
) -> anyhow::Result<Played> {
    let requests = &stage.scenario.requests;
    let (count, urls) = (replicas.count(), replicas.urls("/"));
    let (events, runs) = (requests.len(), stage.scenario.runs);
    writeln!(out, "playing {events} events of {runs} runs against {count} replicas:")?;
    for (number, url) in urls.iter().enumerate() {
        writeln!(out, "  {} on {url}", replicas.name(number))?;
    }
    let started = Instant::now();
    replicas.form().await?;
    let leader = replicas.leader(None).await?;
    writeln!(out, "formed in {}, {} leads", seconds(started), replicas.name(leader))?;

    let mut playing = Playing::new(Sender::among(urls)?, PACE);
    let (quiet, rest) = requests.split_at(BEFORE_KILL.min(events));
    let (during_kill, during_roll) = rest.split_at((BEFORE_ROLL - BEFORE_KILL).min(rest.len()));
    playing.play(quiet).await;
    let ((), killed) = tokio::join!(playing.play(during_kill), kill_leader(replicas, out));
    let spared = killed?;
    let ((), rolled) = tokio::join!(playing.play(during_roll), roll(replicas, &spared, out));
    let mut faults: Vec<String> = rolled?.into_iter().collect();

    let gap = playing.gap_max().as_secs_f64();
    writeln!(out, "all events sent, largest gap between acknowledged events {gap:.1} s")?;
    let (end, fault) = settle(replicas).await?;
    faults.extend(fault);
    writeln!(out, "settled, members at the end:")?;
    for line in end.view.iter().flat_map(View::lines) {
        writeln!(out, "{line}")?;
    }
    Ok(Played { answers: playing.into_answers(), in_doubt: end.in_doubt, faults })
}

/// Kills the leader, waits for another, and starts the killed one again. Returns both.
async fn kill_leader(replicas: &mut Replicas, out: &mut impl Write) -> anyhow::Result<[usize; 2]> {
    let old = replicas.leader(None).await?;
    replicas.kill(old).await?;
    let killed = Instant::now();
    writeln!(out, "leader {} killed", replicas.name(old))?;
    let new = replicas.leader(Some(old)).await?;
    writeln!(out, "{} leads after {}", replicas.name(new), seconds(killed))?;
    let started = Instant::now();
    replicas.restart(old).await?;
    writeln!(out, "{} is back, ready in {}", replicas.name(old), seconds(started))?;
    Ok([old, new])
}

/// Rolls one of the replicas that are not `spared`. Returns what was wrong with its end.
async fn roll(
    replicas: &mut Replicas,
    spared: &[usize],
    out: &mut impl Write,
) -> anyhow::Result<Option<String>> {
    let Some(number) = (0..replicas.count()).find(|number| !spared.contains(number)) else {
        bail!("no replica is left to be rolled");
    };
    let started = Instant::now();
    let status = replicas.drain(number).await?;
    let drained = seconds(started);
    replicas.restart(number).await?;
    let name = replicas.name(number);
    writeln!(out, "rolled {name} in {}, {drained} of it to drain", seconds(started))?;
    Ok((!status.success()).then(|| format!("{name} ended its drain with {status}")))
}

/// The cluster after the last event.
#[derive(Default)]
struct End {
    view: Option<View>,
    in_doubt: u64,
}

/// Waits until every replica is ready and a member, and no work is left; otherwise returns what was
/// missing.
async fn settle(replicas: &mut Replicas) -> anyhow::Result<(End, Option<String>)> {
    let deadline = Instant::now() + SETTLE_MAX;
    let mut quiet_since = None;
    let mut end = End::default();
    let mut fault = None;
    while Instant::now() < deadline {
        replicas.check()?;
        let (view, work) = (replicas.view(0).await, replicas.work().await);
        let missing = missing(replicas.count(), view.as_ref(), work.as_deref());
        let in_doubt = work.iter().flatten().map(|work| work.in_doubt).max();
        end = End { view, in_doubt: in_doubt.unwrap_or(end.in_doubt) };
        if missing.is_some() {
            quiet_since = None;
            fault = missing;
        } else if quiet_since.get_or_insert_with(Instant::now).elapsed() >= QUIET {
            return Ok((end, None));
        }
        tokio::time::sleep(SETTLE_POLL).await;
    }
    Ok((end, fault))
}

/// What a cluster of `count` replicas still lacks to be done; `work` is `None` unless all of them
/// take events.
fn missing(count: usize, view: Option<&View>, work: Option<&[Work]>) -> Option<String> {
    let Some(work) = work else {
        return Some("not every replica was ready at the end".to_owned());
    };
    let left = work.iter().map(|work| work.left).max().unwrap_or_default();
    if left > 0 {
        return Some(format!("{left} events and effects were left to do at the end"));
    }
    let is_whole = view.is_some_and(|view| view.is_whole(count));
    let told = "not every replica was a live member, with all slots owned, at the end";
    (!is_whole).then(|| told.to_owned())
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::view::MemberRow;

    fn view() -> View {
        let member = |name: &str| MemberRow {
            name: name.to_owned(),
            role: "voter".to_owned(),
            state: "live".to_owned(),
            slots: 128,
        };
        let members = vec![member("relay-0"), member("relay-1")];
        View { leader: Some("relay-1".to_owned()), members, unowned: 0 }
    }

    const DONE: Work = Work { left: 0, in_doubt: 3 };

    #[test]
    fn all_ready_with_nothing_left_in_a_whole_cluster_lacks_nothing() {
        assert_eq!(missing(2, Some(&view()), Some(&[DONE, DONE])), None);
    }

    #[test]
    fn what_one_replica_still_knows_of_is_left() {
        let behind = Work { left: 2, in_doubt: 0 };
        let told = missing(2, Some(&view()), Some(&[DONE, behind])).unwrap();
        assert_eq!(told, "2 events and effects were left to do at the end");
    }

    #[test]
    fn a_replica_that_is_not_ready_or_no_member_is_missing() {
        let unready = missing(2, Some(&view()), None).unwrap();
        assert_eq!(unready, "not every replica was ready at the end");
        let told = "not every replica was a live member, with all slots owned, at the end";
        let work = [DONE, DONE, DONE];
        assert_eq!(missing(3, Some(&view()), Some(&work)).as_deref(), Some(told));
        assert_eq!(missing(3, None, Some(&work)).as_deref(), Some(told));
    }

    #[test]
    fn leader_and_roll_fall_into_the_part_of_the_recording_that_tells_news() {
        let scenario = crate::demo::Scenario::recorded().unwrap();
        let (before, after) = scenario.transitions.split_at(BEFORE_ROLL);
        assert!(BEFORE_KILL < BEFORE_ROLL && after.iter().any(|told| !before.contains(told)));
    }
}
