//! What a commit has changed, as it is said to other nodes: revocations of single tokens.
//!
//! ```text
//! after: u64, its mark, the mark of where it leads to, then for each token
//! bytes of its id: u8, id, its digest
//! ```
//!
//! A mark or a digest is 1 and 32 bytes, or 0 if there is none. All in network order. Whatever else has
//! changed is not said: the other end is rung, and reads the log.

use super::link::Ring;
use rescind_core::{Digest, TokenId};
use rescind_store::{Change, Epoch, LogPage, Position};

/// Longer than any batch of the store; what is larger is read in the log.
pub(super) const BYTES_MAX: usize = 1 << 18;

/// `None` if it cannot be said so.
pub(super) fn write(page: &LogPage) -> Option<Ring> {
    if page.too_far {
        return None;
    }
    let mut body = Vec::new();
    body.extend(page.after.epoch.to_be_bytes());
    write_digest(&mut body, page.after.mark.as_ref());
    write_digest(&mut body, page.head.mark.as_ref());
    for change in &page.changes {
        let Change::Revoked { id, digest } = change else { return None };
        body.push(u8::try_from(id.as_str().len()).ok()?);
        body.extend(id.as_str().as_bytes());
        write_digest(&mut body, digest.as_ref());
    }
    let sayable = body.len() <= BYTES_MAX;
    sayable.then(|| Ring::Pushed { epoch: page.head.epoch, body: body.into() })
}

/// `None` if it was not written as above.
pub(super) fn read(head: Epoch, mut body: &[u8]) -> Option<LogPage> {
    let epoch = u64::from_be_bytes(take(&mut body)?);
    let after = Position { epoch, mark: read_digest(&mut body)? };
    let head = Position { epoch: head, mark: read_digest(&mut body)? };
    let mut changes = Vec::new();
    while !body.is_empty() {
        let [bytes] = take(&mut body)?;
        let id = body.split_off(..usize::from(bytes))?;
        let id = TokenId::parse(str::from_utf8(id).ok()?).ok()?;
        let digest = read_digest(&mut body)?;
        changes.push(Change::Revoked { id, digest });
    }
    let (holds, in_recovery, timeline, too_far) = (true, false, 0, false);
    Some(LogPage { after, head, holds, in_recovery, timeline, too_far, changes })
}

fn write_digest(body: &mut Vec<u8>, digest: Option<&Digest>) {
    body.push(u8::from(digest.is_some()));
    digest.into_iter().for_each(|digest| body.extend(digest.as_bytes()));
}

fn read_digest(body: &mut &[u8]) -> Option<Option<Digest>> {
    match take(body)? {
        [0] => Some(None),
        [1] => Some(Some(Digest::from_bytes(take(body)?))),
        _ => None,
    }
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
        let (holds, in_recovery, timeline, too_far) = (true, false, 0, false);
        let after = Position { epoch: 4, mark: None };
        let head = Position { epoch: 7, mark: Some(Digest::of(b"a history")) };
        LogPage { after, head, holds, in_recovery, timeline, too_far, changes }
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
        let head = 8 + 1 + 33;
        let ends = [head, head + 7 + 32, body.len()];
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
