//! What reached each target, in order, as text for people.

use super::receiver::{Arrival, Arrived};
use std::collections::BTreeMap;

/// A block for each kind of target.
#[must_use]
pub fn lines(seen: &Arrived) -> Vec<String> {
    let mut lines = vec!["\ncommit statuses, by commit and check:".to_owned()];
    let mut checks: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let mut messages = Vec::new();
    let mut webhooks = 0;
    for arrival in &seen.arrivals {
        match arrival {
            Arrival::Status { sha, context, state, description } => {
                let line = format!("{state} ({description:.60})");
                checks.entry((sha, context)).or_default().push(line);
            }
            Arrival::Slack { text } => messages.push(format!("  {}", text.replace('\n', " "))),
            Arrival::Webhook { .. } => webhooks += 1,
            Arrival::CommentCreated { .. } | Arrival::CommentEdited { .. } => {}
        }
    }
    for ((sha, context), states) in checks {
        lines.push(format!("  {sha:.7}  {context}"));
        lines.extend(states.into_iter().map(|state| format!("             {state}")));
    }
    lines.push("\npull request comments, as they ended:".to_owned());
    for ((pr, id), body) in &seen.comments {
        lines.push(format!("  #{pr}, comment {id}:"));
        let visible = body.lines().filter(|line| !line.starts_with("<!--"));
        lines.extend(visible.map(|line| format!("    {line}")));
    }
    lines.push("\nSlack:".to_owned());
    lines.extend(messages);
    lines.push(format!("\nwebhook: {webhooks} transitions"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_arrival_is_shown_under_its_target() {
        let status = |state: &str| Arrival::Status {
            sha: "0123456789".to_owned(),
            context: "tekton/ok".to_owned(),
            state: state.to_owned(),
            description: "d".to_owned(),
        };
        let webhook = Arrival::Webhook {
            id: "a".to_owned(),
            run_uid: "u".to_owned(),
            state: "running".to_owned(),
        };
        let slack = Arrival::Slack { text: "two\nlines".to_owned() };
        let arrivals = vec![status("pending"), webhook, slack, status("success")];
        let comments = BTreeMap::from([((7, 1), "<!-- marker -->\n**ok**".to_owned())]);
        let shown = lines(&Arrived { arrivals, comments, refused: 0 });
        assert_eq!(
            shown,
            [
                "\ncommit statuses, by commit and check:",
                "  0123456  tekton/ok",
                "             pending (d)",
                "             success (d)",
                "\npull request comments, as they ended:",
                "  #7, comment 1:",
                "    **ok**",
                "\nSlack:",
                "  two lines",
                "\nwebhook: 1 transitions",
            ]
        );
    }
}
