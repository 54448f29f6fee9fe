//! Planning one event with ten routes: conditions, filters and targets, then rendering for the
//! effects.

use crate::cpu_clock::per_item;
use crate::shared::recorded::Recorded;
use crate::shared::table::Table;
use anyhow::ensure;
use std::hint::black_box;
use std::sync::Arc;
use tekton_events_relay::clock::Timestamp;
use tekton_events_relay::config::{NoFiles, SecretCheck, load};
use tekton_events_relay::event::RunContext;
use tekton_events_relay::integration::Effect;
use tekton_events_relay::plan::{Rules, plan};
use tekton_events_relay::state_machine::{FEATURE_LEVEL, Origin, QueuedEvent, run_key};

const EVENTS: usize = 2000;
const ROUTES: usize = 10;

const CONFIG: &str = r#"
dashboard_url: https://tekton.example.com
scm:
  github:
    - name: main
      auth: {secret_file: /run/token}
      actions:
        - {name: status, type: commit_status}
        - {name: per-task, type: commit_status, context_per_task: true, when: isTaskRun()}
        - name: progress
          type: pr_comment
          when: "event.State == 'running' || event.State == 'failure'"
          template: |
            {{ .RunName }} in {{ .Namespace }} is {{ .State }}
            {{ if .PRNumber }}for #{{ .PRNumber }}{{ end }}
        - name: by-team
          type: pr_comment
          when: "event.Labels['team'] == 'a'"
          template: "{{ .PipelineName | upper }}: {{ .State }} ({{ .CommitSHA | trunc 7 }})"
        - {name: final, type: commit_status, when: "event.State in ['success', 'failure', 'error']"}
notifiers:
  slack:
    - name: team
      auth: {webhook_url_file: /run/slack}
      when: "event.Resource == 'taskrun' && event.Namespace.startsWith('def')"
      template: "*{{ .RunName }}* {{ .State }}: {{ .Description }}"
    - name: failures
      auth: {webhook_url_file: /run/slack}
      when: "event.State == 'failure' && !isPipelineRun()"
  webhook:
    - {name: audit, url_file: /run/audit}
    - name: shaped
      url_file: /run/audit
      when: "event.Annotations['pipeline.tekton.dev/release'] != 'x'"
      transform: '{run: .run_id, state, team: .labels.team}'
  log:
    - {name: log, when: "event.RunName.matches('^r[0-9a-f]+$')"}
"#;

/// Measures planning and adds its rows.
pub fn measure(recorded: &Recorded, table: &mut Table) -> anyhow::Result<()> {
    let rules = load(CONFIG, "bench.yaml", &NoFiles, SecretCheck::Skipped)?.config.rules;
    ensure!(rules.routes.len() == ROUTES, "{} routes", rules.routes.len());
    let queued = queued(recorded)?;
    let run = run_key(&queued.event.uid);
    let planned = plan(run, &queued, FEATURE_LEVEL, &rules);
    ensure!(planned.failed.is_empty(), "a rule failed: {:?}", planned.failed);
    let effects = planned.effects.len();
    let time = per_item(EVENTS, || {
        for _ in 0..EVENTS {
            black_box(plan(run, black_box(&queued), FEATURE_LEVEL, &rules));
        }
        Ok(())
    })?;
    let value = format!("{time:.1} us ({effects} effects)");
    table.add(format!("plan of one event, {ROUTES} routes"), value, "< 100 us");
    let time = per_item(EVENTS, || {
        for _ in 0..EVENTS {
            first_requests(&queued, &rules);
        }
        Ok(())
    })?;
    table.add("first requests of these effects", format!("{time:.1} us"), "");
    Ok(())
}

fn queued(recorded: &Recorded) -> anyhow::Result<QueuedEvent> {
    let event = Arc::new(recorded.run_event(0)?);
    Ok(QueuedEvent {
        sequence: 1,
        context: RunContext {
            check_name: event.name.clone(),
            previous_state: None,
            target_url: String::new(),
            ..RunContext::default()
        },
        event,
        origin: Origin::Reported { is_latest_only: false },
        accepted_at: Timestamp(1),
        ended_plannings: 0,
    })
}

/// Renders the first request of each planned effect.
fn first_requests(queued: &QueuedEvent, rules: &Rules) {
    let planned = plan(run_key(&queued.event.uid), queued, FEATURE_LEVEL, rules);
    let context = rules.with_link(&queued.context, &queued.event);
    for effect in &planned.effects {
        let Some(route) = rules.route(&effect.route) else { continue };
        let effect = Effect {
            id: effect.id,
            route: &effect.route,
            event: &queued.event,
            context: &context,
            remote_id: None,
            summary: None,
            is_in_doubt: false,
            is_repair: false,
            now: Timestamp(1),
        };
        black_box(route.integration.begin(&effect));
    }
}
