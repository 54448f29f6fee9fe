//! The worker of this node: sees what is due in the replicated state, plans it, begins it, and
//! lets calls run side by side. One lane never waits for another. Begins and outcomes have one proposal
//! each under way, and what comes meanwhile travels in the next.

use super::batch::{Batch, Places};
use super::calls::{Call, Calls, Returned};
use super::dropped_letters::log_dropped_letters;
use super::limit::Limits;
use super::outcomes::{Outcomes, given_up, unsent};
use super::send::send;
use super::transport::Transports;
use super::waits::{Due, LOOKED_AT_MAX, Waits};
use crate::clock::Clock;
use crate::cluster::{AcceptError, Cluster};
use crate::effect::EffectId;
use crate::plan::{Ruleset, effect};
use crate::retry::RetryPolicy;
use crate::state_machine::{Applied, DueWork, Grant, Turns};
use crate::telemetry::{Metrics, Random, chain};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// A call starts within this time of its proposal, or not at all (rule 1).
const SEND_WITHIN: Duration = Duration::from_secs(1);
/// The longest sleep: a bound on the harm of a wake-up that was missed.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// Wait after a proposal that the log did not take.
const REFUSED_WAIT: Duration = Duration::from_millis(100);

/// How the worker behaves.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Calls under way at once (`max_concurrency`).
    pub concurrency_max: usize,
    /// Deadline of one attempt (`handler_timeout`), at most 10 s (rule 1).
    pub handler_timeout: Duration,
    pub retry: RetryPolicy,
}

/// What the worker and its calls share.
pub(super) struct Shared {
    pub cluster: Arc<Cluster>,
    pub transports: Transports,
    pub options: WorkerOptions,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    pub random: Random,
}

/// Plans and delivers for the slots this node owns.
pub struct Worker {
    pub(super) shared: Arc<Shared>,
    rulesets: watch::Receiver<Arc<Ruleset>>,
    /// The ruleset of the proposal that is made now. One proposal is planned, made and carried out
    /// under one.
    pub(super) ruleset: Arc<Ruleset>,
    pub(super) limits: Limits,
    calls: Calls,
    outcomes: Outcomes,
    /// The proposal of Begins that is under way.
    asked: Option<AskedBatch>,
    /// Whether Begins of this process may be open that it has not heard of.
    may_be_unheard: bool,
    /// A proposal that may or may not be in the log. It is made again as it was, for a Begin that
    /// was granted unheard would keep its target busy until the next boot.
    unconfirmed: Option<Batch>,
    waits: Waits,
    pub(super) turns: Turns,
}

type GrantAnswers = Result<Vec<Applied>, AcceptError>;

/// A proposal of Begins that is under way.
struct AskedBatch {
    batch: Batch,
    /// By the monotonic clock.
    at: Duration,
    answers: BoxFuture<'static, GrantAnswers>,
}

impl Worker {
    /// A worker over the given state, transports, and whatever ruleset is the newest.
    #[must_use]
    pub fn new(
        cluster: Arc<Cluster>,
        mut rulesets: watch::Receiver<Arc<Ruleset>>,
        transports: Transports,
        options: WorkerOptions,
        telemetry: (Arc<dyn Clock>, Arc<Metrics>),
    ) -> Self {
        let (clock, metrics) = telemetry;
        let random = Random::seeded();
        let ruleset = Arc::clone(&rulesets.borrow_and_update());
        let limits = Limits::new(options.concurrency_max, ruleset.rules.in_flight_max());
        let shared = Shared { cluster, transports, options, clock, metrics, random };
        Self {
            shared: Arc::new(shared),
            ruleset,
            rulesets,
            limits,
            calls: Calls::default(),
            outcomes: Outcomes::default(),
            asked: None,
            may_be_unheard: true,
            unconfirmed: None,
            waits: Waits::default(),
            turns: Turns::default(),
        }
    }

