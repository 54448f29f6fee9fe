//! `scm` and `notifiers`: the instances of all integrations, by the rows of the registry. This
//! module reads the keys common to all instances and actions; the row of the kind reads the rest.

use super::routes::Routes;
use crate::effect::RouteName;
use crate::integration::connected;
use crate::integration::connection::{self, ConnectionProfile};
use crate::integration::log::{self, Log};
use crate::integration::registry::{
    ActionRow, ActionSettings, InstanceSettings, IntegrationRow, NOTIFY, ReadForge, ReadInstance,
    ReadNotifier, Section,
};
use crate::plan::Route;
use crate::route::{Condition, NameFilter};
use crate::settings::KeyRow;
use crate::settings::error::Problem;
use crate::settings::expressions;
use crate::settings::fields::Fields;
use crate::settings::filter;
use crate::settings::instance::{self, Instance, UsedNames};
use crate::settings::setting::Setting;
use crate::template::Template;
use std::sync::Arc;

/// The name of the only notifier of a relay without a file.
const LOG_WITHOUT_FILE: &str = "log";

const ENABLED: KeyRow = KeyRow::flag("enabled", "`true`", "What is off is not looked at");

/// The highest `max_in_flight`: targets that take more at once are not known.
const IN_FLIGHT_MAX: i64 = 256;

const MAX_IN_FLIGHT: KeyRow = KeyRow::integer(
    "max_in_flight",
    (1, IN_FLIGHT_MAX),
    "[by kind](INTEGRATIONS.md)",
    "Calls of one replica to the instance at the same time, 1 to 256 and at most `max_concurrency`. \
     The relay starts with 8 and makes more while answers come as fast as before, fewer after 429, \
     5xx and silence",
);

const WHEN: KeyRow = KeyRow::text("when", "always", "CEL condition");

/// Keys of every instance of a forge; [`ACTION`] describes its actions.
pub(super) const FORGE_INSTANCE: &[KeyRow] = &[
    KeyRow::text(
        "name",
        "required",
        "Names the instance in logs, metrics and secret files; used once",
    ),
    ENABLED,
    MAX_IN_FLIGHT,
];

/// Keys of every instance of a notifier.
pub(super) const NOTIFIER_INSTANCE: &[KeyRow] = &[
    KeyRow::text("name", "required", "Names the instance; used once"),
    ENABLED,
    MAX_IN_FLIGHT,
    WHEN,
];

/// Keys of every action of a forge. The kind decides the accepted values of `type`.
pub(super) const ACTION: &[KeyRow] = &[
    KeyRow::text(
        "name",
        "the type",
        "Names the action; used once in the instance. Another name is another comment",
    ),
    KeyRow::text("type", "required", ""),
    ENABLED,
    WHEN,
    KeyRow::texts(
        "filter.tasks.allow",
        "all",
        "Globs over the name of the Task, or of the task in its Pipeline; case does not count. An \
         event passes when all lists let it. One whose name is not known yet waits for an event \
         that has it",
    ),
    KeyRow::texts("filter.tasks.deny", "none", "Wins over `allow`"),
    KeyRow::texts(
        "filter.pipelines.allow",
        "all",
        "Globs over Pipeline names. They are about runs of a Pipeline and its tasks",
    ),
    KeyRow::texts("filter.pipelines.deny", "none", "Wins over `allow`"),
    KeyRow::texts(
        "filter.custom_runs.allow",
        "all",
        "Globs over names of CustomRuns, or of their tasks in the Pipeline",
    ),
    KeyRow::texts("filter.custom_runs.deny", "none", "Wins over `allow`"),
    KeyRow::texts("filter.event_listeners.allow", "all", "Globs over names of EventListeners"),
    KeyRow::texts("filter.event_listeners.deny", "none", "Wins over `allow`"),
];

/// Reads a section and returns a route for each action of each instance that is switched on.
/// `summary` is the text of summaries; `None` for the built-in table.
pub(super) fn read(
    mut fields: Fields<'_>,
    section: Section,
    summary: Option<&Template>,
    routes: &mut Routes,
) {
    for row in section.rows() {
        for instance in instance::read(&mut fields, row.kind) {
            match row.read {
                ReadInstance::Notifier(read) => {
                    read_notifier(row, read, instance, summary, routes);
                }
                ReadInstance::Forge(read) => read_forge(row, read, instance, summary, routes),
            }
        }
    }
    fields.not_supported(&section.kinds_missing());
    match section {
        Section::Scm => {
            let rule = "is a notifier: it belongs under `notifiers`";
            fields.misplaced(&Section::Notifiers.kinds(), rule);
        }
        Section::Notifiers => {
            fields.misplaced(&Section::Scm.kinds(), "is a forge: it belongs under `scm`");
        }
    }
    fields.finish();
}

/// The route that writes every event to the relay's own log, for a relay without a file.
pub(super) fn log_route() -> Route {
    Route {
        name: route_name(log::KIND, LOG_WITHOUT_FILE, NOTIFY.word),
        provider: None,
        when: None,
        filter: NameFilter::default(),
        in_flight_max: log::ROW.in_flight_max,
        integration: Arc::new(Log::new(LOG_WITHOUT_FILE)),
    }
}

fn route_name(kind: &str, instance: &str, action: &str) -> RouteName {
    RouteName { kind: kind.to_owned(), instance: instance.to_owned(), action: action.to_owned() }
}

