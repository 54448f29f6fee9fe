//! The page of the metrics and the alerts agree with what a relay shows, from its first scrape on.

use crate::api::fixture::Bench;
use crate::effect::RouteName;
use crate::telemetry::metric_table::{PREFIX, ROWS, Source};
use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../docs/METRICS.md");
const RUNBOOKS: &str = include_str!("../docs/OPERATIONS.md");

/// The scrape of a relay without any event.
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
    /// The labels of a metric, without the bounds of a histogram's buckets.
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
    /// Label, whether it must equal the value, value.
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

/// The text before the bracket that closes an earlier one.
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

/// Rows of the table with this first heading: the code of each column, or its words.
fn table(head: &str) -> Vec<Vec<String>> {
    let (_, rows) = PAGE.split_once(&format!("| {head} |")).unwrap();
    let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', ""));
        cells.collect()
    };
    rows.map(cells).collect()
}

/// A cell of the page as plain words: without code marks, and with links as their text.
fn plain(cell: &str) -> String {
    let mut text = String::new();
    for (part, after) in cell.split('[').map(|part| part.split_once("](").unwrap_or((part, ")"))) {
        text.push_str(part);
        text.push_str(after.split_once(')').map_or("", |(_, rest)| rest));
    }
    text
}

#[test]
fn the_page_has_the_rows_of_the_table_in_their_order() {
    let told: Vec<Vec<String>> = table("Metric")
        .into_iter()
        .map(|row| row.iter().map(|cell| plain(cell)).collect())
        .collect();
    let known: Vec<Vec<String>> = ROWS
        .iter()
        .map(|row| {
            let labels = row.labels.join(", ");
            [row.name, row.kind.as_str(), row.unit.as_str(), &labels, row.help]
                .map(str::to_owned)
                .to_vec()
        })
        .collect();
    assert_eq!(told, known);
    assert_eq!(plain("by the [problem](PROBLEMS.md), or"), "by the problem, or");
}

#[tokio::test]
async fn a_first_scrape_has_every_row_of_the_table_and_nothing_else() {
    let scrape = fresh().await;
    let known: BTreeMap<String, (&str, BTreeSet<&str>)> = ROWS
        .iter()
        .map(|row| {
            let labels = row.labels.iter().copied().collect();
            (format!("{PREFIX}{}", row.name), (row.kind.as_str(), labels))
        })
        .collect();
    let shown: BTreeMap<String, (&str, BTreeSet<&str>)> = scrape
        .kinds
        .iter()
        .map(|(name, kind)| (name.clone(), (kind.as_str(), scrape.labels(name))))
        .collect();
    assert_eq!(shown, known);
}

#[tokio::test]
async fn a_replica_gives_a_value_for_each_metric_of_its_own_and_for_no_other() {
    let bench = Bench::alone().await;
    let given: BTreeSet<&str> =
        bench.api.cluster.gauges().into_iter().map(|(name, _)| name).collect();
    let of_replica = ROWS.iter().filter(|row| matches!(row.source, Source::Replica));
    assert_eq!(given, of_replica.map(|row| row.name).collect());
}

#[tokio::test]
async fn the_page_lists_every_part_of_the_state() {
    let scrape = fresh().await;
    let rows = table("`part` in `state_bytes`");
    let told: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(told, scrape.values(&format!("{PREFIX}state_bytes"), "part"));
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
                // A gauge of the replicated state rises from zero in each new replica.
                let kind = &scrape.kinds[metric(selector.name)];
                assert!(["counter", "histogram"].contains(&kind.as_str()), "{kind}: {alert}");
            }
        }
    }
}

/// Labels of a metric, or of one of a histogram's series.
fn labels_of(name: &str) -> &'static [&'static str] {
    let row = ROWS.iter().find(|row| metric(name).strip_prefix(PREFIX) == Some(row.name));
    row.map_or(&[], |row| row.labels)
}

/// Why this expression does not work as intended.
fn mistake(alert: &str) -> Option<&'static str> {
    for (at, function) in alert.match_indices("count(") {
        // A comparison leaves a list that may be empty, and an empty list has no count.
        let counted = bracketed(&alert[at + function.len()..]);
        if [" == ", " < ", " > "].iter().any(|comparison| counted.contains(comparison)) {
            return Some("never 0");
        }
    }
    let parts: Vec<&str> = alert.split(" and ").collect();
    for side in 1..parts.len() {
        let before = parts[..side].concat();
        let depth = before.matches('(').count() - before.matches(')').count();
        let last = |text| selectors(text).last().map(|selector| labels_of(selector.name));
        let first = |text| selectors(text).first().map(|selector| labels_of(selector.name));
        // Outside every aggregation there are no labels left.
        if depth > 0 && last(parts[side - 1]) != first(parts[side]) {
            return Some("series with other labels never match");
        }
    }
    None
}

#[test]
fn every_alert_can_fire() {
    for alert in alerts() {
        assert_eq!(mistake(alert), None, "{alert}");
    }
    let other_labels = format!("max({PREFIX}state_bytes and {PREFIX}is_leader == 1) < 1");
    for alert in ["count(x == 1) != 1", &other_labels] {
        assert!(mistake(alert).is_some(), "{alert}");
    }
}
