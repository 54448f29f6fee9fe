//! The answer table: what every kind makes of every reply that its transport may bring. A kind
//! without a row fails here, and so does a reply without one.

use super::fixture::{answer, answer_with, context, effect, event, route};
use super::registry::{
    ActionRow, ActionSettings, INTEGRATIONS, InstanceSettings, IntegrationRow, ReadInstance,
};
use super::{
    HttpReply, Integration, Method, Outbound, Rejection, Reply, Turn, Unfollowed, email, github,
    gitlab, log, slack, webhook,
};
use crate::failure::{FailureKind, Retryability};
use crate::settings::diagnostics::{Diagnostics, Files, SecretCheck};
use crate::settings::error::FileError;
use crate::settings::setting::Setting;
use crate::settings::yaml;
use FailureKind::{
    Auth, Conflict, Credentials, Invalid, Network, NotFound, RateLimited, Server, Timeout,
};
use Retryability::{Permanent, Temporary, Unsettled};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Longest exchange of a kind here.
const TURNS_MAX: usize = 8;

/// What comes of an effect: `None` where it was delivered.
type Verdict = Option<(FailureKind, Retryability)>;

/// A name, a reply, and what it is to a kind that says nothing else.
type Answer = (&'static str, fn() -> Reply, Verdict);

/// The replies that each protocol may bring; the others belong to none of its requests.
const HTTP: &[Answer] = &[
    ("page", || answer(200, "<html>"), Some((Server, Temporary))),
    ("unfollowed", unfollowed, Some((Invalid, Permanent))),
    ("400", || answer(400, ""), Some((Invalid, Permanent))),
    ("401", || answer(401, ""), Some((Auth, Permanent))),
    ("403", || answer(403, ""), Some((Auth, Permanent))),
    ("403 limit", || answer_with(403, &[("retry-after", "3")], ""), Some((RateLimited, Temporary))),
    ("404", || answer(404, ""), Some((NotFound, Unsettled))),
    ("409", || answer(409, ""), Some((Conflict, Unsettled))),
    ("410", || answer(410, ""), Some((NotFound, Permanent))),
    ("422", || answer(422, "{}"), Some((Invalid, Permanent))),
    ("429", || answer(429, ""), Some((RateLimited, Temporary))),
    ("500", || answer(500, "not JSON"), Some((Server, Temporary))),
    ("503", || answer(503, ""), Some((Server, Temporary))),
    ("no way", || lost(Network), Some((Network, Temporary))),
    ("no answer", || lost(Timeout), Some((Timeout, Temporary))),
    ("no secret", || lost(Credentials), Some((Credentials, Temporary))),
    ("accepted", accepted, Some((Server, Temporary))),
    ("rejected", || rejected(550), Some((Server, Temporary))),
    ("transformed", transformed, Some((Server, Temporary))),
    ("not transformed", not_transformed, Some((Server, Temporary))),
];

const SMTP: &[Answer] = &[
    ("accepted", accepted, None),
    ("421", || rejected(421), Some((Server, Temporary))),
    ("450", || rejected(450), Some((Server, Temporary))),
    ("454", || rejected(454), Some((Server, Temporary))),
    ("530", || rejected(530), Some((Auth, Permanent))),
    ("535", || rejected(535), Some((Auth, Permanent))),
    ("550", || rejected(550), Some((Invalid, Permanent))),
    ("554", || rejected(554), Some((Invalid, Permanent))),
    ("no way", || lost(Network), Some((Network, Temporary))),
    ("no answer", || lost(Timeout), Some((Timeout, Temporary))),
    ("no secret", || lost(Credentials), Some((Credentials, Temporary))),
    ("http", || answer(200, ""), Some((Server, Temporary))),
    ("transformed", transformed, Some((Server, Temporary))),
    ("not transformed", not_transformed, Some((Server, Temporary))),
];

const LOG_LINE: &[Answer] = &[
    ("accepted", accepted, None),
    ("rejected", || rejected(1), Some((Server, Temporary))),
    ("no way", || lost(Network), Some((Network, Temporary))),
    ("no answer", || lost(Timeout), Some((Timeout, Temporary))),
    ("no secret", || lost(Credentials), Some((Credentials, Temporary))),
    ("http", || answer(200, ""), Some((Server, Temporary))),
    ("transformed", transformed, Some((Server, Temporary))),
    ("not transformed", not_transformed, Some((Server, Temporary))),
];

/// An action of a kind, and where its verdicts differ from those of its protocol.
struct Row {
    kind: &'static str,
    action: &'static str,
    /// The least keys of an instance.
    settings: &'static str,
    answers: &'static [Answer],
    differs: &'static [(&'static str, Verdict)],
}

