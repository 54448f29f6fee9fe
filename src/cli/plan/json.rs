//! A plan for programs. Its form is told in `docs/OPERATIONS.md`, and kept: keys may be added.

use super::{Cause, Counts, Decided, credential, url_text};
use crate::integration::{HttpRequest, MailLogin, MailMessage, MailServer, Outbound, Turn};
use crate::plan::Step;
use serde_json::{Map, Value, json};

/// The whole plan.
pub(super) fn document(decided: &[Decided]) -> Value {
    let Counts { events, ignored, effects, skipped, failed } = Counts::of(decided);
    json!({
        "decisions": decided.iter().map(of_cause).collect::<Vec<_>>(),
        "summary": {
            "events": events,
            "ignored": ignored,
            "effects": effects,
            "skipped": skipped,
            "failed": failed,
        },
    })
}

fn of_cause(decided: &Decided) -> Value {
    let mut entry = Map::new();
    match &decided.cause {
        Cause::Event(event) => {
            entry.insert("cause".to_owned(), "event".into());
            entry.insert(
                "event".to_owned(),
                json!({
                    "id": event.ce_id,
                    "type": event.ce_type,
                    "kind": event.kind.as_str(),
                    "namespace": event.namespace,
                    "name": event.name,
                    "uid": event.uid,
                    "state": event.state.as_str(),
                }),
            );
        }
        Cause::Ignored { event_type, id } => {
            entry.insert("cause".to_owned(), "ignored".into());
            entry.insert("event".to_owned(), json!({"id": id, "type": event_type}));
        }
        Cause::Time { .. } => {
            entry.insert("cause".to_owned(), "time".into());
        }
    }
    let (mut effects, mut skipped, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for step in &decided.steps {
        match step {
            Step::Fate(fate) => {
                entry.insert("fate".to_owned(), fate.as_str().into());
            }
            Step::Check { name, why } => {
                let name = (!name.is_empty()).then_some(name);
                entry.insert("check".to_owned(), json!({"name": name, "why": why}));
            }
            Step::Skipped(one) => {
                let (route, reason) = (one.route.to_string(), one.reason.as_str());
                skipped.push(json!({"route": route, "reason": reason}));
            }
            Step::Failed { route, cause } => {
                failed.push(json!({"route": route.to_string(), "detail": cause.detail}));
            }
            Step::Turn { route, target, sent, turn } => {
                effects.push(of_effect(&route.to_string(), target, sent, turn));
            }
        }
    }
    entry.insert("effects".to_owned(), effects.into());
    entry.insert("skipped".to_owned(), skipped.into());
    entry.insert("failed".to_owned(), failed.into());
    Value::Object(entry)
}

fn of_effect(route: &str, target: &str, sent: &[Outbound], turn: &Turn) -> Value {
    let last = if let Turn::Send(outbound, _) = turn { Some(outbound) } else { None };
    let requests: Vec<Value> = sent.iter().chain(last).map(of_request).collect();
    let mut effect = json!({"route": route, "target": target, "requests": requests});
    if let Turn::Fail(failure) = turn {
        effect["error"] = failure.to_string().into();
    }
    effect
}

fn of_request(outbound: &Outbound) -> Value {
    match outbound {
        Outbound::Http(request) => of_http(request),
        Outbound::Mail(mail) => json!({"mail": of_mail(mail)}),
        Outbound::Log(line) => json!({"log": line}),
        Outbound::Transform(transform) => json!({"jq": &*transform.program}),
    }
}

fn of_mail(mail: &MailMessage) -> Value {
    let MailServer { host, port, encryption, login } = &mail.server;
    json!({
        "host": host,
        "port": port,
        "encryption": encryption.as_str(),
        "username": login.as_ref().map(MailLogin::username),
        "credential": login.as_ref().map(|login| login.secret().to_string()),
        "from": mail.sender,
        "to": mail.recipients,
        "content": mail.content,
    })
}

fn of_http(request: &HttpRequest) -> Value {
    let headers = request.headers.iter().map(|(name, value)| (name.clone(), value.clone().into()));
    json!({
        "method": request.method.as_str(),
        "url": url_text(&request.url),
        "headers": headers.collect::<Map<String, Value>>(),
        "credential": credential(&request.credential),
        "body": serde_json::from_str::<Value>(&request.body).unwrap_or(Value::Null),
    })
}