fn read_notifier(
    row: &IntegrationRow,
    read: ReadNotifier,
    instance: Instance<'_>,
    summary: Option<&Template>,
    routes: &mut Routes,
) {
    let Instance { name, mut fields } = instance;
    let settings = InstanceSettings { kind: row.kind, name: &name, fields: &mut fields, summary };
    let integration = read(settings);
    let connection = read_connection(row, &mut fields);
    let when = read_when(&mut fields);
    let in_flight_max = read_in_flight_max(row, &mut fields, routes.concurrency_max);
    fields.finish();
    let Some(integration) = integration else { return };
    let integration = connected::over(connection.as_ref(), integration);
    for action in row.actions {
        let (when, integration) = (when.clone(), Arc::clone(&integration));
        let name = route_name(row.kind, &name, action.word);
        let filter = NameFilter::default();
        let route = Route { name, provider: None, when, filter, in_flight_max, integration };
        routes.add(route, action.shows_summaries);
    }
}

/// Which events an action is for.
struct Wanted {
    when: Option<Condition>,
    filter: NameFilter,
}

fn read_forge(
    row: &IntegrationRow,
    read: ReadForge,
    instance: Instance<'_>,
    summary: Option<&Template>,
    routes: &mut Routes,
) {
    let Instance { name: instance, mut fields } = instance;
    let (mut actions, wanted): (Vec<_>, Vec<_>) =
        read_actions(row, &mut fields).into_iter().unzip();
    let settings =
        InstanceSettings { kind: row.kind, name: &instance, fields: &mut fields, summary };
    let integrations = read(settings, &mut actions);
    let connection = read_connection(row, &mut fields);
    if fields.list_len("actions") == 0 {
        fields.warn("actions", "holds no action, so nothing is ever written to this instance");
    }
    let in_flight_max = read_in_flight_max(row, &mut fields, routes.concurrency_max);
    fields.finish();
    for ((action, wanted), integration) in actions.into_iter().zip(wanted).zip(integrations) {
        let ActionSettings { row: action_row, name, fields } = action;
        fields.finish();
        let Some(integration) = integration else { continue };
        let integration = connected::over(connection.as_ref(), integration);
        let Wanted { when, filter } = wanted;
        let (name, provider) = (route_name(row.kind, &instance, &name), Some(row.kind.to_owned()));
        let route = Route { name, provider, when, filter, in_flight_max, integration };
        routes.add(route, action_row.shows_summaries);
    }
}

/// Reads how the targets of an instance are reached, where its kind speaks HTTP.
fn read_connection(
    row: &IntegrationRow,
    fields: &mut Fields<'_>,
) -> Option<Arc<ConnectionProfile>> {
    if row.is_http { connection::read(fields) } else { None }
}

fn read_actions<'n>(
    row: &IntegrationRow,
    fields: &mut Fields<'n>,
) -> Vec<(ActionSettings<'n>, Wanted)> {
    let mut names = UsedNames::default();
    let items = fields.list("actions");
    items.into_iter().filter_map(|item| read_action(row, &item, &mut names)).collect()
}

/// Reads the common keys of all actions of forges.
fn read_action<'n>(
    row: &IntegrationRow,
    item: &Setting<'n>,
    names: &mut UsedNames,
) -> Option<(ActionSettings<'n>, Wanted)> {
    let mut fields = item.fields()?;
    if fields.flag("enabled") == Some(false) {
        return None;
    }
    let action = read_type(row, &mut fields)?;
    let (name, named) = match fields.text_setting("name") {
        Some((name, setting)) => (name.to_owned(), setting),
        None => (action.word.to_owned(), item.clone()),
    };
    names.add(&name, &named);
    let when = read_when(&mut fields);
    let filter = filter::read_names(fields.narrowing_section("filter"));
    fields.not_supported(&["fallback_action", "fallback_only", "labels"]);
    refuse_keys_of_others(row, action, &mut fields);
    Some((ActionSettings { row: action, name, fields }, Wanted { when, filter }))
}

fn read_type(row: &IntegrationRow, fields: &mut Fields<'_>) -> Option<&'static ActionRow> {
    let built = row.actions.iter().map(|action| (action.word, Some(action)));
    let words: Vec<(&str, Option<&ActionRow>)> =
        built.chain(row.actions_missing().into_iter().map(|word| (word, None))).collect();
    let setting = fields.required("type", row.types(""))?;
    let action = setting.word(&words)?;
    if action.is_none() {
        let what = format!("action type `{}`", setting.text().unwrap_or_default());
        setting.fail(Problem::NotSupported { what });
    }
    action
}

/// A key of another type of action is not an unknown key: the message says where it belongs.
fn refuse_keys_of_others(row: &IntegrationRow, action: &ActionRow, fields: &mut Fields<'_>) {
    for other in row.actions.iter().filter(|other| other.word != action.word) {
        let is_foreign = |key: &&str| action.keys.iter().all(|own| own.top() != *key);
        let foreign: Vec<&str> = other.keys.iter().map(KeyRow::top).filter(is_foreign).collect();
        fields.misplaced(&foreign, other.belongs);
    }
}

/// Reads how many calls to an instance may be under way at once.
fn read_in_flight_max(
    row: &IntegrationRow,
    fields: &mut Fields<'_>,
    concurrency_max: usize,
) -> usize {
    let default = row.in_flight_max.min(concurrency_max);
    let Some(setting) = fields.take("max_in_flight") else { return default };
    let Some(calls) = setting.integer(1..=IN_FLIGHT_MAX) else { return default };
    match usize::try_from(calls) {
        Ok(calls) if calls <= concurrency_max => calls,
        Ok(_) | Err(_) => {
            setting.fail(Problem::OverConcurrency { found: calls, max: concurrency_max });
            default
        }
    }
}

/// Reads the rule of an action or a notifier.
fn read_when(fields: &mut Fields<'_>) -> Option<Condition> {
    fields.notice(&["dedupe"], "has no effect: nothing is ever sent twice for one transition");
    expressions::condition(fields, "when")
}
