use super::*;
use crate::clock::SystemClock;
use crate::failure::{FailureKind, Retryability};
use crate::integration::connection::TlsProfile;
use crate::integration::token::TokenExchange;
use crate::integration::{Credential, HttpRequest, Method, ReplyBody, Text};
use std::future::{pending, ready};
use tokio::sync::oneshot;

/// Shows whatever time it is set to.
#[derive(Default)]
struct SetClock(AtomicU64);

impl SetClock {
    fn set(&self, at: Duration) {
        self.0.store(u64::try_from(at.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn wall(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        SystemClock::default().monotonic()
    }
}

fn key(url: &str) -> TokenKey {
    let request = HttpRequest {
        method: Method::Post,
        url: Text::Plain(url.to_owned()),
        headers: Vec::new(),
        credential: Credential::None,
        body: String::new(),
        wants: ReplyBody::Whole,
        connection: None,
    };
    let exchange = TokenExchange::new(move |_| request.clone(), |_| Err(refused()));
    TokenKey { exchange: exchange.key(), connection: None }
}

fn refused() -> DeliveryFailure {
    DeliveryFailure::new(FailureKind::Auth, Retryability::Permanent, "no token")
}

fn token(value: &str, expires_at: Duration) -> Result<Token, DeliveryFailure> {
    let expires_at = Timestamp(0).after(expires_at);
    Ok(Token { value: Secret::new(value), expires_at })
}

/// What the cache gives where an exchange would give a token of this name for an hour.
async fn get(cache: &TokenCache, key: &TokenKey, clock: &SetClock, name: &str) -> String {
    let end = Duration::from_millis(clock.wall().0) + Duration::from_hours(1);
    let got = cache.get(key, clock, ready(token(name, end))).await;
    got.unwrap().expose().to_owned()
}

#[tokio::test]
async fn a_token_is_used_until_five_minutes_before_its_end() {
    let (cache, clock, key) = (TokenCache::default(), SetClock::default(), key("a"));
    clock.set(Duration::from_secs(10));
    assert_eq!(get(&cache, &key, &clock, "first").await, "first");
    clock.set(Duration::from_secs(10 + 55 * 60 - 1));
    assert_eq!(get(&cache, &key, &clock, "second").await, "first");
    clock.set(Duration::from_secs(10 + 55 * 60));
    assert_eq!(get(&cache, &key, &clock, "second").await, "second");
}

#[tokio::test]
async fn a_token_that_lives_minutes_is_used_for_half_of_them() {
    let (cache, clock, key) = (TokenCache::default(), SetClock::default(), key("a"));
    let minutes = Duration::from_mins(4);
    cache.get(&key, &clock, ready(token("short", minutes))).await.unwrap();
    clock.set(minutes / 2 - Duration::from_millis(1));
    assert_eq!(get(&cache, &key, &clock, "next").await, "short");
    clock.set(minutes / 2);
    assert_eq!(get(&cache, &key, &clock, "next").await, "next");
}

#[tokio::test]
async fn one_that_is_over_by_our_clock_is_given_out_and_not_kept() {
    let (cache, clock, key) = (TokenCache::default(), SetClock::default(), key("a"));
    clock.set(Duration::from_hours(2));
    let over = cache.get(&key, &clock, ready(token("over", Duration::from_hours(1)))).await;
    assert_eq!(over.unwrap().expose(), "over");
    assert_eq!(get(&cache, &key, &clock, "next").await, "next");
}

#[tokio::test]
async fn exchanges_and_ways_share_no_token() {
    let (cache, clock) = (TokenCache::default(), SetClock::default());
    assert_eq!(get(&cache, &key("a"), &clock, "of a").await, "of a");
    assert_eq!(get(&cache, &key("b"), &clock, "of b").await, "of b");
    assert_eq!(get(&cache, &key("a"), &clock, "again").await, "of a");
    let tls = TlsProfile { is_unverified: true, ..TlsProfile::default() };
    let profile = ConnectionProfile { tls, proxy: None };
    let believing = TokenKey { connection: Some(Arc::new(profile)), ..key("a") };
    assert_eq!(get(&cache, &believing, &clock, "over another way").await, "over another way");
    assert_eq!(get(&cache, &key("a"), &clock, "again").await, "of a");
}

/// Two calls that come while the exchange of a third is under way; `outcome` is what that one gives.
async fn waited_for(outcome: Result<Token, DeliveryFailure>) -> [Result<String, FailureKind>; 3] {
    let cache = Arc::new(TokenCache::default());
    let (end, ended) = oneshot::channel();
    let text = |got: Result<Secret, DeliveryFailure>| {
        got.map(|token| token.expose().to_owned()).map_err(|failure| failure.kind)
    };
    let (clock, a) = (SetClock::default(), key("a"));
    let first = cache.get(&a, &clock, async { ended.await.unwrap() });
    let second = cache.get(&a, &clock, pending());
    let third = async {
        // The other two are polled before: one exchanges, one waits.
        end.send(outcome).unwrap();
        cache.get(&a, &clock, pending()).await
    };
    let (first, second, third) = tokio::join!(biased; first, second, third);
    [text(first), text(second), text(third)]
}

#[tokio::test]
async fn calls_that_come_during_an_exchange_take_what_comes_of_it() {
    let got = waited_for(token("one", Duration::from_hours(1))).await;
    assert_eq!(got, ["one", "one", "one"].map(|token| Ok(token.to_owned())));
    assert_eq!(waited_for(Err(refused())).await, [const { Err(FailureKind::Auth) }; 3]);
    // Also one that is over already: otherwise each of them would ask for another.
    let got = waited_for(token("over", Duration::ZERO)).await;
    assert_eq!(got, ["over", "over", "over"].map(|token| Ok(token.to_owned())));
}

#[tokio::test]
async fn a_failure_is_not_kept_for_calls_that_come_later() {
    let (cache, clock, key) = (TokenCache::default(), SetClock::default(), key("a"));
    assert_eq!(cache.get(&key, &clock, ready(Err(refused()))).await.unwrap_err(), refused());
    assert_eq!(get(&cache, &key, &clock, "next").await, "next");
}

#[tokio::test]
async fn a_call_that_gives_up_its_exchange_leaves_it_to_the_next_one() {
    let (cache, clock, key) = (TokenCache::default(), SetClock::default(), key("a"));
    let gone = cache.get(&key, &clock, pending());
    assert!(futures_util::FutureExt::now_or_never(gone).is_none());
    assert_eq!(get(&cache, &key, &clock, "next").await, "next");
}

#[tokio::test]
async fn a_refused_token_is_dropped_and_its_successor_is_not() {
    let (cache, clock, key) = (TokenCache::default(), SetClock::default(), key("a"));
    let refused = Secret::new(&get(&cache, &key, &clock, "refused").await);
    cache.drop_refused(&key, &refused).await;
    assert_eq!(get(&cache, &key, &clock, "successor").await, "successor");
    cache.drop_refused(&key, &refused).await;
    assert_eq!(get(&cache, &key, &clock, "third").await, "successor");
}
