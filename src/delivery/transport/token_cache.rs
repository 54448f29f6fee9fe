//! Tokens in memory, each asked for once by all calls that need it.

use super::recently_used::RecentlyUsed;
use crate::clock::{Clock, Timestamp};
use crate::failure::DeliveryFailure;
use crate::integration::connection::ConnectionProfile;
use crate::integration::token::{ExchangeKey, Token};
use crate::secret::Secret;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// Tokens kept: one an instance, with room for those that a reload or a rotation leaves behind.
const TOKENS_MAX: usize = 256;

/// How long before its end a token is used no more: clocks differ, and a call takes its time. Of one
/// that lives shorter than twice as long, half of its life.
const UNUSED_BEFORE_END: Duration = Duration::from_mins(5);

/// What a token is kept under: the whole exchange, and the way that it was got and is sent over. A
/// token that one instance got from whoever shows any certificate is no token of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenKey {
    pub(super) exchange: ExchangeKey,
    pub(super) connection: Option<Arc<ConnectionProfile>>,
}

/// All tokens of a replica.
pub(super) struct TokenCache(RecentlyUsed<TokenKey, TokenEntry>);

#[derive(Default)]
struct TokenEntry {
    /// Exchanges that ended, whatever came of them.
    ended: AtomicU64,
    /// Held by whoever makes an exchange.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// What came of the last exchange, for those who waited for it.
    last: Option<Result<Secret, DeliveryFailure>>,
}

struct Kept {
    value: Secret,
    use_until: Timestamp,
}

impl Default for TokenCache {
    fn default() -> Self {
        Self(RecentlyUsed::new(TOKENS_MAX))
    }
}

impl TokenCache {
    /// The token under `key`: the one that is kept, or what `exchange` gets. Calls that come while
    /// an exchange is under way take what comes of it, a failure too.
    ///
    /// # Errors
    /// The exchange failed; nothing is kept, and the next call makes another one.
    pub(super) async fn get(
        &self,
        key: &TokenKey,
        clock: &dyn Clock,
        exchange: impl Future<Output = Result<Token, DeliveryFailure>>,
    ) -> Result<Secret, DeliveryFailure> {
        let entry = self.0.get(key);
        let ended_before = entry.ended.load(Ordering::Acquire);
        let mut state = entry.state.lock().await;
        if entry.ended.load(Ordering::Acquire) > ended_before
            && let Some(last) = &state.last
        {
            return last.clone();
        }
        if let Some(kept) = state.kept.as_ref().filter(|kept| clock.wall() < kept.use_until) {
            return Ok(kept.value.clone());
        }
        // The caller may give up meanwhile: then nothing has changed, and the next one begins anew.
        let outcome = exchange.await;
        state.kept = outcome.as_ref().ok().map(|token| Kept::of(token, clock.wall()));
        let outcome = outcome.map(|token| token.value);
        state.last = Some(outcome.clone());
        entry.ended.fetch_add(1, Ordering::Release);
        outcome
    }

    /// Drops a token that a target refused, unless another one has taken its place.
    pub(super) async fn drop_refused(&self, key: &TokenKey, refused: &Secret) {
        let entry = self.0.get(key);
        let mut state = entry.state.lock().await;
        let is_refused = |value: &Secret| value.expose() == refused.expose();
        state.kept.take_if(|kept| is_refused(&kept.value));
        state.last.take_if(|last| last.as_ref().is_ok_and(is_refused));
    }
}

impl Kept {
    fn of(token: &Token, now: Timestamp) -> Self {
        let unused = UNUSED_BEFORE_END.min(token.expires_at.since(now) / 2);
        Self { value: token.value.clone(), use_until: token.expires_at.before(unused) }
    }
}

#[cfg(test)]
#[path = "token_cache_test.rs"]
mod tests;
