//! The page of the metrics and the alerts say what a relay shows, from its first scrape on.

use crate::api::fixture::Bench;
use crate::effect::RouteName;
use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../docs/METRICS.md");
const RUNBOOKS: &str = include_str!("../docs/OPERATIONS.md");
const PREFIX: &str = "tekton_events_relay_";

/// Values of `of` that count since the process started, as a counter does.
const PROCESS_TOTALS: [&str; 4] = [
    "gossip_datagrams_refused",
    "peer_connections_refused",
    "nodes_not_admitted",
    "unhealthy_judgements",
];

/// What a relay that has seen nothing yet shows.
struct Scrape {
    /// `counter`, `gauge` or `histogram`, by name.
    kinds: BTreeMap<String, String>,
    /// The name and the labels of each series.
    series: Vec<(String, BTreeMap<String, String>)>,
}

/// A scrape of a relay with one route, as the composition root starts it.
async fn fresh() -> Scrape {
    let bench = Bench::alone().await;
    let [kind, instance, action] = ["github", "hub", "checks"].map(str::to_owned);
    bench.api.metrics.expect_routes([&RouteName { kind, instance, action }]);
    let (_, text) = bench.get("/metrics").await;
    let mut scrape = Scrape { kinds: BTreeMap::new(), series: Vec::new() };
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            scrape.kinds.insert(name.to_owned(), kind.to_owned());
        } else if !line.starts_with('#') {
            let Some((name, rest)) = line.split_once('{') else {
                let name = line.split(' ').next().unwrap().to_owned();
                scrape.series.push((name, BTreeMap::new()));
                continue;
            };
            let pairs = rest.split_once('}').unwrap().0.split(',');
            let pair = |pair: &str| {
                let (label, value) = pair.split_once('=').unwrap();
                (label.to_owned(), value.trim_matches('"').to_owned())
            };
            scrape.series.push((name.to_owned(), pairs.map(pair).collect()));
        }
    }
    scrape
}

impl Scrape {
    /// The labels of a metric; the bounds of a histogram's buckets are none.
    fn labels(&self, name: &str) -> BTreeSet<&str> {
        let series = self.series.iter().filter(|(of, _)| metric(of) == name);
        let labels = series.flat_map(|(_, labels)| labels.keys().map(String::as_str));
        labels.filter(|label| *label != "le").collect()
    }

    fn values(&self, name: &str, label: &str) -> BTreeSet<&str> {
        let series = self.series.iter().filter(|(of, _)| of == name);
        series.filter_map(|(_, labels)| labels.get(label)).map(String::as_str).collect()
    }

    fn has(&self, selector: &Selector) -> bool {
        let is_met = |labels: &BTreeMap<String, String>, condition: &(&str, bool, &str)| {
            let (label, is_equal, value) = condition;
            labels.get(*label).is_some_and(|known| (known == value) == *is_equal)
        };
        self.series.iter().any(|(name, labels)| {
            name == selector.name && selector.conditions.iter().all(|it| is_met(labels, it))
        })
    }
}

/// The metric that a series of the exposition belongs to.
fn metric(series: &str) -> &str {
    let parts = ["_bucket", "_sum", "_count"];
    parts.iter().find_map(|part| series.strip_suffix(part)).unwrap_or(series)
}

/// Series that an expression names.
struct Selector<'a> {
    name: &'a str,
    /// Label, whether it has to have the value, value.
    conditions: Vec<(&'a str, bool, &'a str)>,
}

fn selectors(expression: &str) -> Vec<Selector<'_>> {
    let starts = expression.match_indices(PREFIX).map(|(at, _)| &expression[at..]);
    starts
        .map(|text| {
            let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let (name, rest) = text.split_at(end.unwrap_or(text.len()));
            let given = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            let given = given.map_or("", |(given, _)| given);
            let condition = |text| {
                let (label, value): (&str, &str) = str::split_once(text, '=').unwrap();
                let is_equal = !label.ends_with('!');
                (label.trim_end_matches('!'), is_equal, value.trim_matches('"'))
            };
            let conditions = given.split(',').filter(|text| !text.is_empty()).map(condition);
            Selector { name, conditions: conditions.collect() }
        })
        .collect()
}

