//! Verification and revocation at once.

use crate::house::{House, START, ada, demand, record, suspended, tenant};
use rescind_coherence::BootInstant;
use rescind_core::{Plain, ScopeSet, Timestamp, TokenKind, TokenRecord};
use rescind_guard::{Clock, Guard};
use rescind_store::{Change, Follower, Material};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

const TOKENS: usize = 2_000;
const READERS: usize = 3;

/// P: a verification that begins after the revocation has returned is refused; and P′: none that is
/// *decided* after it says yes. Readers note each token that they saw accepted after the revoker's
/// mark; there must be none.
#[test]
fn no_reader_accepts_a_token_after_its_revocation_has_returned() {
    let house = House::open();
    let tokens: Vec<_> = (0..TOKENS).map(|_| house.issue(&[], None)).collect();
    let gone: Vec<_> = (0..TOKENS).map(|_| AtomicBool::new(false)).collect();
    let (accepted, late, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for reader in 0..READERS {
            let (house, tokens, gone) = (&house, &tokens, &gone);
            let (accepted, late, done) = (&accepted, &late, &done);
            scope.spawn(move || {
                let mut at = reader * 7;
                while !done.load(Ordering::SeqCst) {
                    at = (at + 1) % TOKENS;
                    let revoked_before = gone[at].load(Ordering::SeqCst);
                    if house.ask(&tokens[at].1, &[]).is_ok() {
                        accepted.fetch_add(1, Ordering::SeqCst);
                        late.fetch_add(usize::from(revoked_before), Ordering::SeqCst);
                    }
                }
            });
        }
        // Or the revoker could be through before a reader begins.
        while accepted.load(Ordering::SeqCst) < READERS {
            std::thread::yield_now();
        }
        for (at, (id, plain)) in tokens.iter().enumerate() {
            house.revoke(id, Some(plain));
            gone[at].store(true, Ordering::SeqCst);
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(late.load(Ordering::SeqCst), 0);
    assert_eq!(house.guard.index().tokens(), 0);
}

#[test]
fn no_reader_accepts_any_token_after_its_owners_suspension_has_returned() {
    let house = House::open();
    let tokens: Vec<_> = (0..50).map(|_| house.issue(&[], None).1).collect();
    for _ in 0..200 {
        let suspend = || house.guard.apply(Change::Owner(suspended(ada())));
        let (_, late) = race(&house, &tokens, &[], suspend);
        assert_eq!(late, 0);
        house.guard.apply(Change::Owner(ada()));
    }
}

/// One word for all of them, in entries that readers hold already.
#[test]
fn no_reader_accepts_any_token_after_its_set_was_taken_back() {
    for tenant in [Some(tenant()), None] {
        let house = House::open();
        for round in 1..=200 {
            // As the store has it: issued at the bound that there is, and so after it.
            let issued_at = START.plus_millis(round);
            let tokens: Vec<_> = (0..50)
                .map(|_| TokenRecord { issued_at, ..record(TokenKind::Bearer, &[], None) })
                .map(|record| house.issue_record(record))
                .collect();
            let (tenant, start) = (tenant.clone(), issued_at.plus_millis(1));
            let take_back = || house.guard.apply(Change::NotBefore { tenant, start });
            let (accepted, late) = race(&house, &tokens, &[], take_back);
            assert!(accepted > 0, "or nobody was there to be late");
            assert_eq!(late, 0);
        }
    }
}

#[test]
fn no_reader_gets_a_scope_after_it_was_taken_from_the_token() {
    let house = House::open();
    for _ in 0..200 {
        let records: Vec<_> =
            (0..50).map(|_| record(TokenKind::Bearer, &["read", "write"], None)).collect();
        let tokens: Vec<_> =
            records.iter().map(|record| house.issue_record(record.clone())).collect();
        let scopes = ScopeSet::parse(["read"]).unwrap();
        let narrow = || {
            for (record, plain) in records.iter().zip(&tokens) {
                let record = TokenRecord { scopes: scopes.clone(), ..record.clone() };
                house.update(&record, Some(plain));
            }
        };
        let (accepted, late) = race(&house, &tokens, &["write"], narrow);
        assert!(accepted > 0, "or nobody was there to be late");
        assert_eq!(late, 0);
    }
}

/// Readers ask for all tokens in turn while something is taken away: how often they were let in,
/// and how often that was in a question that began after it had returned.
fn race(
    house: &House,
    tokens: &[Plain],
    scopes: &[&str],
    take_away: impl FnOnce(),
) -> (usize, usize) {
    let (gone, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let (accepted, late) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let is_gone = &gone;
    let ask = |token| {
        let before = is_gone.load(Ordering::SeqCst);
        let let_in = house.ask(token, scopes).is_ok();
        accepted.fetch_add(usize::from(let_in), Ordering::SeqCst);
        late.fetch_add(usize::from(before && let_in), Ordering::SeqCst);
    };
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                for token in tokens.iter().cycle() {
                    ask(token);
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                }
            });
        }
        while accepted.load(Ordering::SeqCst) < READERS {
            std::thread::yield_now();
        }
        take_away();
        gone.store(true, Ordering::SeqCst);
        // Each of them once more, by somebody who begins for sure after it.
        tokens.iter().for_each(ask);
        done.store(true, Ordering::SeqCst);
    });
    (accepted.into_inner(), late.into_inner())
}

/// A clock that takes something away when it is read for the last time, after the decision: the worst moment
/// there is.
#[derive(Default)]
struct MeddlingClock {
    guard: OnceLock<Arc<Guard>>,
    change: Mutex<Option<Change>>,
}

impl Clock for MeddlingClock {
    fn now(&self) -> Timestamp {
        START
    }

    fn boottime(&self) -> BootInstant {
        if let Some(change) = self.change.lock().unwrap().take() {
            self.guard.get().unwrap().apply(change);
        }
        BootInstant::from_millis(1)
    }
}

#[test]
fn what_is_taken_away_between_decision_and_answer_is_noticed() {
    let (record, plain) = House::bearer_record();
    let (id, digest) = (record.id.clone(), Some(plain.digest()));
    let start = START.plus_millis(1);
    let expired = TokenRecord { expires_at: Some(START), ..record.clone() };
    for change in [
        Change::Revoked { id, digest },
        Change::Updated { record: expired, digest },
        Change::NotBefore { tenant: Some(tenant()), start },
        Change::NotBefore { tenant: None, start },
        Change::Owner(suspended(ada())),
    ] {
        let clock = Arc::new(MeddlingClock::default());
        let guard = Arc::new(Guard::new(Arc::clone(&clock) as Arc<dyn Clock>, Vec::new()));
        let _ = clock.guard.set(Arc::clone(&guard));
        guard.apply(Change::Owner(ada()));
        // Or nobody would look at the clock.
        guard.open_until(BootInstant::from_millis(2));
        let material = Material::Digest(plain.digest());
        guard.apply(Change::Issued { record: record.clone(), material });
        let scopes = ScopeSet::default();
        assert!(guard.bearer(plain.expose(), &demand(&scopes)).is_ok());
        let context = format!("{change:?}");
        *clock.change.lock().unwrap() = Some(change);
        assert!(guard.bearer(plain.expose(), &demand(&scopes)).is_err(), "{context}");
    }
}
