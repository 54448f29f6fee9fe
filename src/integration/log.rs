//! The relay's own log as a target: one JSON line for every transition. It is what a relay without
//! a configuration does with its events.

use super::http::temporary;
use super::post::hand_over;
use super::registry::{InstanceSettings, IntegrationRow, NOTIFY, ReadInstance};
use super::text::target_key;
use super::{Effect, Integration, Outbound, Rejection, Target, Turn};
use crate::effect::{Delivery, SkipReason};
use crate::event::{RunContext, RunEvent, to_json};
use crate::failure::{DeliveryFailure, FailureKind};
use std::sync::Arc;

/// The kind under which instances are configured.
pub const KIND: &str = "log";

/// The log in the table of integrations.
pub const ROW: IntegrationRow = IntegrationRow {
    kind: KIND,
    doc: "One JSON line in the relay's log",
    keys: &[],
    is_http: false,
    in_flight_max: 64,
    actions: &[NOTIFY],
    read: ReadInstance::Notifier(read),
};

fn read(instance: InstanceSettings<'_, '_>) -> Option<Arc<dyn Integration>> {
    Some(Arc::new(Log::new(instance.name)))
}

/// Writes events to the log.
#[derive(Debug)]
pub struct Log {
    name: String,
}

impl Log {
    /// The notifier under its configured `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }
}

impl Integration for Log {
    fn target(&self, event: &RunEvent, _context: &RunContext) -> Result<Target, SkipReason> {
        let key = target_key(&[KIND, &self.name, &event.uid]);
        Ok(Target { key, delivery: Delivery::Stream })
    }

    fn begin(&self, effect: &Effect<'_>) -> Turn {
        let line = to_json(effect.event, effect.context).to_string();
        hand_over(Outbound::Log(line), judge)
    }
}

/// The log takes whatever it is given. Where it should ever refuse a line, another try may help.
fn judge(rejection: &Rejection) -> DeliveryFailure {
    temporary(FailureKind::Server, &rejection.detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Receipt;
    use crate::failure::Retryability;
    use crate::integration::fixture::{answer, context, done, effect, event, failed, route};
    use crate::integration::{Exchange, Reply};

    fn begin() -> (String, Box<dyn Exchange>) {
        let (route, event, context) = (route(), event(), context());
        match Log::new("audit").begin(&effect(&route, &event, &context)) {
            Turn::Send(Outbound::Log(line), exchange) => (line, exchange),
            other @ (Turn::Send(..) | Turn::Done(_) | Turn::Fail(_)) => {
                panic!("expected a line, got {other:?}")
            }
        }
    }

    #[test]
    fn the_line_is_the_event_on_one_line() {
        let (line, _) = begin();
        assert!(!line.contains('\n'));
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line, to_json(&event(), &context()));
    }

    #[test]
    fn every_transition_of_a_run_goes_to_one_stream() {
        let target = Log::new("audit").target(&event(), &context()).unwrap();
        assert_eq!(target.key.0, "log/audit/5ab1d2f0-0000-4000-8000-000000000001");
        assert_eq!(target.delivery, Delivery::Stream);
    }

    #[test]
    fn a_written_line_is_delivered_and_anything_else_is_not() {
        let written = Reply::Accepted { remote_id: None, code: 0 };
        assert_eq!(done(begin().1.on_reply(written)), Receipt::default());

        let mismatch = failed(begin().1.on_reply(answer(200, "")));
        assert_eq!(mismatch.kind, FailureKind::Server);

        let full = Reply::Failed { kind: FailureKind::Network, detail: "disk full".to_owned() };
        let failure = failed(begin().1.on_reply(full));
        assert_eq!(
            (failure.kind, failure.retryability),
            (FailureKind::Network, Retryability::Temporary)
        );
    }
}