/// The expressions of the table of alerts.
fn alerts() -> Vec<&'static str> {
    let (_, section) = RUNBOOKS.split_once("## Alerts\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap()).collect()
}

/// What stands before the bracket that closes an earlier one.
fn bracketed(after: &str) -> &str {
    let mut depth = 1;
    let end = after.find(|c: char| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    &after[..end.unwrap()]
}

/// Rows of the table whose first head is this: what stands in code in each column, or its words.
fn table(head: &str) -> Vec<Vec<String>> {
    let (_, rows) = PAGE.split_once(&format!("| {head} |")).unwrap();
    let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', ""));
        cells.collect()
    };
    rows.map(cells).collect()
}

#[tokio::test]
async fn the_page_lists_every_metric_with_its_type_and_labels() {
    let scrape = fresh().await;
    let told: BTreeMap<String, (String, BTreeSet<String>)> = table("Metric")
        .into_iter()
        .map(|row| {
            let labels = row[2].split(", ").filter(|label| !label.is_empty());
            let labels = labels.map(str::to_owned).collect();
            (format!("{PREFIX}{}", row[0]), (row[1].clone(), labels))
        })
        .collect();
    let shown: BTreeMap<String, (String, BTreeSet<String>)> = scrape
        .kinds
        .iter()
        .map(|(name, kind)| {
            let labels = scrape.labels(name).into_iter().map(str::to_owned).collect();
            (name.clone(), (kind.clone(), labels))
        })
        .collect();
    assert_eq!(told, shown);
}

#[tokio::test]
async fn the_page_lists_every_value_of_the_label_of() {
    let scrape = fresh().await;
    for name in ["state", "replica"] {
        let rows = table(&format!("`of` in `{name}`"));
        let told: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(told, scrape.values(&format!("{PREFIX}{name}"), "of"), "{name}");
    }
}

#[tokio::test]
async fn every_series_of_an_alert_exists_before_it_counts_anything() {
    let scrape = fresh().await;
    let alerts = alerts();
    assert!(alerts.len() > 20, "{alerts:?}");
    for alert in alerts {
        for selector in selectors(alert) {
            assert!(scrape.has(&selector), "{} in {alert}", selector.name);
        }
    }
}

#[tokio::test]
async fn only_what_a_process_counts_itself_is_taken_the_increase_of() {
    let scrape = fresh().await;
    for alert in alerts() {
        for function in ["increase(", "rate("] {
            for (at, _) in alert.match_indices(function) {
                let of = bracketed(&alert[at + function.len()..]);
                let [selector] = <[Selector; 1]>::try_from(selectors(of)).ok().unwrap();
                // A gauge of the replicated state rises from nothing in each new replica.
                let kind = &scrape.kinds[metric(selector.name)];
                let is_own = ["counter", "histogram"].contains(&kind.as_str());
                let value = selector.conditions.first().map(|(_, _, value)| *value);
                let counts = value.is_some_and(|value| PROCESS_TOTALS.contains(&value));
                assert!(is_own || counts, "{kind}: {alert}");
            }
        }
    }
}

/// Why this expression does not do what it seems to.
fn mistake(alert: &str) -> Option<&'static str> {
    for (at, function) in alert.match_indices("count(") {
        // What a comparison leaves is a list without members, of which there is no count at all.
        let counted = bracketed(&alert[at + function.len()..]);
        if [" == ", " < ", " > "].iter().any(|comparison| counted.contains(comparison)) {
            return Some("never 0");
        }
    }
    let parts: Vec<&str> = alert.split(" and ").collect();
    for side in 1..parts.len() {
        let (before, after) = (parts[..side].concat(), parts[side]);
        let depth = before.matches('(').count() - before.matches(')').count();
        // Outside of every aggregation there are no labels left.
        if depth > 0 && !after.starts_with("ignoring(of) ") {
            return Some("series that differ in the label of never match");
        }
    }
    None
}

#[test]
fn every_alert_can_fire() {
    for alert in alerts() {
        assert_eq!(mistake(alert), None, "{alert}");
    }
    for alert in ["count(x == 1) != 1", "max(x{of=\"a\"} and x{of=\"b\"} == 1) < 1"] {
        assert!(mistake(alert).is_some(), "{alert}");
    }
}