    /// Works until `drain` is cancelled, then lets the calls under way end and be recorded.
    pub async fn run(mut self, drain: CancellationToken) {
        let mut registered = self.shared.cluster.registered();
        let is_wanted = tokio::select! {
            () = drain.cancelled() => return,
            registered = registered.wait_for(|registered| *registered) => registered.is_ok(),
        };
        if !is_wanted {
            // The cluster has retired this node, and tells the process so itself.
            return drain.cancelled().await;
        }
        let mut followers = JoinSet::new();
        followers.spawn(log_dropped_letters(Arc::clone(&self.shared.cluster)));
        let mut applied = self.shared.cluster.applied();
        while !drain.is_cancelled() {
            // Marks the state as seen before looking: what is applied meanwhile wakes us again.
            applied.borrow_and_update();
            self.look_around();
            self.take_back_all();
            self.outcomes.propose(&self.shared.cluster);
            self.propose_due();
            let wait = self.wait();
            tokio::select! {
                () = drain.cancelled() => break,
                // While Begins are under way their answer wakes us: what is due by then comes next.
                changed = applied.changed(), if self.asked.is_none() => if changed.is_err() { break },
                answers = answers(&mut self.asked) => self.take_answers(answers),
                () = self.outcomes.recorded() => {}
                Some(returned) = self.calls.next() => self.take_back(returned),
                // What was parked may have a route by now.
                Ok(()) = self.rulesets.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.settle_asked().await;
        // A slot that has moved meanwhile answers no repeated Begin: what it granted is found here.
        self.close_unheard();
        while !self.calls.are_back() {
            self.outcomes.propose(&self.shared.cluster);
            tokio::select! {
                Some(returned) = self.calls.next() => self.take_back(returned),
                () = self.outcomes.recorded() => {}
            }
        }
        self.settle_outcomes().await;
    }

    /// Waits until the log has all outcomes, or cannot have them.
    async fn settle_outcomes(&mut self) {
        while !self.outcomes.are_recorded() {
            self.outcomes.propose(&self.shared.cluster);
            self.outcomes.recorded().await;
        }
    }

    /// Hears of the Begins under way, and gives them back. One that was granted unheard would be in
    /// doubt after a clean stop: what may be in the log is proposed once more.
    async fn settle_asked(&mut self) {
        if let Some(AskedBatch { batch, answers, .. }) = self.asked.take() {
            match answers.await {
                Ok(answers) => self.give_up(batch, answers),
                Err(_) => self.unconfirmed = Some(batch),
            }
        }
        let Some(batch) = self.unconfirmed.take() else { return };
        match self.shared.cluster.propose(batch.commands()).await {
            Ok(answers) => self.give_up(batch, answers),
            Err(error) => warn!(error = chain(&error), "work may be in doubt after this stop"),
        }
    }

    /// Gives back all that was granted to a batch.
    fn give_up(&mut self, batch: Batch, answers: Vec<Applied>) {
        let grants = self.not_carried_out(granted(answers));
        let taken = batch.into_taken();
        self.give_back(&taken, &grants);
        self.decline(grants, &taken);
    }

    /// Grants of which no call was made yet, each once. Apply answers a Begin that is asked for again as
    /// it did at first: two plans of one repair lead to one call.
    fn not_carried_out(&self, grants: Vec<Grant>) -> Vec<Grant> {
        let mut seen = BTreeSet::new();
        let is_known =
            |grant: &Grant| self.calls.is_under_way(*grant) || self.outcomes.holds(*grant);
        grants.into_iter().filter(|grant| seen.insert(*grant) && !is_known(grant)).collect()
    }

    fn take_back_all(&mut self) {
        while let Some(returned) = self.calls.try_next() {
            self.take_back(returned);
        }
    }

    /// A call has ended: its place is free, and its outcome is on its way. The Begin in the log keeps
    /// its lane and its target until that is recorded (rule 1).
    fn take_back(&mut self, returned: Returned) {
        let now = self.shared.clock.monotonic();
        match returned {
            Ok(ended) => {
                let (failure, span) = (ended.failure.as_ref(), (ended.begun, ended.answered));
                self.limits.ended(&ended.instance, failure, span, now);
                self.outcomes.push(ended.outcome, ended.pause);
            }
            Err(Some(call)) => {
                self.limits.give_back(&call.instance);
                self.outcomes.push(given_up(call.grant), None);
            }
            Err(None) => {}
        }
    }

    /// Time until something may be due although nothing new is applied.
    fn wait(&self) -> Duration {
        if self.asked.is_some() {
            return IDLE_MAX;
        }
        let now = self.shared.clock.monotonic();
        let replicated = self.shared.cluster.replicated_now();
        let due = self.shared.cluster.read(|state| state.next_send_after(replicated));
        let until_send = due
            .filter(|due| *due > replicated)
            .map(|due| due.since(replicated) + Duration::from_millis(1));
        let until_resumed = self.limits.next_end_of_pause(now).map(|until| until - now);
        [until_send, until_resumed]
            .into_iter()
            .flatten()
            .chain([IDLE_MAX])
            .min()
            .unwrap_or(IDLE_MAX)
    }

    /// What is looked at once in a while, whatever there is to do.
    fn look_around(&mut self) {
        let now = self.shared.clock.monotonic();
        if self.waits.is_look_due(now) {
            self.may_be_unheard = true;
            self.note_waits(now);
            for (instance, in_flight) in self.limits.by_instance() {
                self.shared.metrics.set_calls(instance, in_flight.calls, in_flight.allowed);
            }
        }
    }

    /// Tells the leader, by the checks, since when the oldest due work waits (rule 27). Without a
    /// quorum nothing can be begun, which is nobody's delay.
    fn note_waits(&mut self, now: Duration) {
        let shared = Arc::clone(&self.shared);
        let cluster = &shared.cluster;
        let replicated = cluster.replicated_now();
        let due = |work: DueWork<'_>| match work {
            DueWork::Plan { queued, .. } => Some(Due::Plan(queued.sequence)),
            DueWork::Send(effect) if self.limits.is_held_up(&effect.route.full_instance(), now) => {
                None
            }
            DueWork::Send(effect) => Some(Due::Send(effect.id, effect.attempts, effect.not_before)),
        };
        let due: Vec<Due> = if cluster.has_quorum() {
            cluster.read(|state| {
                let work = state.due_work(cluster.node_id(), replicated).take(LOOKED_AT_MAX);
                work.filter_map(due).collect()
            })
        } else {
            Vec::new()
        };
        let oldest = self.waits.look(now, due.into_iter());
        cluster.delivery_health().due_since(oldest);
    }

    /// Proposes what is due, unless a proposal is under way.
    fn propose_due(&mut self) {
        if self.asked.is_some() || self.outcomes.are_too_many() {
            return;
        }
        if let Some(batch) = self.unconfirmed.take() {
            return self.propose(batch, REFUSED_WAIT);
        }
        self.take_newest_ruleset();
        if std::mem::take(&mut self.may_be_unheard) {
            self.close_unheard();
        }
        let batch = self.collect();
        if !batch.is_empty() {
            self.propose(batch, Duration::ZERO);
        }
    }

    /// Proposals from now on are made under the newest ruleset, and calls under its bounds.
    fn take_newest_ruleset(&mut self) {
        let newest = Arc::clone(&self.rulesets.borrow_and_update());
        if !Arc::ptr_eq(&newest, &self.ruleset) {
            self.limits.bound(newest.rules.in_flight_max());
            self.ruleset = newest;
        }
    }

    /// Asks the log for a batch, after a wait.
    fn propose(&mut self, batch: Batch, wait: Duration) {
        let at = self.shared.clock.monotonic();
        let (cluster, commands) = (Arc::clone(&self.shared.cluster), batch.commands());
        let answers = async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            cluster.propose(commands).await
        };
        self.asked = Some(AskedBatch { batch, at, answers: answers.boxed() });
    }

