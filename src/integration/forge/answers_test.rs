//! The answer table of the kit: what every action of every forge makes of every answer, at each turn
//! that may get it. A forge is here by its row in the registry; an action that this table does not
//! know fails.

use super::settings::{COMMIT_STATUS, PR_COMMENT};
use crate::failure::{FailureKind, Retryability};
use crate::integration::fixture::{answer, answer_with, context, effect, event, route};
use crate::integration::marker::Marker;
use crate::integration::registry::{
    ActionRow, ActionSettings, InstanceSettings, IntegrationRow, ReadInstance, Section,
};
use crate::integration::{
    Effect, HttpReply, Integration, Method, Outbound, Reply, Turn, Unfollowed,
};
use crate::settings::diagnostics::{Diagnostics, Files, SecretCheck};
use crate::settings::error::FileError;
use crate::settings::setting::Setting;
use crate::settings::yaml;
use FailureKind::{
    Auth, Conflict, Credentials, Invalid, Network, NotFound, RateLimited, Server, Timeout,
};
use Retryability::{Permanent, Temporary, Unsettled};
use Step::{Create, EditFound, EditRemembered, List, Status};
use std::path::Path;
use std::sync::Arc;

/// The longest exchange here: list, edit, list again, create, and the turn that ends it.
const TURNS_MAX: usize = 5;

/// What comes of an effect: `None` where it was delivered.
type Verdict = Option<(FailureKind, Retryability)>;

/// The request that gets the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Status,
    Create,
    List,
    EditRemembered,
    EditFound,
}

/// An answer.
struct Answered {
    name: &'static str,
    reply: fn() -> Reply,
    verdict: Verdict,
    /// Steps at which it means something else.
    but: &'static [(Step, Verdict)],
}

/// All writes are delivered; a list is none.
const BUT_LIST: &[(Step, Verdict)] = &[(List, Some((Server, Temporary)))];

/// A comment that was found is passed over, and another one is written.
const BUT_FOUND: &[(Step, Verdict)] = &[(EditFound, None)];

