//! A plan for people: what became of each event, and the exact requests.

use super::{Cause, Counts, Decided, credential, url_text};
use crate::event::escaped_line;
use crate::integration::{HttpRequest, MailMessage, MailServer, Method, Outbound, Turn};
use crate::plan::Step;

/// The lines of a plan, the last of which counts.
pub(super) fn lines(decided: &[Decided]) -> Vec<String> {
    let mut lines: Vec<String> = decided.iter().flat_map(of_cause).collect();
    let Counts { events, ignored, effects, skipped, failed } = Counts::of(decided);
    lines.push(String::new());
    lines.push(format!(
        "{events} events, {ignored} ignored: {effects} effects, {skipped} skipped, {failed} failed"
    ));
    lines.iter().map(|line| escaped_line(line).into_owned()).collect()
}

fn of_cause(decided: &Decided) -> Vec<String> {
    let title = match &decided.cause {
        Cause::Event(event) => format!("{} {} {}", event.kind, event.name, event.state),
        Cause::Ignored { event_type, id } => return vec![format!("{event_type} {id}: ignored")],
        Cause::Time { is_after_all: true } => "after the last event".to_owned(),
        Cause::Time { is_after_all: false } => "later".to_owned(),
    };
    let mut lines = vec![String::new(), title];
    lines.extend(decided.steps.iter().flat_map(of_step));
    lines
}

fn of_step(step: &Step) -> Vec<String> {
    match step {
        Step::Fate(fate) => vec![format!("  fate     {}", fate.as_str())],
        Step::Check { name, why } if name.is_empty() => {
            vec![format!("  check    not settled: {why}")]
        }
        Step::Check { name, why } => vec![format!("  check    {name} ({why})")],
        Step::Skipped(skipped) => {
            vec![format!("  skipped  {} ({})", skipped.route, skipped.reason.as_str())]
        }
        Step::Failed { route, cause } => vec![format!("  failed   {route}: {}", cause.detail)],
        Step::Turn { route, target, sent, turn } => {
            let mut lines = vec![format!("  effect   {route} -> {target}")];
            lines.extend(sent.iter().flat_map(of_request).map(indented));
            lines.extend(of_end(turn, sent.is_empty()).into_iter().map(indented));
            lines
        }
    }
}

fn indented(line: String) -> String {
    format!("           {line}")
}

fn of_end(turn: &Turn, is_all: bool) -> Vec<String> {
    match turn {
        Turn::Send(outbound, _) => of_request(outbound),
        Turn::Done(_) if is_all => vec!["nothing to send".to_owned()],
        Turn::Done(_) => Vec::new(),
        Turn::Fail(failure) => vec![format!("cannot be sent: {failure}")],
    }
}

fn of_request(outbound: &Outbound) -> Vec<String> {
    match outbound {
        Outbound::Http(request) => of_http(request),
        Outbound::Mail(mail) => of_mail(mail),
        Outbound::Log(line) => vec![line.clone()],
        // Its result is the body of the next request.
        Outbound::Transform(_) => Vec::new(),
    }
}

fn of_mail(mail: &MailMessage) -> Vec<String> {
    let MailServer { host, port, encryption, login } = &mail.server;
    let server = format!("MAIL {host}:{port} ({})", encryption.as_str());
    let login =
        login.as_ref().map(|login| format!("login: {} with {}", login.username(), login.secret()));
    let sender = format!("from: {}", mail.sender);
    let recipients = format!("to: {}", mail.recipients.join(", "));
    let lines = [server].into_iter().chain(login).chain([sender, recipients]);
    lines.chain(mail.content.lines().map(str::to_owned)).collect()
}

fn of_http(request: &HttpRequest) -> Vec<String> {
    let first = format!("{} {}", request.method.as_str(), url_text(&request.url));
    if request.method == Method::Get {
        // What is looked up changes nothing, and has the headers of what follows.
        return vec![first];
    }
    let headers = request.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    let mut lines: Vec<String> = [first].into_iter().chain(headers).collect();
    lines.extend(credential(&request.credential));
    lines.extend((!request.body.is_empty()).then(|| request.body.clone()));
    lines
}