const ROWS: &[Row] = &[
    Row {
        kind: github::KIND,
        action: "commit_status",
        settings: "{auth: {secret_file: /s}}",
        answers: HTTP,
        differs: &[],
    },
    Row {
        kind: github::KIND,
        action: "pr_comment",
        settings: "{auth: {secret_file: /s}}",
        answers: HTTP,
        differs: &[],
    },
    // A webhook or channel that is gone does not come back by waiting.
    Row {
        kind: gitlab::KIND,
        action: "commit_status",
        settings: "{auth: {secret_file: /s}}",
        answers: HTTP,
        differs: &[],
    },
    Row {
        kind: gitlab::KIND,
        action: "pr_comment",
        settings: "{auth: {secret_file: /s}}",
        answers: HTTP,
        differs: &[],
    },
    Row {
        kind: slack::KIND,
        action: "notify",
        settings: "{}",
        answers: HTTP,
        differs: &[("404", Some((NotFound, Permanent))), ("409", Some((Conflict, Permanent)))],
    },
    // The body of a success is the receiver's own.
    Row {
        kind: webhook::KIND,
        action: "notify",
        settings: "{}",
        answers: HTTP,
        differs: &[("page", None)],
    },
    Row {
        kind: email::KIND,
        action: "notify",
        settings: "{host: smtp.example, from: a@b.example, to: [c@d.example]}",
        answers: SMTP,
        differs: &[],
    },
    Row { kind: log::KIND, action: "notify", settings: "{}", answers: LOG_LINE, differs: &[] },
];

fn unfollowed() -> Reply {
    let unfollowed = Some(Unfollowed::OtherHost);
    Reply::Http(HttpReply { status: 307, unfollowed, ..HttpReply::default() })
}

fn lost(kind: FailureKind) -> Reply {
    Reply::Failed { kind, detail: "lost".to_owned() }
}

fn accepted() -> Reply {
    Reply::Accepted { remote_id: None, code: 0 }
}

fn rejected(code: u16) -> Reply {
    Reply::Rejected(Rejection { code, detail: "no".to_owned() })
}

fn transformed() -> Reply {
    Reply::Transformed(serde_json::Value::Null)
}

fn not_transformed() -> Reply {
    Reply::NotTransformed { is_final: true, detail: "no".to_owned() }
}

/// The variant of a reply. A new one has no name here until someone gives it one.
fn variant(reply: &Reply) -> &'static str {
    match reply {
        Reply::Http(_) => "http",
        Reply::Accepted { .. } => "accepted",
        Reply::Rejected(_) => "rejected",
        Reply::Transformed(_) => "transformed",
        Reply::NotTransformed { .. } => "not transformed",
        Reply::Failed { .. } => "failed",
    }
}

