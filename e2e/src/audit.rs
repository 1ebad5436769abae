//! The audit chain, recomputed from what the admin API shows.
//!
//! A chain that verifies today may still be another one than yesterday's: a [`Chain`] is
//! therefore kept from life to life of the server, and each new page has to continue it.

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

const DOMAIN: &[u8] = b"rescind-audit-v1";

/// As much of the log as has been seen.
#[derive(Clone, Default)]
pub struct Chain {
    entries: Vec<Value>,
    head: [u8; 32],
}

impl Chain {
    /// Adds entries that must follow, by number and by hash.
    pub fn extend(&mut self, entries: Vec<Value>) -> anyhow::Result<()> {
        for entry in entries {
            let expected = self.seen() + 1;
            ensure!(
                entry["seq"] == expected,
                "entry {expected} is missing, found {}",
                entry["seq"]
            );
            let hash = link(&self.head, &entry)?;
            let recorded = field(&entry, "hash")?;
            ensure!(recorded == hex(&hash), "entry {expected} does not hash to {recorded}");
            self.head = hash;
            self.entries.push(entry);
        }
        Ok(())
    }

    /// The number of the last entry.
    pub fn seen(&self) -> u64 {
        self.entries.len() as u64
    }

    /// How often `action` was done, by what it was done to.
    pub fn counts(&self, action: &str) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry["action"] == action) {
            *counts.entry(entry["subject"].as_str().unwrap_or_default()).or_default() += 1;
        }
        counts
    }
}

/// Every field with its length before it, after the hash before.
fn link(previous: &[u8; 32], entry: &Value) -> anyhow::Result<[u8; 32]> {
    let at: jiff::Timestamp = field(entry, "at")?.parse()?;
    let seq = entry["seq"].as_u64().context("no seq")?;
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(previous);
    hash.update(seq.to_be_bytes());
    hash.update(at.as_millisecond().to_be_bytes());
    for name in ["actor", "action", "subject", "detail"] {
        let value = field(entry, name)?;
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value);
    }
    Ok(hash.finalize().into())
}

fn field<'a>(entry: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    match &entry[name] {
        Value::String(text) => Ok(text),
        other => bail!("{name} should be the text that was hashed, is {other}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn two_entries() -> Vec<Value> {
        let mut head = [0; 32];
        let mut entries = Vec::new();
        for (seq, action) in [(1, "token.issued"), (2, "token.revoked")] {
            let mut entry = json!({
                "seq": seq, "at": "2026-03-23T12:34:56.789Z", "actor": "system:test",
                "action": action, "subject": "tok", "detail": "{}",
            });
            head = link(&head, &entry).unwrap();
            entry["hash"] = hex(&head).into();
            entries.push(entry);
        }
        entries
    }

    /// Computed once outside this crate, from the layout: pins the bytes that are hashed.
    #[test]
    fn the_first_link_is_as_documented() {
        let entries = two_entries();
        let expected = "e1275281afdea32d";
        assert!(field(&entries[0], "hash").unwrap().starts_with(expected), "{}", entries[0]);
    }

    #[test]
    fn an_unbroken_chain_verifies_page_by_page() {
        let mut chain = Chain::default();
        for entry in two_entries() {
            chain.extend(vec![entry]).unwrap();
        }
        assert_eq!((chain.seen(), chain.counts("token.revoked")["tok"]), (2, 1));
    }

    #[test]
    fn changed_missing_and_reordered_entries_are_found() {
        let changed = |name: &str, value: Value| {
            let mut entries = two_entries();
            entries[1][name] = value;
            entries
        };
        let mut swapped = two_entries();
        swapped.swap(0, 1);
        let faults = [
            changed("subject", "other".into()),
            changed("detail", json!({})),
            changed("at", "2026-03-23T12:34:56.790Z".into()),
            changed("hash", "00".into()),
            two_entries().split_off(1),
            swapped,
        ];
        for entries in faults {
            assert!(Chain::default().extend(entries.clone()).is_err(), "{entries:?}");
        }
    }
}