    /// Starts what was granted to the batch that was asked for.
    fn take_answers(&mut self, answers: GrantAnswers) {
        let Some(AskedBatch { batch, at, .. }) = self.asked.take() else { return };
        let grants = match answers {
            Ok(answers) => self.not_carried_out(granted(answers)),
            Err(error) => return self.keep_unconfirmed(batch, &error),
        };
        let taken = batch.into_taken();
        self.give_back(&taken, &grants);
        let is_late = self.shared.clock.monotonic().saturating_sub(at) > SEND_WITHIN;
        let unsent = if is_late { grants } else { self.start(grants) };
        self.decline(unsent, &taken);
    }

    /// Keeps a proposal that was not confirmed, to make it again. What is too large is never taken,
    /// so that a part of it has to do.
    fn keep_unconfirmed(&mut self, mut batch: Batch, error: &AcceptError) {
        if !matches!(error, AcceptError::Stopped) {
            warn!(error = chain(error), "due work was not begun yet");
        }
        self.may_be_unheard = true;
        if matches!(error, AcceptError::TooLarge { .. }) {
            let taken = batch.halve();
            self.give_back(&taken, &[]);
        }
        self.unconfirmed = (!batch.is_empty()).then_some(batch);
    }

    /// Ends Begins of this process that nobody else would: what was granted and never heard of is
    /// given back. The answer was lost, and when it was asked again the slot had moved.
    fn close_unheard(&mut self) {
        let cluster = &self.shared.cluster;
        let (node, boot) = (cluster.node_id(), cluster.boot());
        let is_known =
            |grant: &Grant| self.calls.is_under_way(*grant) || self.outcomes.holds(*grant);
        let unheard: Vec<Grant> = cluster
            .read(|state| state.begun_by(node, boot).filter(|grant| !is_known(grant)).collect());
        if !unheard.is_empty() {
            warn!(effects = unheard.len(), "grants that were not heard of are given back");
        }
        unheard.into_iter().for_each(|grant| self.outcomes.push(unsent(grant), None));
        self.outcomes.propose(&self.shared.cluster);
    }

