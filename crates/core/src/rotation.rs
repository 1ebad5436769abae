//! One token in another's place: when the new one ends, and when the old one does.

use crate::{Actor, Timestamp, TokenRecord};
use core::time::Duration;

/// Longest time that a token may live on beside the one that replaces it.
pub const OVERLAP_MAX: Duration = Duration::from_hours(7 * 24);

/// When the token that takes `old`'s place ends: after the lifetime that is asked for, or after the
/// one that `old` was given.
///
/// A token that puts another in its own place gains no time by it, whatever is asked for: it would
/// renew itself for ever, also after its end was moved closer. (Who may issue its owner another
/// token has no need of a rotation for that.)
pub fn successor_end(
    old: &TokenRecord,
    lifetime: Option<Duration>,
    by: &Actor,
    now: Timestamp,
) -> Option<Timestamp> {
    let end = match lifetime {
        Some(lifetime) => Some(after(now, lifetime)),
        None => old.expires_at.map(|end| now.plus_millis(lifetime_of(old, end, now))),
    };
    if by.token_id().as_ref() == Some(&old.id) { earlier(end, old.expires_at) } else { end }
}

/// When a replaced token ends: after the overlap, and never past its own end.
pub fn overlap_end(own: Option<Timestamp>, start: Timestamp, overlap: Duration) -> Timestamp {
    let end = after(start, overlap.min(OVERLAP_MAX));
    own.map_or(end, |own| own.min(end))
}

/// As long as the old one was given. Its time of issue may be no measure of that: it lies later
/// than the moment if a bound did, and elsewhere if it was imported. What it has left it was given.
fn lifetime_of(old: &TokenRecord, end: Timestamp, now: Timestamp) -> i64 {
    let since = |start: Timestamp| end.as_millis().saturating_sub(start.as_millis());
    since(old.issued_at).max(since(now))
}

/// `None` is never.
fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn after(start: Timestamp, time: Duration) -> Timestamp {
    start.plus_millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OwnerId, ScopeSet, TokenId, TokenKind, TokenState};
    use proptest::prelude::*;
    use rstest::rstest;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn token(issued_at: i64, expires_at: Option<i64>) -> TokenRecord {
        TokenRecord {
            id: TokenId::parse("old").unwrap(),
            owner: OwnerId::parse("o").unwrap(),
            kind: TokenKind::Admin,
            label: None,
            scopes: ScopeSet::default(),
            issued_at: at(issued_at),
            expires_at: expires_at.map(at),
            allowed_networks: None,
            rotation: None,
            state: TokenState::Active,
        }
    }

    fn by(token: &str) -> Actor {
        Actor::token(&TokenId::parse(token).unwrap())
    }

    #[rstest]
    #[case::endless(0, None, None, None)]
    #[case::as_long_as_it_was_given(0, Some(100), None, Some(110))]
    #[case::issued_elsewhere_long_before(-400, Some(100), None, Some(510))]
    #[case::lifted_beyond_its_end(500, Some(100), None, Some(100))]
    #[case::shorter_than_it_was_given(0, Some(100), Some(5), Some(15))]
    #[case::longer_than_it_was_given(0, Some(100), Some(900), Some(910))]
    #[case::end_where_there_was_none(0, None, Some(5), Some(15))]
    fn successor_lives_as_long_as_asked_or_as_the_old_one_was_given(
        #[case] issued_at: i64,
        #[case] end: Option<i64>,
        #[case] asked: Option<u64>,
        #[case] expected: Option<i64>,
    ) {
        let (old, asked) = (token(issued_at, end), asked.map(Duration::from_millis));
        for by in [by("another"), Actor::owner(&old.owner), Actor::system("test")] {
            assert_eq!(successor_end(&old, asked, &by, at(10)), expected.map(at), "{by:?}");
        }
    }

    #[rstest]
    #[case::endless(None, None, None)]
    #[case::end_where_there_was_none(None, Some(5), Some(15))]
    #[case::end_that_it_has(Some(100), None, Some(100))]
    #[case::sooner(Some(100), Some(5), Some(15))]
    #[case::later(Some(100), Some(900), Some(100))]
    fn token_that_rotates_itself_gains_no_time(
        #[case] end: Option<i64>,
        #[case] asked: Option<u64>,
        #[case] expected: Option<i64>,
    ) {
        let asked = asked.map(Duration::from_millis);
        let found = successor_end(&token(0, end), asked, &by("old"), at(10));
        assert_eq!(found, expected.map(at));
    }

    proptest! {
        #[test]
        fn no_chain_of_self_rotations_outlives_the_first(
            end in 1_000..2_000_i64,
            steps in prop::collection::vec((0..1_000_i64, prop::option::of(0..5_000_u64)), 1..8),
        ) {
            let mut token = token(0, Some(end));
            for (now, asked) in steps {
                let asked = asked.map(Duration::from_millis);
                token.expires_at = successor_end(&token, asked, &by("old"), at(now));
                token.issued_at = at(now);
                prop_assert!(token.expires_at.is_some_and(|next| next <= at(end)));
            }
        }
    }

    #[rstest]
    #[case::whole(None, 1, 1_001)]
    #[case::own_end_is_closer(Some(at(500)), 1, 500)]
    #[case::own_end_is_past(Some(at(-5)), 1, -5)]
    #[case::none(None, 0, 1)]
    #[case::never_more_than_the_most(None, 8 * 86_400, 7 * 86_400_000 + 1)]
    fn overlap_ends_in_time(
        #[case] own: Option<Timestamp>,
        #[case] seconds: u64,
        #[case] end: i64,
    ) {
        assert_eq!(overlap_end(own, at(1), Duration::from_secs(seconds)), at(end));
    }
}
