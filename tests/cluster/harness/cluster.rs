//! The nodes of one cluster, the receiver they send to, the senders, and the observer of all nodes.

use super::deadline::{FORMED_MAX, SETTLED_MAX};
use super::evidence::{Evidence, collect, left};
use super::history::Sent;
use super::lab::{Counts, Lab};
use super::load::Load;
use super::network::{Network, Processes};
use super::node::{Node, Serve, Settling, error_lines};
use super::observer::{Digest, Observed, Observer};
use super::place::Street;
use super::pods::Pods;
use super::site::Site;
use super::timed_receiver::TimedReceiver;
use super::view::{MemberView, View, agree};
use crate::invariant;
use crate::shared::{POD_HEADER, eventually, reached, try_reach, write_config};
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Violations that are printed; files in the scenario's directory have the rest.
const LINES_TOLD_MAX: usize = 20;

/// The secret of all nodes of a cluster, unless a scenario gives them another one.
pub const SECRET: &str = "the secret of all nodes of a scenario";

/// How a cluster is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Places for nodes; not all must run.
    pub places: usize,
    /// How many replicas the first formation waits for.
    pub replicas: usize,
    /// Whether the network between them can be broken.
    pub is_fronted: bool,
}

impl Shape {
    /// This many nodes, all of them at the first formation.
    pub fn of(nodes: usize) -> Self {
        Self { places: nodes, replicas: nodes, is_fronted: false }
    }

    /// The same with a network that can be broken.
    pub fn fronted(self) -> Self {
        Self { is_fronted: true, ..self }
    }
}

/// A cluster and its surroundings.
pub struct Cluster {
    pub nodes: Vec<Node>,
    pub receiver: TimedReceiver,
    pub load: Load,
    pub serve: Serve,
    /// Texts of ERROR lines that the scenario causes on purpose.
    announced: Vec<&'static str>,
    site: Site,
    processes: Processes,
    network: Option<Network>,
    observer: Observer,
    folder: PathBuf,
}

impl Cluster {
    /// Prepares everything. No node runs yet.
    pub async fn new(lab: &Lab, shape: Shape) -> Self {
        let street = Street::new(shape.is_fronted);
        let receiver = TimedReceiver::start(Instant::now()).await;
        let processes = Processes::default();
        let identify = processes.identify();
        let mut cluster = Self::laid_out(lab, shape, receiver, (Site::Street(street), processes));
        if shape.is_fronted {
            let attachments: Vec<_> = (0..shape.places).map(|at| street.attachment(at)).collect();
            cluster.network = Some(Network::start(&attachments, identify).await);
        }
        cluster
    }

    /// Prepares everything in pods that find each other by DNS, which knows none of them yet.
    /// Members that are gone are removed as early as the configuration allows.
    pub async fn in_pods(lab: &Lab, count: usize) -> Self {
        let pods = Arc::new(Pods::new(count).await);
        let receiver = TimedReceiver::start_at(pods.outside(), Instant::now()).await;
        let site = (Site::Pods(pods), Processes::default());
        let cluster = Self::laid_out(lab, Shape::of(count), receiver, site);
        for node in &cluster.nodes {
            node.configure(|text| text + "cluster: { removal_grace: 30s }\n");
        }
        cluster
    }

    fn laid_out(
        lab: &Lab,
        shape: Shape,
        receiver: TimedReceiver,
        (site, processes): (Site, Processes),
    ) -> Self {
        let at = (&site, &processes);
        let node = |number| furnished(number, &lab.folder, &receiver, at);
        let nodes: Vec<Node> = (0..shape.places).map(node).collect();
        let urls = nodes.iter().map(|node| node.url("/")).collect();
        let observed = nodes.iter().map(|node| Observed {
            pod: node.pod(),
            url: node.url(""),
            folder: node.folder().to_owned(),
        });
        let observed = observed.collect();
        let serve = Serve {
            binary: lab.binary.clone(),
            replicas: shape.replicas,
            seeds: (0..shape.replicas).collect(),
            peer_tls: "required",
        };
        let load = Load::new(urls, site.client(), (lab.seed, receiver.started()));
        let observer = Observer::start(observed, site.client(), receiver.started());
        let (network, announced, folder) = (None, Vec::new(), lab.folder.clone());
        Self { nodes, receiver, load, serve, announced, site, processes, network, observer, folder }
    }

