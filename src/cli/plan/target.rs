//! What stands for all targets in a plan: threads without comments, and endpoints that take
//! whatever they are sent. jq programs run as they would in a relay.

use crate::clock::Timestamp;
use crate::delivery::transport::JqProcesses;
use crate::effect::{Receipt, RouteName};
use crate::integration::{HttpReply, HttpRequest, Method, Outbound, Reply, Text, Turn};
use crate::plan::Target;
use crate::state_machine::{AttemptResult, Cause};
use tokio::runtime::Runtime;

/// The end of the address at which a forge tells whose token it is.
const WHOSE_TOKEN: &str = "/user";

/// Takes everything, and knows nothing.
pub(super) struct EmptyThread {
    runtime: Runtime,
    jq: JqProcesses,
}

impl EmptyThread {
    pub(super) fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, jq: JqProcesses::default() })
    }
}

impl Target for EmptyThread {
    fn reply(&mut self, request: &Outbound) -> Option<Reply> {
        Some(match request {
            Outbound::Http(request) => Reply::Http(answer(request)),
            Outbound::Log(_) | Outbound::Mail(_) => Reply::Accepted { remote_id: None, code: 0 },
            Outbound::Transform(transform) => self.runtime.block_on(self.jq.run(transform)),
        })
    }

    fn attempt(&mut self, _: &RouteName, turn: &Turn, _: Timestamp) -> AttemptResult {
        match turn {
            Turn::Send(..) => AttemptResult::Delivered(Receipt::default()),
            Turn::Done(receipt) => AttemptResult::Delivered(receipt.clone()),
            Turn::Fail(failure) => AttemptResult::Dead(Cause::from(failure)),
        }
    }
}

fn answer(request: &HttpRequest) -> HttpReply {
    let path = if let Text::Plain(url) = &request.url { url.as_str() } else { "" };
    let (status, body) = match request.method {
        Method::Get if path.ends_with(WHOSE_TOKEN) => (200, r#"{"id":1,"login":"relay"}"#),
        Method::Get => (200, "[]"),
        Method::Post => (201, r#"{"id":1}"#),
        Method::Put | Method::Patch | Method::Delete => (200, r#"{"id":1}"#),
    };
    HttpReply { status, body: body.to_owned(), ..HttpReply::default() }
}
