//! A configuration that sends commit statuses, comments, messages and webhooks to a receiver.

use super::Receiver;
use std::path::Path;

/// The header by which a webhook call names the relay that made it.
pub const POD_HEADER: &str = "x-relay-pod";

/// Writes `relay.yaml` and its secret files into `folder`.
pub fn write_config(folder: &Path, receiver: &Receiver, pod: &str) {
    let receiver = receiver.url();
    let write = |name: &str, content: &str| std::fs::write(folder.join(name), content).unwrap();
    write("github-token", "right");
    write("slack-url", &format!("{receiver}/slack"));
    write("webhook-url", &format!("{receiver}/webhook"));
    write("relay.yaml", &config_text(folder, &receiver, pod));
}

fn config_text(folder: &Path, receiver: &str, pod: &str) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    let (token, slack) = (path("github-token"), path("slack-url"));
    let webhook = path("webhook-url");
    format!(
        r#"retry: {{ initial_backoff: 20ms, max_backoff: 200ms }}
store: {{ free_bytes_min: 0 }}
accumulator:
  enabled: true
  straggler_window: 300ms
  provider: {{ name: summary }}
scm:
  github:
    - name: hub
      base_url: "{receiver}"
      auth: {{ secret_file: "{token}" }}
      actions:
        - name: checks
          type: commit_status
        - name: summary
          type: pr_comment
          mode: upsert
          when: isPipelineRun() && stateIn("success", "failure", "error", "canceled")
          template: "{{{{ .RunName }}}}: {{{{ .State }}}}"
notifiers:
  slack:
    - name: team
      when: isPipelineRun() && stateIn("failure", "error", "canceled")
      auth: {{ webhook_url_file: "{slack}" }}
  webhook:
    - name: archive
      url_file: "{webhook}"
      headers: {{ {POD_HEADER}: "{pod}" }}
"#
    )
}
