//! Rules of the lease protocol that the store keeps, each by the name that it has among all of them,
//! so that a test can take one away. In a normal build nothing can be, and nothing is asked.

use std::borrow::Cow;

/// "Already revoked" waits as the first answer did.
pub(super) const SETTLE_REPEATS: &str = "settle-repeats";
/// An outcome that is not known is no success.
pub(super) const KNOWN_OUTCOME: &str = "known-outcome";
/// What was fetched is put into memory only if memory is not past it.
pub(super) const FETCHED_IS_NOT_OLDER: &str = "fetched-is-not-older";
/// Each life of a node has a row of its own.
pub(super) const ROW_PER_INCARNATION: &str = "row-per-incarnation";
/// Epochs are numbered under one row lock.
pub(super) const GAPLESS_EPOCHS: &str = "gapless-epochs";
/// What was pushed is applied only if it follows on what was applied. The lease's machine asks first,
/// and memory asks again.
pub(super) const PUSH_FOLLOWS: &str = "push-follows";

/// An acknowledgement counts only in the history that it was given in.
pub(super) const ACKNOWLEDGE_OF_ONE_HISTORY: &str = "acknowledge-of-one-history";

/// A statement that marks what it changes with the next epoch. Without the lock, with the number
/// that was drawn.
pub(super) fn marking(statement: &'static str) -> Cow<'static, str> {
    match keeps(GAPLESS_EPOCHS) {
        true => statement.into(),
        false => statement.replace("(SELECT n + 1 FROM epoch)", "currval('drawn') + 1").into(),
    }
}

#[cfg(not(feature = "ablation"))]
pub(super) const fn keeps(_: &str) -> bool {
    true
}

#[cfg(feature = "ablation")]
pub(super) fn keeps(rule: &str) -> bool {
    use std::sync::LazyLock;

    static ABLATED: LazyLock<String> =
        LazyLock::new(|| std::env::var("ABLATED_RULES").unwrap_or_default());
    !ABLATED.split(',').any(|name| name.trim() == rule)
}