    /// Returns the places of effects that were not granted. A grant keeps one place.
    pub(super) fn give_back(&mut self, taken: &Places, granted: &[Grant]) {
        let mut granted: BTreeSet<EffectId> = granted.iter().map(|grant| grant.effect).collect();
        for (effect, instance) in taken {
            if !granted.remove(effect) {
                self.limits.give_back(instance);
            }
        }
    }

    /// Returns grants of which no call is made, and the places that were taken for them.
    fn decline(&mut self, grants: Vec<Grant>, taken: &Places) {
        for grant in grants {
            let place = taken.iter().find(|(effect, _)| *effect == grant.effect);
            if let Some((_, instance)) = place {
                self.limits.give_back(instance);
            }
            self.outcomes.push(unsent(grant), None);
        }
    }

    /// Starts the calls; gives back the grants that nothing here can send.
    fn start(&mut self, grants: Vec<Grant>) -> Vec<Grant> {
        let rules = &self.ruleset.rules;
        let owed: Vec<_> = self
            .shared
            .cluster
            .read(|state| grants.iter().map(|grant| effect(state, *grant, rules)).collect());
        let mut unsent = Vec::new();
        for (grant, owed) in grants.into_iter().zip(owed) {
            let Some((job, route)) = owed else {
                unsent.push(grant);
                continue;
            };
            let call = Call { grant, instance: job.route.full_instance() };
            let integration = Arc::clone(&route.integration);
            self.calls.start(call, send(job, integration, Arc::clone(&self.shared)));
        }
        unsent
    }
}

/// The answers to the Begins under way. Never returns where there are none.
async fn answers(asked: &mut Option<AskedBatch>) -> GrantAnswers {
    match asked {
        Some(asked) => (&mut asked.answers).await,
        None => std::future::pending().await,
    }
}

fn granted(answers: Vec<Applied>) -> Vec<Grant> {
    answers.into_iter().flat_map(Applied::granted).collect()
}

#[cfg(test)]
#[path = "worker_test.rs"]
mod tests;

#[cfg(test)]
#[path = "begin_first_test.rs"]
mod begin_tests;

#[cfg(test)]
#[path = "grants_test.rs"]
mod grant_tests;

#[cfg(test)]
#[path = "swap_test.rs"]
mod swap_tests;
