//! Summaries of a run, or group, as a section of Markdown, and the rendering of templates with
//! their failure. Where a section goes is the integration's business.

use super::text::{duration_between, one_line, state_word};
use crate::effect::{Summary, SummaryRow};
use crate::event::RunState;
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::template::{Data, Markup, Template, escape_markdown};

/// The section that a comment appends: `template`, or else a table of all rows.
///
/// # Errors
/// The template failed on this summary.
pub(super) fn summary_markdown(
    summary: &Summary,
    template: Option<&Template>,
) -> Result<String, DeliveryFailure> {
    match template {
        Some(template) => render(template, &Data::summary(summary), Markup::Markdown),
        None => Ok(table(summary)),
    }
}

/// Renders a template for a target that reads `markup`. Its error is permanent: the same data gives
/// the same error until someone mends the template and replays the dead letter.
///
/// # Errors
/// The template failed on this data.
pub(super) fn render(
    template: &Template,
    data: &Data,
    markup: Markup,
) -> Result<String, DeliveryFailure> {
    template.render_for(data, markup).map_err(|error| {
        DeliveryFailure::new(FailureKind::Render, Retryability::Permanent, &error.to_string())
    })
}

/// A mark for a state, where colour is seen before words.
pub(super) fn emoji(state: Option<RunState>) -> &'static str {
    match state {
        Some(RunState::Pending | RunState::Running) => "⏳",
        Some(RunState::Success) => "✅",
        Some(RunState::Failure | RunState::Error) => "❌",
        Some(RunState::Canceled) => "🚫",
        None => "❔",
    }
}

fn word(state: Option<RunState>) -> &'static str {
    state.map_or("unknown", state_word)
}

/// The mark of a row.
pub(super) fn row_emoji(row: &SummaryRow) -> &'static str {
    match (row.is_skipped, row.is_ignored) {
        (true, _) => "⏭️",
        (_, true) => "⚠️",
        (false, false) => emoji(row.state),
    }
}

/// What a reader sees as the state of a row.
pub(super) fn row_word(row: &SummaryRow) -> &'static str {
    match (row.is_skipped, row.is_ignored) {
        (true, _) => "skipped",
        (_, true) => "failed, ignored",
        (false, false) => word(row.state),
    }
}

fn table(summary: &Summary) -> String {
    let title = cell(&summary.title);
    let mut lines = vec![
        format!("### {} {title}: {}", emoji(Some(summary.state)), state_word(summary.state)),
        String::new(),
        "| Task | State | Duration | Reason |".to_owned(),
        "| --- | --- | --- | --- |".to_owned(),
    ];
    lines.extend(summary.rows.iter().map(table_row));
    if summary.is_incomplete {
        lines.push(String::new());
        lines.push("Not every task has reported its end.".to_owned());
    }
    lines.join("\n")
}

fn table_row(row: &SummaryRow) -> String {
    let finally = if row.is_finally { " (finally)" } else { "" };
    let duration = duration_between(row.started_at, row.finished_at).unwrap_or_default();
    format!(
        "| {}{finally} | {} {} | {duration} | {} |",
        cell(&row.name),
        row_emoji(row),
        row_word(row),
        cell(&row.reason)
    )
}

/// Text that can neither leave its table cell nor notify a person by name.
fn cell(text: &str) -> String {
    escape_markdown(&one_line(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integration::fixture;
    use crate::template::DataKind;

    #[test]
    fn the_table_shows_every_row_also_those_never_heard_of() {
        let expected = "### ❌ app: failed\n\n\
            | Task | State | Duration | Reason |\n\
            | --- | --- | --- | --- |\n\
            | build | ❌ failed | 1m 1s | Failed |\n\
            | deploy | ❔ unknown |  |  |\n\n\
            Not every task has reported its end.";
        assert_eq!(summary_markdown(&fixture::summary(), None), Ok(expected.to_owned()));
    }

    #[test]
    fn a_complete_summary_has_no_notice_and_marks_finally_tasks() {
        let mut summary = fixture::summary();
        summary.is_incomplete = false;
        summary.rows.remove(1);
        summary.rows[0].is_finally = true;
        let table = summary_markdown(&summary, None).unwrap();
        assert!(table.ends_with("| build (finally) | ❌ failed | 1m 1s | Failed |"), "{table}");
    }

    #[test]
    fn a_name_can_neither_leave_its_cell_nor_address_people() {
        let mut summary = fixture::summary();
        summary.rows.truncate(1);
        summary.rows[0].name = "a | b\n@team *x*".to_owned();
        let table = summary_markdown(&summary, None).unwrap();
        assert!(table.contains("| a \\| b @\u{200b}team \\*x\\* |"), "{table}");
    }

    #[test]
    fn a_template_replaces_the_table() {
        let template = Template::compile("All of {{.RunName}}", DataKind::Summary).unwrap();
        let text = summary_markdown(&fixture::summary(), Some(&template));
        assert_eq!(text, Ok("All of app-x7k2p".to_owned()));
    }
}
