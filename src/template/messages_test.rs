//! Whole messages, in the style of real comments, chats, mails and tickets.

use super::fixture::{context, event, render, summary};
use super::{Data, DataKind, RenderError, Template};
use crate::event::{RunEvent, RunState};

fn render_event(text: &str, event: &RunEvent) -> Result<String, RenderError> {
    Template::compile(text, DataKind::Event).unwrap().render(&Data::event(event, &context()))
}

#[test]
fn a_pull_request_comment_lists_state_commit_and_results() {
    let text = r#"
{{- $name := .PipelineDisplayName -}}
{{- if eq $name "" }}{{ $name = .PipelineName }}{{ end -}}
### {{ if eq .State "success" }}:white_check_mark:{{ else }}:x:{{ end }} {{ $name }}

| | |
|---|---|
| Commit | `{{ printf "%.8s" .CommitSHA }}` |
{{- if not .StartedAt.IsZero }}
| Started | {{ .StartedAt.Format "2006-01-02 15:04:05 MST" }} |
{{- if not .FinishedAt.IsZero }}
| Took | {{ printf "%.0fs" (.FinishedAt.Sub .StartedAt).Seconds }} |
{{- end }}
{{- end }}
{{- range .Results }}
| {{ .Name }} | {{ .Value | trunc 12 }} |
{{- end }}
{{- if .TargetURL }}

[Details]({{ .TargetURL }})
{{- end }}
"#;
    let expected = "### :x: Build & test

| | |
|---|---|
| Commit | `01234567` |
| Started | 2026-03-05 16:07:09 UTC |
| Took | 84s |
| digest | sha256:ab |
| url | https://x/?a |

[Details](https://dash.example/build-x1)
";
    assert_eq!(render(text), expected);
}

#[test]
fn an_unstarted_run_leaves_its_times_out() {
    let text = "{{.State}}{{if not .StartedAt.IsZero}} since {{.StartedAt}}{{end}}";
    let pending = RunEvent {
        state: RunState::Pending,
        started_at: crate::clock::Timestamp::UNKNOWN,
        ..event()
    };
    assert_eq!(render_event(text, &pending).unwrap(), "pending");
}

#[test]
fn a_chat_message_chooses_its_words_by_state() {
    let text = "{{if eq .State \"success\"}}passed\
                {{else if eq .State \"failure\" \"error\"}}failed: {{.Reason}}\
                {{else}}{{.State}}{{end}}";
    for (state, expected) in [
        (RunState::Success, "passed"),
        (RunState::Failure, "failed: Failed"),
        (RunState::Error, "failed: Failed"),
        (RunState::Running, "running"),
        (RunState::Pending, "pending"),
        (RunState::Canceled, "canceled"),
    ] {
        let event = RunEvent { state, ..event() };
        assert_eq!(render_event(text, &event).unwrap(), expected);
    }
}

#[test]
fn a_recovery_is_told_by_the_previous_state() {
    let text = "{{if ne .State .PreviousState}}{{.PreviousState}} -> {{.State}}{{end}}";
    assert_eq!(render(text), "success -> failure");
    let same = RunEvent { state: RunState::Success, ..event() };
    assert_eq!(render_event(text, &same).unwrap(), "");
}

#[test]
fn a_ticket_links_its_pull_request_and_author() {
    let text = "{{.JiraIssueKey}}: {{PRRef .Provider .PRNumber .Repo.Owner .Repo.Name}} \
                by {{UserMention .Provider (default \"nobody\" .Labels.author)}} \
                on {{regexReplaceAll \"^refs/heads/\" .Ref \"\"}}";
    assert_eq!(render(text), "OPS-9: acme/shop!17 by @nobody on main");
}

#[test]
fn a_json_body_quotes_what_it_is_given() {
    let text = r#"{"text": {{ toJson .Description }}, "labels": {{ toJson .Labels }}}"#;
    let quoted = RunEvent { message: "say \"no\"\n<now>".to_owned(), ..event() };
    assert_eq!(
        render_event(text, &quoted).unwrap(),
        r#"{"text": "say \"no\"\n\u003cnow\u003e", "labels": {"app.kubernetes.io/name":"shop"}}"#
    );
}

#[test]
fn text_of_a_run_is_never_read_as_a_template() {
    let hostile = RunEvent { message: "{{.Labels}} {{env \"HOME\"}} %s".to_owned(), ..event() };
    assert_eq!(
        render_event("{{.Description}}|{{.Description | printf \"%s\"}}", &hostile).unwrap(),
        "{{.Labels}} {{env \"HOME\"}} %s|{{.Labels}} {{env \"HOME\"}} %s"
    );
}

#[test]
fn a_summary_counts_what_failed() {
    let text = "{{$failed := 0}}{{range .Tasks}}{{if has .State (list \"failure\" \"error\")}}\
                {{$failed = add1 $failed}}{{end}}{{end}}\
                {{$failed}} of {{len .Tasks}} {{plural \"task\" \"tasks\" (len .Tasks)}} failed";
    let template = Template::compile(text, DataKind::Summary).unwrap();
    assert_eq!(template.render(&Data::summary(&summary())).unwrap(), "1 of 3 tasks failed");
}