/// What a target says that takes everything and knows nothing.
fn good(outbound: &Outbound) -> Reply {
    match outbound {
        Outbound::Http(request) if request.method == Method::Get => answer(200, "[]"),
        Outbound::Http(_) => answer(201, r#"{"id": 1}"#),
        Outbound::Log(_) | Outbound::Mail(_) => accepted(),
        Outbound::Transform(_) => transformed(),
    }
}

struct Unread;

impl Files for Unread {
    fn read(&self, _path: &Path) -> Result<String, FileError> {
        Err(FileError::NotFound)
    }
}

/// The action as its kind reads it.
fn integration(row: &Row) -> Arc<dyn Integration> {
    let kind = INTEGRATIONS.iter().find(|kind| kind.kind == row.kind).unwrap();
    let action = kind.actions.iter().find(|action| action.word == row.action).unwrap();
    let (instance, nothing) = (yaml::parse(row.settings).unwrap(), yaml::parse("{}").unwrap());
    let diagnostics = Diagnostics::new(&Unread, SecretCheck::Skipped);
    let setting =
        |node| Setting { node, path: String::new(), diagnostics: &diagnostics }.fields().unwrap();
    let mut fields = setting(&instance);
    let settings =
        InstanceSettings { kind: kind.kind, name: "main", fields: &mut fields, summary: None };
    let read = match kind.read {
        ReadInstance::Notifier(read) => read(settings),
        ReadInstance::Forge(read) => {
            let (name, fields) = (action.word.to_owned(), setting(&nothing));
            read(settings, &mut [ActionSettings { row: action, name, fields }]).swap_remove(0)
        }
    };
    read.unwrap_or_else(|| panic!("{} {} is not built", row.kind, row.action))
}

/// What comes of an effect whose first reply is this one, if any, and whose others are good.
fn outcome(row: &Row, first: Option<Reply>) -> Verdict {
    let (route, event, context) = (route(), event(), context());
    let mut turn = integration(row).begin(&effect(&route, &event, &context));
    let mut first = first;
    for _ in 0..TURNS_MAX {
        turn = match turn {
            Turn::Done(_) => return None,
            Turn::Fail(failure) => return Some((failure.kind, failure.retryability)),
            Turn::Send(outbound, exchange) => {
                exchange.on_reply(first.take().unwrap_or_else(|| good(&outbound)))
            }
        };
    }
    panic!("{} {} does not end", row.kind, row.action)
}

#[test]
fn every_action_of_every_kind_has_its_row() {
    let rows: BTreeSet<_> = ROWS.iter().map(|row| (row.kind, row.action)).collect();
    let words = |kind: &'static IntegrationRow| {
        kind.actions.iter().map(|action: &ActionRow| (kind.kind, action.word))
    };
    assert_eq!(rows, INTEGRATIONS.iter().flat_map(words).collect());
    assert_eq!(rows.len(), ROWS.len());
}

#[test]
fn every_protocol_answers_with_every_reply() {
    for row in ROWS {
        let told: BTreeSet<_> = row.answers.iter().map(|(_, reply, _)| variant(&reply())).collect();
        let all = ["http", "accepted", "rejected", "transformed", "not transformed", "failed"];
        assert_eq!(told, all.into(), "{} {}", row.kind, row.action);
    }
}

#[test]
fn every_kind_gives_every_reply_its_verdict() {
    for row in ROWS {
        assert_eq!(outcome(row, None), None, "{} {}", row.kind, row.action);
        for (name, reply, usual) in row.answers {
            let differs = row.differs.iter().find(|(differs, _)| differs == name);
            let expected = differs.map_or(*usual, |(_, verdict)| *verdict);
            let verdict = outcome(row, Some(reply()));
            assert_eq!(verdict, expected, "{} {}: {name}", row.kind, row.action);
        }
    }
}

#[test]
fn a_row_differs_in_replies_that_there_are_and_only_where_it_differs() {
    for row in ROWS {
        for (name, verdict) in row.differs {
            let usual = row.answers.iter().find(|(answer, _, _)| answer == name);
            assert!(usual.is_some_and(|(_, _, usual)| usual != verdict), "{}: {name}", row.kind);
        }
    }
}
