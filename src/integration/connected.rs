//! An integration whose requests all go over the connection profile of its instance, so that no kind
//! has to think of it.

use super::connection::ConnectionProfile;
use super::{Effect, Exchange, HttpRequest, Integration, Outbound, Reply, Target, Turn};
use crate::effect::SkipReason;
use crate::event::{RunContext, RunEvent};
use std::sync::Arc;

/// The same integration, over `profile`; `None` changes nothing.
#[must_use]
pub fn over(
    profile: Option<&Arc<ConnectionProfile>>,
    integration: Arc<dyn Integration>,
) -> Arc<dyn Integration> {
    match profile {
        None => integration,
        Some(profile) => Arc::new(Connected { integration, profile: Arc::clone(profile) }),
    }
}

#[derive(Debug)]
struct Connected {
    integration: Arc<dyn Integration>,
    profile: Arc<ConnectionProfile>,
}

impl Integration for Connected {
    fn target(&self, event: &RunEvent, context: &RunContext) -> Result<Target, SkipReason> {
        self.integration.target(event, context)
    }

    fn channel(&self) -> Option<&str> {
        self.integration.channel()
    }

    fn begin(&self, effect: &Effect<'_>) -> Turn {
        with_profile(self.integration.begin(effect), &self.profile)
    }
}

/// The rest of an exchange, over a profile.
struct ConnectedExchange {
    exchange: Box<dyn Exchange>,
    profile: Arc<ConnectionProfile>,
}

impl Exchange for ConnectedExchange {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        let Self { exchange, profile } = *self;
        with_profile(exchange.on_reply(reply), &profile)
    }
}

fn with_profile(turn: Turn, profile: &Arc<ConnectionProfile>) -> Turn {
    let (outbound, exchange) = match turn {
        Turn::Send(outbound, exchange) => (outbound, exchange),
        ended @ (Turn::Done(_) | Turn::Fail(_)) => return ended,
    };
    let outbound = match outbound {
        Outbound::Http(request) => {
            Outbound::Http(HttpRequest { connection: Some(Arc::clone(profile)), ..request })
        }
        other @ (Outbound::Mail(_) | Outbound::Log(_) | Outbound::Transform(_)) => other,
    };
    let exchange = ConnectedExchange { exchange, profile: Arc::clone(profile) };
    Turn::Send(outbound, Box::new(exchange))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::RouteName;
    use crate::integration::fixture;
    use crate::integration::webhook::{Webhook, WebhookOptions};
    use crate::integration::{Credential, fixture::event};
    use crate::jq::Program;
    use crate::secret::SecretRef;

    fn profile() -> Arc<ConnectionProfile> {
        Arc::default()
    }

    fn webhook(transform: Option<Program>) -> Arc<dyn Integration> {
        Arc::new(Webhook::new(WebhookOptions {
            name: "w".to_owned(),
            url: SecretRef::file("/url"),
            credential: Credential::None,
            headers: Vec::new(),
            transform,
        }))
    }

    /// What the first turn of an integration sends, and the rest of the exchange.
    fn begun(integration: &dyn Integration) -> (Outbound, Box<dyn Exchange>) {
        let (event, context) = (event(), RunContext::default());
        let (kind, instance) = ("webhook".to_owned(), "w".to_owned());
        let route = RouteName { kind, instance, action: "notify".to_owned() };
        match integration.begin(&fixture::effect(&route, &event, &context)) {
            Turn::Send(outbound, exchange) => (outbound, exchange),
            other @ (Turn::Done(_) | Turn::Fail(_)) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_request_and_those_that_follow_have_the_profile_and_nothing_else_changes() {
        let (Outbound::Http(plain), _) = begun(&*over(None, webhook(None))) else { panic!() };
        assert_eq!(plain.connection, None);
        let expected = HttpRequest { connection: Some(profile()), ..plain };
        let connected = over(Some(&profile()), webhook(None));
        assert_eq!(begun(&*connected).0, Outbound::Http(expected.clone()));

        let transform = Program::compile(".").unwrap();
        let connected = over(Some(&profile()), webhook(Some(transform)));
        let (outbound, exchange) = begun(&*connected);
        assert!(matches!(outbound, Outbound::Transform(_)), "{outbound:?}");
        let body = serde_json::from_str(&expected.body).unwrap();
        let (request, _) = fixture::sent(exchange.on_reply(Reply::Transformed(body)));
        assert_eq!(request.connection, Some(profile()));
    }

    /// A method with a default that is not passed on would change what an instance does as soon as it
    /// has a profile.
    #[test]
    fn every_method_of_an_integration_is_passed_on() {
        let methods = |text: &str, head: &str| -> Vec<String> {
            let (_, body) = text.split_once(head).unwrap();
            let (body, _) = body.split_once("\n}\n").unwrap();
            let names = body.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
            names.map(|name| name.split('(').next().unwrap().to_owned()).collect()
        };
        let declared = methods(include_str!("mod.rs"), "pub trait Integration");
        let passed_on = methods(include_str!("connected.rs"), "impl Integration for Connected");
        assert_eq!(declared, passed_on);
        assert!(declared.contains(&"begin".to_owned()));
    }
}