    /// Starts the nodes of the first formation, and waits until they have formed the cluster.
    pub async fn formed(lab: &Lab, shape: Shape) -> Self {
        let mut cluster = Self::new(lab, shape).await;
        for node in 0..shape.replicas {
            cluster.start(node);
        }
        cluster.agreed(shape.replicas).await;
        cluster.spread().await;
        cluster
    }

    /// Allows this text in nodes' ERROR lines: the scenario causes it.
    pub fn announce(&mut self, text: &'static str) {
        self.announced.push(text);
    }

    /// A node at a separate place, without observer and senders. It does not run yet.
    pub fn outsider(&self, number: usize) -> Node {
        assert!(number >= self.nodes.len(), "the place is taken");
        furnished(number, &self.folder, &self.receiver, (&self.site, &self.processes))
    }

    /// The breakable network.
    pub fn network(&self) -> &Network {
        self.network.as_ref().expect("the scenario asked for a fronted shape")
    }

    /// The pods that the nodes run in.
    pub fn pods(&self) -> &Pods {
        match &self.site {
            Site::Pods(pods) => pods,
            Site::Street(_) => panic!("the scenario did not ask for pods"),
        }
    }

    /// Starts a node, and does not wait.
    pub fn start(&mut self, node: usize) {
        let serve = self.serve.clone();
        self.nodes[node].start(&serve);
    }

    fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.is_running())
    }

    fn assert_all_run(&mut self) {
        self.nodes.iter_mut().for_each(Node::assert_runs);
    }

    /// Waits until all running nodes are ready and name the same cluster, one of them as leader,
    /// the same members, this many of them, and no slot without an owner.
    pub async fn agreed(&mut self, members: usize) -> View {
        let what = format!("{members} members agree:");
        reached(&what, FORMED_MAX, async || {
            self.assert_all_run();
            self.agreement(members).await
        })
        .await
    }

    /// What the running nodes agree on.
    async fn agreement(&self, members: usize) -> Result<View, String> {
        let ready = join_all(self.running().map(Node::is_ready)).await;
        let views = join_all(self.running().map(Node::view)).await;
        let answered: Vec<View> = views.iter().flatten().cloned().collect();
        let is_all = answered.len() == views.len() && ready.iter().all(|is_ready| *is_ready);
        let agreed = answered.first().filter(|view| view.members.len() == members);
        match agreed {
            Some(view) if is_all && agree(&answered) => Ok(view.clone()),
            Some(_) | None => {
                let told: String = answered.iter().map(View::to_string).collect();
                Err(format!("ready {ready:?}\n{told}"))
            }
        }
    }

    /// Waits until the running members own equally many slots, plus or minus one.
    pub async fn spread(&self) {
        eventually("slots are spread over the running nodes", FORMED_MAX, async || {
            let views = join_all(self.running().map(Node::view)).await;
            let views: Vec<View> = views.into_iter().collect::<Option<_>>()?;
            let first = views.first()?;
            let counts = views.iter().map(|view| first.member(&view.node)?.slots);
            let counts: Vec<u64> = counts.collect::<Option<_>>()?;
            let (least, most) = (counts.iter().min()?, counts.iter().max()?);
            let is_all = counts.iter().sum::<u64>() == first.slots.total;
            (is_all && most - least <= 1).then_some(())
        })
        .await;
    }

    /// Waits until a running node names a running node as leader; returns its number.
    pub async fn leader(&self) -> usize {
        eventually("there is a leader", FORMED_MAX, async || {
            let views = join_all(self.running().map(Node::view)).await;
            let views: Vec<(usize, View)> = self
                .running()
                .zip(views)
                .filter_map(|(node, view)| Some((node.number, view?)))
                .collect();
            // The view of the newest term is right.
            let newest = views.iter().max_by_key(|(_, view)| view.term)?;
            let leader = newest.1.leader.as_ref()?;
            views.iter().find(|(_, view)| view.node == *leader).map(|(number, _)| *number)
        })
        .await
    }

    /// Waits until one of these nodes leads by its own answer; returns its number.
    pub async fn other_leader(&self, among: &[usize]) -> usize {
        eventually("there is another leader", FORMED_MAX, async || {
            let views = join_all(among.iter().map(|node| self.nodes[*node].view())).await;
            let views: Vec<View> = views.into_iter().collect::<Option<_>>()?;
            let leader = views.first()?.leader.clone()?;
            let is_agreed = views.iter().all(|view| view.leader.as_ref() == Some(&leader));
            let found = views.iter().position(|view| view.node == leader && is_agreed);
            found.map(|at| among[at])
        })
        .await
    }

    /// Waits until `lost` owns no slots any more, by the answer of `asked`.
    pub async fn taken_over(&self, lost: usize, asked: usize) {
        let pod = self.nodes[lost].pod();
        let what = format!("the slots of {pod} are taken over");
        eventually(&what, FORMED_MAX, async || {
            let view = self.nodes[asked].view().await?;
            let of_lost = |member: &&MemberView| member.name.as_ref() == Some(&pod);
            (view.members.iter().find(of_lost)?.slots == Some(0)).then_some(())
        })
        .await;
    }

    /// Waits until all running nodes, this many of them, are the members, the right number of them
    /// vote, and the slots are spread over them.
    pub async fn resized(&mut self, members: usize) {
        // An even number of members leaves one without a vote, except that two are two voters.
        let voters = if members == 2 { 2 } else { (members - 1) / 2 * 2 + 1 };
        assert_eq!(self.running().count(), members);
        let what = format!("{voters} of {members} members vote:");
        reached(&what, FORMED_MAX, async || {
            self.assert_all_run();
            let view = self.agreement(members).await?;
            let is_met = view.voters() == voters;
            is_met.then_some(()).ok_or_else(|| view.to_string())
        })
        .await;
        self.spread().await;
    }

    /// Some running node that does not lead.
    pub async fn follower(&self) -> usize {
        let leader = self.leader().await;
        let mut others = self.running().map(|node| node.number).filter(|node| *node != leader);
        others.next().expect("more than one node runs")
    }

    /// Waits until this many more events have been acknowledged.
    pub async fn progress(&self, events: usize) {
        let wanted = self.load.acknowledged() + events;
        let what = format!("{events} more events are acknowledged");
        eventually(&what, FORMED_MAX, async || (self.load.acknowledged() >= wanted).then_some(()))
            .await;
    }

    /// Waits until `node` has made this many more webhook calls.
    pub async fn calls_by(&self, node: usize, calls: usize) {
        let pod = self.nodes[node].pod();
        let made = || {
            let seen = self.receiver.seen();
            seen.webhooks().iter().filter(|call| call.headers[POD_HEADER] == pod).count()
        };
        let wanted = made() + calls;
        let what = format!("{pod} makes {calls} more calls");
        eventually(&what, FORMED_MAX, async || (made() >= wanted).then_some(())).await;
    }

    /// Waits until nothing is left to plan or send, and all running nodes have applied the same
    /// entries; returns the index of the last one. The invariants check later whether their states
    /// are equal.
    ///
    /// # Panics
    /// It took too long; the message says what is left.
    pub async fn settled(&mut self) -> u64 {
        let settled = try_reach(SETTLED_MAX, async || {
            self.assert_all_run();
            let settling = join_all(self.running().map(Node::settling)).await;
            let told = || settling.iter().map(|node| node.as_ref().map(Settling::to_string));
            let all: Option<Vec<&Settling>> = settling.iter().map(Option::as_ref).collect();
            let is_settled = |all: &Vec<&Settling>| {
                let index = all[0].digest().applied_index;
                all.iter().all(|node| node.left() == 0 && node.digest().applied_index == index)
            };
            match all.filter(is_settled) {
                Some(all) => Ok(all.into_iter().map(|node| node.digest().clone()).collect()),
                None => Err(format!("{:?}", told().collect::<Vec<_>>())),
            }
        })
        .await;
        let digests: Vec<Digest> = match settled {
            Ok(digests) => digests,
            Err(missing) => {
                let node = self.running().next().expect("a node runs");
                let left = left(node, &self.load.history()).await;
                panic!("not settled within {SETTLED_MAX:?}: {missing}\n{}", told(&left));
            }
        };
        for (node, digest) in self.running().zip(&digests) {
            self.observer.keep_digest(&node.pod(), digest);
        }
        digests[0].applied_index
    }

    /// Waits until the cluster has settled; returns everything known about it by then.
    pub async fn evidence(&mut self) -> Evidence {
        let index = self.settled().await;
        let pods: BTreeSet<String> = self.running().map(Node::pod).collect();
        let node = self.running().next().expect("a node runs");
        let (history, sightings) = (self.load.history(), self.observer.sightings());
        let evidence = collect(node, &self.receiver.received(), history, sightings).await;
        Evidence { settled: (pods, index), disturbed: self.disturbed(), ..evidence }
    }

    fn disturbed(&self) -> Option<(Duration, Duration)> {
        let (from, until) = self.network.as_ref()?.disturbed()?;
        let since = |at: Instant| at.duration_since(self.receiver.started());
        Some((since(from), since(until.unwrap_or_else(Instant::now))))
    }

    /// Waits until the cluster has settled, and checks all invariants.
    ///
    /// # Panics
    /// One is violated, or a node has panicked, or logged an unannounced error.
    pub async fn verify(&mut self) -> Counts {
        self.verify_but(&[]).await
    }

    /// The same without the invariants of these names, which the scenario breaks on purpose.
    pub async fn verify_but(&mut self, excused: &[&str]) -> Counts {
        let evidence = self.evidence().await;
        let mut violations = invariant::violations(&evidence, excused);
        let panicked = self.nodes.iter().filter(|node| node.log().contains("panicked at"));
        violations.extend(panicked.map(|node| format!("{} has panicked", node.pod())));
        for node in &self.nodes {
            let log = node.log();
            let errors = error_lines(&log, &self.announced).into_iter();
            violations.extend(errors.map(|line| format!("{} told {line}", node.pod())));
        }
        assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), told(&violations));
        let history = &evidence.history;
        Counts {
            events: history.sent.len(),
            tries: history.tries(),
            unacknowledged: history.unacknowledged().len(),
            spooled: history.with_fate("spooled"),
            arrivals: evidence.arrivals.len(),
            repeated: invariant::counted_repeats::repeated(&evidence),
            in_doubt: evidence.in_doubt,
            resumed: None,
        }
    }

    /// Fails if a sender was not acknowledged.
    pub fn assert_all_acknowledged(&self) {
        let history = self.load.history();
        let refused = history.unacknowledged().into_iter().map(Sent::title).collect::<Vec<_>>();
        assert!(refused.is_empty(), "{} not acknowledged:\n{}", refused.len(), told(&refused));
    }
}