const ANSWERS: &[Answered] = &[
    told("written", || answer(200, r#"{"id":1}"#), None, BUT_LIST),
    told("created without a body", || answer(201, ""), None, BUT_LIST),
    told("broken off", broken_off, None, BUT_LIST),
    told("a page", || answer(200, "<html>"), Some((Server, Temporary)), &[]),
    told("broken JSON", || answer(200, r#"{"id":"#), Some((Server, Temporary)), &[]),
    told("unfollowed", unfollowed, Some((Invalid, Permanent)), &[]),
    told("400", || answer(400, "{}"), Some((Invalid, Permanent)), &[]),
    told("401", || answer(401, ""), Some((Auth, Permanent)), &[]),
    told("403", || answer(403, ""), Some((Auth, Permanent)), BUT_FOUND),
    told(
        "404",
        || answer(404, ""),
        Some((NotFound, Unsettled)),
        &[
            (EditFound, None),
            // Somebody deleted it: the relay searches, and writes a new one.
            (EditRemembered, None),
        ],
    ),
    told("409", || answer(409, ""), Some((Conflict, Unsettled)), &[]),
    told("410", || answer(410, ""), Some((NotFound, Permanent)), BUT_FOUND),
    told("422", || answer(422, "{}"), Some((Invalid, Permanent)), &[]),
    told("429", || answer(429, ""), Some((RateLimited, Temporary)), &[]),
    told("limit", || answer_with(429, WAIT, ""), Some((RateLimited, Temporary)), &[]),
    told("500", || answer(500, "no JSON"), Some((Server, Temporary)), &[]),
    told("503", || answer(503, ""), Some((Server, Temporary)), &[]),
    told("no way", || lost(Network), Some((Network, Temporary)), &[]),
    told("no answer", || lost(Timeout), Some((Timeout, Temporary)), &[]),
    told("no secret", || lost(Credentials), Some((Credentials, Temporary)), &[]),
];

const WAIT: &[(&str, &str)] = &[("retry-after", "9")];

const fn told(
    name: &'static str,
    reply: fn() -> Reply,
    verdict: Verdict,
    but: &'static [(Step, Verdict)],
) -> Answered {
    Answered { name, reply, verdict, but }
}

fn broken_off() -> Reply {
    let body = r#"{"id":1,"bo"#.to_owned();
    Reply::Http(HttpReply { status: 200, body, is_cut: true, ..HttpReply::default() })
}

fn unfollowed() -> Reply {
    let unfollowed = Some(Unfollowed::OtherHost);
    Reply::Http(HttpReply { status: 307, unfollowed, ..HttpReply::default() })
}

fn lost(kind: FailureKind) -> Reply {
    Reply::Failed { kind, detail: "lost".to_owned() }
}

struct Unread;

impl Files for Unread {
    fn read(&self, _path: &Path) -> Result<String, FileError> {
        Err(FileError::NotFound)
    }
}

/// The action of an instance without keys, as its kind reads it.
fn integration(kind: &IntegrationRow, row: &'static ActionRow, keys: &str) -> Arc<dyn Integration> {
    let (instance, action) = (yaml::parse("{}").unwrap(), yaml::parse(keys).unwrap());
    let diagnostics = Diagnostics::new(&Unread, SecretCheck::Skipped);
    let fields =
        |node| Setting { node, path: String::new(), diagnostics: &diagnostics }.fields().unwrap();
    let mut own = fields(&instance);
    let settings =
        InstanceSettings { kind: kind.kind, name: "main", fields: &mut own, summary: None };
    let ReadInstance::Forge(read) = kind.read else { panic!("{} is no forge", kind.kind) };
    let action = ActionSettings { row, name: "notes".to_owned(), fields: fields(&action) };
    let integration = read(settings, &mut [action]).swap_remove(0);
    integration.unwrap_or_else(|| panic!("{} {} is not built", kind.kind, row.word))
}

/// The steps at which an action may get an answer.
fn steps(action: &ActionRow) -> &'static [Step] {
    match action.word {
        word if word == COMMIT_STATUS.word => &[Status],
        word if word == PR_COMMENT.word => &[Create, List, EditRemembered, EditFound],
        word => panic!("no steps of {word} are known here"),
    }
}

/// What a forge says that takes everything and knows nothing.
fn good(outbound: &Outbound) -> Reply {
    let Outbound::Http(request) = outbound else { panic!("forges speak HTTP: {outbound:?}") };
    match request.method == Method::Get {
        true => answer(200, "[]"),
        false => answer(201, r#"{"id":1}"#),
    }
}

/// The answers before the one in question.
fn before(step: Step) -> Vec<Reply> {
    let marked = Marker::of_run(&event().uid, PR_COMMENT.word, "notes").mark("old");
    let page = serde_json::json!([{ "id": 7, "body": marked }]).to_string();
    match step {
        Status | Create | List | EditRemembered => Vec::new(),
        EditFound => vec![answer(200, &page)],
    }
}

/// What comes of an effect whose request at `step` gets `reply`; all others get good answers.
fn verdict(kind: &IntegrationRow, row: &'static ActionRow, step: Step, reply: Reply) -> Verdict {
    let (route, event, context) = (route(), event(), context());
    let mode = match step {
        Status => "{}",
        Create => "{mode: create}",
        List | EditRemembered | EditFound => "{mode: upsert}",
    };
    let remote_id = (step == EditRemembered).then_some("7");
    let effect = Effect { remote_id, ..effect(&route, &event, &context) };
    let mut replies = before(step).into_iter().chain([reply]);
    let mut turn = integration(kind, row, mode).begin(&effect);
    for _ in 0..TURNS_MAX {
        turn = match turn {
            Turn::Done(_) => return None,
            Turn::Fail(failure) => return Some((failure.kind, failure.retryability)),
            Turn::Send(outbound, exchange) => {
                exchange.on_reply(replies.next().unwrap_or_else(|| good(&outbound)))
            }
        };
    }
    panic!("{} {} does not end at {step:?}", kind.kind, row.word)
}

#[test]
fn every_action_of_every_forge_gives_every_answer_its_verdict() {
    for kind in Section::Scm.rows() {
        for row in kind.actions {
            for (step, answered) in
                steps(row).iter().flat_map(|step| ANSWERS.iter().map(move |told| (*step, told)))
            {
                let but = answered.but.iter().find(|(but, _)| *but == step);
                let expected = but.map_or(answered.verdict, |(_, verdict)| *verdict);
                let found = verdict(kind, row, step, (answered.reply)());
                let name = answered.name;
                assert_eq!(found, expected, "{} {} {step:?}: {name}", kind.kind, row.word);
            }
        }
    }
}

#[test]
fn every_limit_waits_as_long_as_it_says_and_never_fails_for_good() {
    for kind in Section::Scm.rows() {
        let (route, event, context) = (route(), event(), context());
        for row in kind.actions {
            let turn = integration(kind, row, "{}").begin(&effect(&route, &event, &context));
            let Turn::Send(_, exchange) = turn else { panic!("{} sends nothing", row.word) };
            let turn = exchange.on_reply(answer_with(429, WAIT, ""));
            let Turn::Fail(failure) = turn else { panic!("{} took a limit for good", row.word) };
            let wait = failure.retry_after.map(|wait| wait.as_secs());
            assert_eq!((wait, failure.retryability), (Some(9), Temporary), "{}", row.word);
        }
    }
}
