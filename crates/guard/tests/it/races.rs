//! Verification and revocation at once.

use crate::house::{House, START, ada, suspended};
use rescind_coherence::BootInstant;
use rescind_core::{Demand, Plain, ScopeSet, Timestamp, TokenId};
use rescind_guard::{Clock, Guard};
use rescind_store::{Change, Follower};
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
        let is_suspended = AtomicBool::new(false);
        let (late, done) = (AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| {
                    for token in tokens.iter().cycle() {
                        let before = is_suspended.load(Ordering::SeqCst);
                        let accepted = house.ask(token, &[]).is_ok();
                        late.fetch_add(usize::from(before && accepted), Ordering::SeqCst);
                        if done.load(Ordering::SeqCst) {
                            break;
                        }
                    }
                });
            }
            house.guard.apply(Change::Owner(suspended(ada())));
            is_suspended.store(true, Ordering::SeqCst);
            done.store(true, Ordering::SeqCst);
        });
        assert_eq!(late.load(Ordering::SeqCst), 0);
        house.guard.apply(Change::Owner(ada()));
    }
}

/// A clock that revokes when it is read for the last time, after the decision: the worst moment
/// there is.
#[derive(Default)]
struct MeddlingClock {
    guard: OnceLock<Arc<Guard>>,
    victim: Mutex<Option<(TokenId, Plain)>>,
}

impl Clock for MeddlingClock {
    fn now(&self) -> Timestamp {
        START
    }

    fn boottime(&self) -> BootInstant {
        if let Some((id, plain)) = self.victim.lock().unwrap().take() {
            let digest = Some(plain.digest());
            self.guard.get().unwrap().apply(Change::Revoked { id, digest });
        }
        BootInstant::from_millis(1)
    }
}

#[test]
fn revocation_between_decision_and_answer_is_noticed() {
    let clock = Arc::new(MeddlingClock::default());
    let guard = Arc::new(Guard::new(Arc::clone(&clock) as Arc<dyn Clock>, Vec::new()));
    let _ = clock.guard.set(Arc::clone(&guard));
    guard.apply(Change::Owner(ada()));
    guard.open_for_good();
    let (record, plain) = House::bearer_record();
    let (id, material) = (record.id.clone(), rescind_store::Material::Digest(plain.digest()));
    guard.apply(Change::Issued { record, material });
    let demand = Demand { admin: false, scopes: &ScopeSet::default() };
    assert!(guard.bearer(plain.expose(), &demand).is_ok());
    *clock.victim.lock().unwrap() = Some((id, Plain::from_text(plain.expose())));
    assert!(guard.bearer(plain.expose(), &demand).is_err());
}
