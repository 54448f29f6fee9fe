//! `notifiers`: who else hears about runs, whatever forge they belong to.

use super::code;
use super::error::Problem;
use super::fields::Fields;
use super::instance::{self, Instance};
use super::routes::Routes;
use super::secret_file::{self, Owner, SecretKeys};
use super::webhook_auth;
use crate::effect::RouteName;
use crate::integration::log::{self, Log};
use crate::integration::slack::{self, SlackOptions, SlackWebhook};
use crate::integration::webhook::{self, Webhook, WebhookOptions};
use crate::integration::{Credential, Integration};
use crate::route::{NameFilter, Route};
use crate::secret::SecretRef;
use crate::template::DataKind;
use std::sync::Arc;

/// The action part of a notifier's route name.
const ACTION: &str = "notify";

/// The name of the one notifier of a relay without a file.
pub(super) const LOG_WITHOUT_FILE: &str = "log";

/// Notifiers of the Go relay that have no code here yet.
const NOTIFIERS_MISSING: [&str; 17] = [
    "datadog",
    "discord",
    "email",
    "grafana",
    "honeycomb",
    "incidentio",
    "kafka",
    "mattermost",
    "nats",
    "newrelic",
    "opsgenie",
    "pagerduty",
    "rabbitmq",
    "redispubsub",
    "sentry",
    "teams",
    "telegram",
];

/// Reads `notifiers`: a route for each instance that is switched on.
pub(super) fn read(mut fields: Fields<'_>, routes: &mut Routes) {
    for instance in instance::read(&mut fields, slack::KIND) {
        if let Some(route) = read_slack(instance) {
            routes.add_showing_summaries(route);
        }
    }
    for instance in instance::read(&mut fields, webhook::KIND) {
        if let Some(route) = read_webhook(instance) {
            routes.add(route);
        }
    }
    for instance in instance::read(&mut fields, log::KIND) {
        routes.add(read_log(instance));
    }
    fields.not_supported(&NOTIFIERS_MISSING);
    fields.finish();
}

/// The route that writes every event to the relay's own log.
pub(super) fn log_route(instance: &str) -> Route {
    Route {
        name: route_name(log::KIND, instance),
        provider: None,
        when: None,
        filter: NameFilter::default(),
        integration: Arc::new(Log::new(instance)),
    }
}

fn route_name(kind: &str, instance: &str) -> RouteName {
    RouteName { kind: kind.to_owned(), instance: instance.to_owned(), action: ACTION.to_owned() }
}

/// Reads what all notifiers have, and ends the instance.
fn finish(mut fields: Fields<'_>, name: RouteName, integration: Arc<dyn Integration>) -> Route {
    let when = code::condition(&mut fields, "when");
    fields.notice(&["dedupe"], "has no effect: nothing is ever sent twice for one transition");
    fields.finish();
    Route { name, provider: None, when, filter: NameFilter::default(), integration }
}

fn read_log(instance: Instance<'_>) -> Route {
    let Instance { name, fields } = instance;
    finish(fields, route_name(log::KIND, &name), Arc::new(Log::new(&name)))
}

/// `None` when the place of the URL is not known, which has been reported.
fn read_slack(instance: Instance<'_>) -> Option<Route> {
    let Instance { name, mut fields } = instance;
    let url = read_slack_url(fields.section("auth"), &name);
    let options = SlackOptions {
        name: name.clone(),
        url: url.clone().unwrap_or_else(|| SecretRef::file("")),
        channel: fields.text("channel").unwrap_or_default(),
        username: fields.text("username").unwrap_or_default(),
        icon_emoji: fields.text("icon_emoji").unwrap_or_default(),
        template: code::template(&mut fields, "template", DataKind::Event),
    };
    read_slack_mode(&mut fields);
    fields.not_supported(&["batch", "channel_expr", "retry_override", "thread_mode", "thread_ts"]);
    let route =
        finish(fields, route_name(slack::KIND, &name), Arc::new(SlackWebhook::new(options)));
    url.map(|_| route)
}

fn read_slack_url(mut fields: Fields<'_>, instance: &str) -> Option<SecretRef> {
    fields.not_supported(&["bot_token"]);
    let owner = Owner { provider: slack::KIND, instance };
    let url = secret_file::read(&mut fields, &SecretKeys::WEBHOOK_URL, &owner);
    fields.finish();
    url
}

/// A webhook cannot edit what it posted, so there is one mode.
fn read_slack_mode(fields: &mut Fields<'_>) {
    let Some((text, place)) = fields.text_place("mode") else { return };
    if place.word(&[("create", ()), ("upsert", ())]).is_some() && text == "upsert" {
        place.fail(Problem::NotSupported { what: "`upsert` through a webhook".to_owned() });
    }
}

/// `None` when the place of a secret is not known, which has been reported.
fn read_webhook(instance: Instance<'_>) -> Option<Route> {
    let Instance { name, mut fields } = instance;
    let owner = Owner { provider: webhook::KIND, instance: &name };
    let url = secret_file::read(&mut fields, &SecretKeys::URL, &owner);
    let credential = webhook_auth::read(fields.section("auth"), &owner);
    let options = WebhookOptions {
        name: name.clone(),
        url: url.clone().unwrap_or_else(|| SecretRef::file("")),
        credential: credential.unwrap_or(Credential::None),
        headers: webhook_auth::read_headers(&mut fields),
        transform: code::transform(&mut fields, "transform"),
    };
    fields.not_supported(&["batch", "retry_override"]);
    let route = finish(fields, route_name(webhook::KIND, &name), Arc::new(Webhook::new(options)));
    url.map(|_| route)
}
