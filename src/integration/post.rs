//! Exchanges of one message and one answer, which settles the effect. Every target that is written
//! to once uses them, and brings the meaning of its answers as a function.

use super::http::{expect_http, unanswered};
use super::{Exchange, HttpReply, HttpRequest, Outbound, Rejection, Reply, Turn};
use crate::effect::Receipt;
use crate::failure::DeliveryFailure;

/// What an HTTP answer of one kind of target means.
pub(super) type JudgeAnswer = fn(&HttpReply) -> Result<Receipt, DeliveryFailure>;

/// What the refusal of a target that does not speak HTTP means.
pub(super) type JudgeRejection = fn(&Rejection) -> DeliveryFailure;

/// Sends a request, and judges its answer.
pub(super) fn post(request: HttpRequest, judge: JudgeAnswer) -> Turn {
    Turn::Send(Outbound::Http(request), Box::new(Posting { judge }))
}

/// Hands a message to a transport that is not HTTP, and judges its refusal.
pub(super) fn hand_over(outbound: Outbound, judge: JudgeRejection) -> Turn {
    Turn::Send(outbound, Box::new(HandingOver { judge }))
}

/// A receipt that says that the target took the message, and no more.
pub(super) fn receipt(reply: &HttpReply) -> Receipt {
    Receipt { remote_id: String::new(), status: reply.status }
}

/// Waits for the answer to the request.
struct Posting {
    judge: JudgeAnswer,
}

impl Exchange for Posting {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        let outcome = expect_http(reply).and_then(|reply| (self.judge)(&reply));
        outcome.map_or_else(Turn::Fail, Turn::Done)
    }
}

/// Waits for the message to be taken.
struct HandingOver {
    judge: JudgeRejection,
}

impl Exchange for HandingOver {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        if let Reply::Accepted { remote_id, code } = reply {
            let remote_id = remote_id.unwrap_or_default();
            return Turn::Done(Receipt { remote_id, status: code });
        }
        if let Reply::Rejected(rejection) = reply {
            return Turn::Fail((self.judge)(&rejection));
        }
        Turn::Fail(unanswered(&reply))
    }
}
