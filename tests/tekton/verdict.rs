//! The judge: compares each run with its own check, each promise a function over facts.

use super::facts::{End, Facts, Run, Status};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub counts: Counts,
    pub violations: Vec<String>,
}

/// Numbers of items, and of correct ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub runs: usize,
    /// Runs whose end Tekton never sent.
    pub unheard: usize,
    pub events: usize,
    pub spooled: usize,
    pub statuses: usize,
    pub checks: usize,
    pub right: usize,
    pub wrong: usize,
    pub never_written: usize,
    pub shared: usize,
    pub backwards: usize,
    pub lost: usize,
    /// Final statuses and notifications that already existed.
    pub doubled: usize,
    pub notifications: usize,
    pub in_doubt: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  runs in the API        {} ({} of them unheard)", self.runs, self.unheard)?;
        writeln!(f, "  events                 {}, {} of them spooled", self.events, self.spooled)?;
        writeln!(f, "  statuses               {} of {} checks", self.statuses, self.checks)?;
        writeln!(f, "  right at the end       {}", self.right)?;
        writeln!(f, "  wrong at the end       {}", self.wrong)?;
        writeln!(f, "  never written          {}", self.never_written)?;
        writeln!(f, "  shared by two writers  {}", self.shared)?;
        writeln!(f, "  backwards              {}", self.backwards)?;
        writeln!(f, "  notifications          {}, {} lost", self.notifications, self.lost)?;
        write!(f, "  sent twice             {} ({} in doubt)", self.doubled, self.in_doubt)
    }
}

type Check<'f> = (&'f str, &'f str);

/// The facts, indexed.
struct Case<'f> {
    facts: &'f Facts,
    heard: Vec<&'f Run>,
    /// By commit and link: a reused name has another commit.
    by_link: BTreeMap<(&'f str, &'f str), &'f Run>,
    by_check: BTreeMap<Check<'f>, Vec<&'f Status>>,
}

impl<'f> Case<'f> {
    fn of(facts: &'f Facts) -> Self {
        let links = facts.runs.iter().map(|run| ((run.commit.as_str(), run.link.as_str()), run));
        let by_link = links.collect();
        let mut by_check: BTreeMap<Check<'_>, Vec<&Status>> = BTreeMap::new();
        for status in &facts.statuses {
            by_check.entry((&status.commit, &status.check)).or_default().push(status);
        }
        Self { facts, heard: facts.heard().collect(), by_link, by_check }
    }

    /// The run that a status is about.
    fn run_of(&self, status: &Status) -> Option<&'f Run> {
        self.by_link.get(&(status.commit.as_str(), status.link.as_str())).copied()
    }

    /// Whether another run of the same writer has ended, so that this one has nothing to write: a
    /// newer one, or of two created in one second one that ended no better (ADR 13).
    fn is_outlived(&self, run: &Run) -> bool {
        let of_its_writer = self.heard.iter().filter(|other| {
            other.uid != run.uid && (&other.commit, &other.writer) == (&run.commit, &run.writer)
        });
        of_its_writer.into_iter().any(|other| {
            let stands = other.end.badness() >= run.end.badness();
            let is_tie = other.created == run.created;
            other.created > run.created || is_tie && stands && !self.checks_of(other).is_empty()
        })
    }

    /// The checks that a run has written.
    fn checks_of(&self, run: &Run) -> BTreeSet<Check<'f>> {
        let written = self.by_check.iter().filter(|((commit, _), statuses)| {
            *commit == run.commit && statuses.iter().any(|status| status.link == run.link)
        });
        written.map(|(check, _)| *check).collect()
    }
}

/// What GitHub may show for a run that has ended.
fn is_shown(end: End, state: &str) -> bool {
    match end {
        End::Open => state == "pending",
        End::Green | End::Ignored => state == "success",
        End::Red => state == "failure" || state == "error",
        End::Canceled => state == "error",
    }
}

/// Judges the facts.
pub fn judge(facts: &Facts) -> Verdict {
    let case = Case::of(facts);
    let mut verdict = Verdict::default();
    verdict.counts.runs = facts.runs.len();
    verdict.counts.unheard = facts.runs.len() - case.heard.len();
    verdict.counts.events = facts.events.len();
    verdict.counts.spooled = facts.spooled;
    verdict.counts.statuses = facts.statuses.len();
    verdict.counts.checks = case.by_check.len();
    verdict.counts.notifications = facts.notifications.len();
    verdict.counts.in_doubt = facts.in_doubt;
    let shared = shared(&case);
    let back = backwards(&case);
    verdict.counts.shared = shared.len();
    verdict.counts.backwards = back.len();
    verdict.violations.extend(shared.into_iter().chain(back));
    ends(&case, &mut verdict);
    verdict.violations.extend(one_check_each(&case));
    notified(&case, &mut verdict);
    doubled(&case, &mut verdict);
    verdict.violations.extend(given_up(facts));
    verdict.violations.extend(two_comments(facts));
    if facts.spooled > 0 && !facts.is_disturbed {
        let spooled = facts.spooled;
        verdict.violations.push(format!("{spooled} events spooled although nothing was broken"));
    }
    verdict
}

