//! Every text that the view gives has passed through the escape.

use super::*;
use crate::effect::RouteName;
use crate::event::{RunContext, shaped_runs};
use crate::integration::fixture::{context, effect, event, route, summary};
use crate::integration::hostile::Hostile;

/// Shows where the escape was applied.
const BRACKETS: Escape = |text| Cow::Owned(format!("[{}]", text.replace('!', "")));

fn texts(said: Escaped<'_>) -> Vec<String> {
    let rows = said.rows().into_iter().map(|row| row.name);
    let texts = [
        said.check_name(),
        said.run_name(),
        said.run_path(),
        said.address().unwrap_or_default(),
        said.detail(),
        said.short_sha(),
    ];
    texts.into_iter().chain(rows).collect()
}

fn said_of(route: &RouteName, event: &RunEvent, context: &RunContext) -> Vec<String> {
    texts(Escaped::new(&effect(route, event, context), BRACKETS))
}

#[test]
fn a_view_says_what_the_run_says() {
    let (event, mut context) = (event(), context());
    let expected = [
        "[tekton/app]",
        "[app-x7k2p]",
        "[ci/app-x7k2p]",
        "[https://dash.example/#/namespaces/ci/pipelineruns/app-x7k2p]",
        "[Tasks Completed: 2 (Failed: 1)]",
        "[0123456]",
    ];
    assert_eq!(said_of(&route(), &event, &context), expected);
    context.failed_tasks = "lint\n(StepFailed)".to_owned();
    context.target_url = String::new();
    let said = said_of(&route(), &event, &context);
    assert_eq!(said[3..5], ["", "[lint (StepFailed): Tasks Completed: 2 (Failed: 1)]"]);
}

#[test]
fn a_view_shows_the_rows_of_the_summary_and_none_without_one() {
    let (route, event, context, summary) = (route(), event(), context(), summary());
    let bare = effect(&route, &event, &context);
    assert_eq!(Escaped::new(&bare, BRACKETS).rows(), []);
    let effect = Effect { summary: Some(&summary), ..bare };
    let row = |name: &str, emoji, word, duration: Option<&str>| EscapedRow {
        name: name.to_owned(),
        emoji,
        word,
        duration: duration.map(str::to_owned),
    };
    let expected =
        [row("[build]", "❌", "failed", Some("1m 1s")), row("[deploy]", "❔", "unknown", None)];
    assert_eq!(Escaped::new(&effect, BRACKETS).rows(), expected);
}

#[test]
fn no_text_of_a_run_leaves_the_view_as_it_came() {
    for event in shaped_runs() {
        let said = Hostile::new(event, "a!b");
        for text in texts(Escaped::new(&said.effect(), BRACKETS)) {
            assert!(text.starts_with('[') && !text.contains('!'), "{text}");
        }
    }
}
