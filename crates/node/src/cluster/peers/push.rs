//! What a commit has changed, as it is said to other nodes: revocations of single tokens.
//!
//! ```text
//! after: u64, timeline: u32, then for each token
//! bytes of its id: u8, id, 0 | 1, then the 32 bytes of its digest if that was 1
//! ```
//!
//! All in network order. Whatever else has changed is not said: the other end is rung, and reads the
//! log.

use super::link::Ring;
use rescind_core::{Digest, TokenId};
use rescind_store::{Change, Epoch, LogPage};

/// Longer than any batch of the store; what is larger is read in the log.
pub(super) const BYTES_MAX: usize = 1 << 18;

/// `None` if it cannot be said so.
pub(super) fn write(page: &LogPage) -> Option<Ring> {
    if page.too_far {
        return None;
    }
    let mut body = Vec::new();
    body.extend(page.after.to_be_bytes());
    body.extend(page.timeline.to_be_bytes());
    for change in &page.changes {
        let Change::Revoked { id, digest } = change else { return None };
        body.push(u8::try_from(id.as_str().len()).ok()?);
        body.extend(id.as_str().as_bytes());
        body.push(u8::from(digest.is_some()));
        digest.iter().for_each(|digest| body.extend(digest.as_bytes()));
    }
    let sayable = body.len() <= BYTES_MAX;
    sayable.then(|| Ring::Pushed { epoch: page.head, body: body.into() })
}

/// `None` if it was not written as above.
pub(super) fn read(head: Epoch, mut body: &[u8]) -> Option<LogPage> {
    let after = u64::from_be_bytes(take(&mut body)?);
    let timeline = u32::from_be_bytes(take(&mut body)?);
    let mut changes = Vec::new();
    while !body.is_empty() {
        let [bytes] = take(&mut body)?;
        let id = body.split_off(..usize::from(bytes))?;
        let id = TokenId::parse(str::from_utf8(id).ok()?).ok()?;
        let digest = match take(&mut body)? {
            [0] => None,
            [1] => Some(Digest::from_bytes(take(&mut body)?)),
            _ => return None,
        };
        changes.push(Change::Revoked { id, digest });
    }
    let (in_recovery, too_far) = (false, false);
    Some(LogPage { after, head, in_recovery, timeline, too_far, changes })
}

fn take<const N: usize>(body: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = body.split_first_chunk()?;
    *body = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn revoked(id: &str, digest: Option<[u8; 32]>) -> Change {
        let (id, digest) = (TokenId::parse(id).unwrap(), digest.map(Digest::from_bytes));
        Change::Revoked { id, digest }
    }

    fn page(changes: Vec<Change>) -> LogPage {
        let (in_recovery, too_far) = (false, false);
        LogPage { after: 4, head: 7, in_recovery, timeline: 3, too_far, changes }
    }

    fn said(page: &LogPage) -> Vec<u8> {
        match write(page) {
            Some(Ring::Pushed { epoch: 7, body }) => body.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            tokens in prop::collection::vec(("[A-Za-z0-9_-]{1,64}", any::<Option<[u8; 32]>>()), 0..40),
        ) {
            let page = page(tokens.iter().map(|(id, digest)| revoked(id, *digest)).collect());
            let read = read(7, &said(&page)).unwrap();
            prop_assert_eq!(format!("{page:?}"), format!("{read:?}"));
        }

        #[test]
        fn whatever_comes_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(page) = read(7, &body) {
                prop_assert_eq!(said(&page), body);
            }
        }
    }

    #[test]
    fn half_of_it_is_refused() {
        let body = said(&page(vec![revoked("tok_1", Some([7; 32])), revoked("tok_2", None)]));
        let ends = [12, 12 + 7 + 32, body.len()];
        for bytes in 0..=body.len() {
            assert_eq!(read(7, &body[..bytes]).is_some(), ends.contains(&bytes), "{bytes}");
        }
    }

    #[test]
    fn other_changes_and_too_many_are_left_to_the_log() {
        let many = |count: usize| page(vec![revoked(&"t".repeat(64), None); count]);
        assert!(write(&many(3_900)).is_some());
        assert!(write(&many(4_000)).is_none());
        assert!(write(&LogPage { too_far: true, ..page(Vec::new()) }).is_none());
        let start = rescind_core::Timestamp::from_millis(1);
        assert!(write(&page(vec![Change::NotBefore { tenant: None, start }])).is_none());
    }
}