/// After a failed scenario the logs of the nodes, the sent events and the arrived calls are kept.
impl Drop for Cluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let calls = self.receiver.seen().calls.into_iter();
        let calls = calls.map(|call| {
            let header =
                |name| call.headers.get(name).map_or("", |text| text.to_str().unwrap_or(""));
            let (effect, pod) = (header("webhook-id"), header(POD_HEADER));
            format!("{} {} {} {effect} {pod} {}\n", call.status, call.method, call.path, call.body)
        });
        // The scenario's own failure is more important than this.
        let _ = std::fs::write(self.folder.join("arrivals"), calls.collect::<String>());
        let _ = std::fs::write(self.folder.join("history"), self.load.history().to_text());
        let sightings = format!("{:#?}\n", self.observer.sightings());
        let _ = std::fs::write(self.folder.join("sightings"), sightings);
    }
}

/// A node with a folder of its own below `folder`, and a configuration in it.
fn furnished(
    number: usize,
    folder: &Path,
    receiver: &TimedReceiver,
    (site, processes): (&Site, &Processes),
) -> Node {
    let folder = folder.join(format!("relay-{number}"));
    std::fs::create_dir_all(&folder).unwrap();
    let node = Node::new(number, folder, site.clone(), processes.clone());
    write_config(node.folder(), receiver.untimed(), &node.pod());
    node.share(SECRET);
    node
}

/// The first lines of a long list.
fn told(lines: &[String]) -> String {
    lines[..lines.len().min(LINES_TOLD_MAX)].join("\n")
}