/// Compares the end of each run with the last state of its check. If two runs of one writer share a
/// check, the newer one's end counts, and of two from one second the worse. A run whose end came
/// after that of a newer one has nothing to write.
fn ends(case: &Case<'_>, verdict: &mut Verdict) {
    let mut newest: BTreeMap<Check<'_>, &Run> = BTreeMap::new();
    for run in &case.heard {
        let checks = case.checks_of(run);
        if checks.is_empty() && !case.is_outlived(run) {
            verdict.counts.never_written += 1;
            verdict.violations.push(format!("{} has written no check of {}", run.link, run.commit));
        }
        for check in checks {
            let known = newest.entry(check).or_insert(run);
            let age = |run: &Run| (run.created.clone(), run.end.badness());
            if age(known) < age(run) {
                *known = run;
            }
        }
    }
    for (check, run) in newest {
        let last = case.by_check[&check].last().expect("a check was written");
        if is_shown(run.end, &last.state) {
            verdict.counts.right += 1;
        } else {
            verdict.counts.wrong += 1;
            verdict.violations.push(format!(
                "{} of {} shows {} by {}, and {} is {:?}",
                check.1, check.0, last.state, last.link, run.link, run.end
            ));
        }
    }
}

/// Checks written by two writers, or by an unknown run.
fn shared(case: &Case<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for ((commit, check), statuses) in &case.by_check {
        let strangers = statuses.iter().filter(|status| case.run_of(status).is_none());
        found.extend(
            strangers.map(|status| format!("{check} of {commit} links to no run: {}", status.link)),
        );
        let runs: Vec<&Run> = statuses.iter().filter_map(|status| case.run_of(status)).collect();
        let writers: BTreeSet<_> = runs.iter().map(|run| &run.writer).collect();
        if writers.len() > 1 {
            let links: BTreeSet<&str> = runs.iter().map(|run| run.link.as_str()).collect();
            found.push(format!("{check} of {commit} was written by {links:?}"));
        }
    }
    found
}

/// Writers with two checks for one commit: a second run of a pipeline writes the same ones.
fn one_check_each(case: &Case<'_>) -> Vec<String> {
    let mut checks: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for run in &case.heard {
        for (_, check) in case.checks_of(run) {
            checks.entry((&run.commit, &run.writer)).or_default().insert(check);
        }
    }
    let several = checks.into_iter().filter(|(_, checks)| checks.len() > 1);
    let told = several
        .map(|((commit, writer), checks)| format!("{writer:?} wrote {checks:?} of {commit}"));
    told.collect()
}

/// Checks that went from an end of a run back to the same run in progress, from a newer run back to
/// an older one, or from a red run to a better state of another one from the same second.
fn backwards(case: &Case<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for ((commit, check), statuses) in &case.by_check {
        for pair in statuses.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            let is_reopened = before.link == after.link && before.is_final() && !after.is_final();
            let created = |status: &Status| case.run_of(status).map(|run| &run.created);
            let hides_a_red = before.link != after.link
                && created(after) == created(before)
                && before.is_red()
                && !after.is_red();
            if is_reopened || hides_a_red || created(after) < created(before) {
                found.push(format!(
                    "{check} of {commit} went from {} by {} to {} by {}",
                    before.state, before.link, after.state, after.link
                ));
            }
        }
    }
    found
}

/// Each accepted end leads to a notification.
fn notified(case: &Case<'_>, verdict: &mut Verdict) {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let is_end = |state: &str| state != "pending" && state != "running";
    for notification in case.facts.notifications.iter().filter(|told| is_end(&told.state)) {
        told.insert(&notification.uid);
    }
    for run in case.heard.iter().filter(|run| !told.contains(run.uid.as_str())) {
        verdict.counts.lost += 1;
        verdict.violations.push(format!("nobody was told of the end of {}", run.link));
    }
}

/// Ends written again although their sender knew that they were there, and repeated notifications:
/// at most as many as the cluster counted in doubt.
fn doubled(case: &Case<'_>, verdict: &mut Verdict) {
    let mut again = Vec::new();
    for ((commit, check), statuses) in &case.by_check {
        let mut ends: BTreeMap<(&str, &str, &str), bool> = BTreeMap::new();
        for status in statuses.iter().filter(|status| status.is_final()) {
            let end = (status.link.as_str(), status.state.as_str(), *check);
            if ends.insert(end, status.is_answered) == Some(true) {
                again.push(format!("{} of {check} of {commit} by {}", status.state, status.link));
            }
        }
    }
    let mut ids = BTreeSet::new();
    for notification in &case.facts.notifications {
        if !ids.insert(&notification.id) {
            again.push(format!("notification {} of {}", notification.id, notification.uid));
        }
    }
    verdict.counts.doubled = again.len();
    if again.len() as u64 > case.facts.in_doubt {
        verdict.violations.push(format!("{} sent twice: {again:?}", again.len()));
    }
}

/// Events that no replica accepted.
fn given_up(facts: &Facts) -> Vec<String> {
    let lost = facts.events.iter().filter(|event| !event.is_taken);
    lost.map(|event| format!("no replica took an event of {}", event.uid)).collect()
}

/// Two comments of one marker on one pull request.
fn two_comments(facts: &Facts) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let marker = |text: &str| text.lines().find(|line| line.contains("<!-- ")).map(str::to_owned);
    let marked = facts.comments.iter().filter_map(|(pr, text)| Some((pr, marker(text)?)));
    marked
        .filter(|comment| !seen.insert(comment.clone()))
        .map(|(pr, marker)| format!("pull request {pr} has two comments {marker}"))
        .collect()
}
