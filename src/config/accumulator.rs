//! `accumulator`: summaries of PipelineRuns and groups.

use crate::settings::expressions;
use crate::settings::fields::Fields;
use crate::settings::setting::Setting;
use crate::template::{DataKind, Template};
use std::time::Duration;

/// How summaries are made and where they are shown.
#[derive(Clone, Debug)]
pub struct AccumulatorSettings {
    /// `enabled`: whether there are summaries. Default false.
    pub enabled: bool,
    /// `ttl`: age at which an unfinished group is shown as incomplete, 1s to 168h. Default 1h.
    /// Lower values end long groups too early.
    pub ttl: Duration,
    /// `straggler_window`: how long to wait for members after the end of a PipelineRun, 0 to 10m.
    /// Default 5s: task events may arrive after the run's end. Higher values delay summaries.
    pub straggler_window: Duration,
    /// `template`: the text of a summary; `None` for the built-in table.
    pub template: Option<Template>,
}

impl Default for AccumulatorSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            ttl: Duration::from_hours(1),
            straggler_window: Duration::from_secs(5),
            template: None,
        }
    }
}

/// Reads `accumulator`. If it is enabled, also returns the setting `provider.name`: the action that
/// shows summaries is known only after all actions are read.
pub(super) fn read(mut fields: Fields<'_>) -> (AccumulatorSettings, Option<Setting<'_>>) {
    let default = AccumulatorSettings::default();
    let is_enabled = fields.flag("enabled").unwrap_or(default.enabled);
    let setting = read_provider(fields.section("provider"), is_enabled);
    let accumulator = AccumulatorSettings {
        enabled: is_enabled,
        ttl: fields
            .duration("ttl", Duration::from_secs(1)..=Duration::from_hours(168))
            .unwrap_or(default.ttl),
        straggler_window: fields
            .duration("straggler_window", Duration::ZERO..=Duration::from_mins(10))
            .unwrap_or(default.straggler_window),
        template: expressions::template(&mut fields, "template", DataKind::Summary),
    };
    fields.notice(&["max_size"], "has no effect: summaries are bounded by `store.runs_max`");
    fields.finish();
    (accumulator, setting.filter(|_| is_enabled))
}

fn read_provider(mut fields: Fields<'_>, is_enabled: bool) -> Option<Setting<'_>> {
    let setting = match is_enabled {
        true => fields.required("name", "the instance or action that shows summaries"),
        false => fields.take("name"),
    };
    fields.finish();
    setting
}
