//! Scopes: what a token allows. Exact names, no wildcards: a scope either stands in the set or does
//! not.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

/// Longest scope name, in bytes.
pub const SCOPE_BYTES_MAX: usize = 64;
/// Most scopes that one token, owner or route may carry.
pub const SCOPES_MAX: usize = 32;

/// One scope name: RFC 6749 §3.3 `scope-token`, without the characters that need quoting in headers
/// and lists (space, comma, quotes, backslash).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Box<str>);

/// A sorted set of scopes without duplicates.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct ScopeSet(Box<[Scope]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    #[error(
        "a scope has 1 to {SCOPE_BYTES_MAX} visible ASCII characters, none of them , \" ' or \\"
    )]
    Name,
    #[error("at most {SCOPES_MAX} scopes")]
    TooMany,
}

impl Scope {
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let fits = (1..=SCOPE_BYTES_MAX).contains(&text.len());
        let clean = text.bytes().all(|b| b.is_ascii_graphic() && !b",\"'\\".contains(&b));
        if fits && clean { Ok(Self(text.into())) } else { Err(ScopeError::Name) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ScopeSet {
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let mut scopes = Vec::new();
        for name in names {
            if scopes.len() == SCOPES_MAX {
                return Err(ScopeError::TooMany);
            }
            scopes.push(Scope::parse(name)?);
        }
        scopes.sort_unstable();
        scopes.dedup();
        Ok(Self(scopes.into()))
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.binary_search_by(|scope| scope.as_str().cmp(name)).is_ok()
    }

    /// Whether every scope of `needed` stands in this set. Allocates nothing.
    pub fn contains_all(&self, needed: &ScopeSet) -> bool {
        // Both are in order, so what was passed over for one name is not there for the next.
        let mut own = self.iter();
        needed.iter().all(|name| own.any(|scope| scope == name))
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.0.iter().map(Scope::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names in order, separated by `separator`: a space in headers (RFC 6749), a comma in
    /// lists.
    pub fn join(&self, separator: &str) -> String {
        let mut out = String::new();
        for name in self.iter() {
            if !out.is_empty() {
                out.push_str(separator);
            }
            out.push_str(name);
        }
        out
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec};
    use proptest::prelude::*;
    use rstest::rstest;

    fn set(names: &[&str]) -> ScopeSet {
        ScopeSet::parse(names.iter().copied()).unwrap()
    }

    #[rstest]
    #[case::plain("trading", true)]
    #[case::url("https://example.org/orders.read", true)]
    #[case::other_signs("a:b!#$%&()*+-./;<=>?@[]^_`{|}~", true)]
    #[case::empty("", false)]
    #[case::blank("a b", false)]
    #[case::comma("a,b", false)]
    #[case::quote("a\"", false)]
    #[case::apostrophe("a'", false)]
    #[case::backslash("a\\b", false)]
    #[case::line_feed("a\n", false)]
    #[case::delete("a\u{7f}", false)]
    #[case::non_ascii("tr\u{e4}ding", false)]
    fn scope_name_is_checked(#[case] name: &str, #[case] good: bool) {
        assert_eq!(Scope::parse(name).is_ok(), good);
    }

    #[test]
    fn longest_name_is_taken_and_one_more_character_is_not() {
        assert!(Scope::parse(&"s".repeat(SCOPE_BYTES_MAX)).is_ok());
        assert_eq!(Scope::parse(&"s".repeat(SCOPE_BYTES_MAX + 1)), Err(ScopeError::Name));
    }

    #[test]
    fn fullest_set_is_taken_and_one_more_scope_is_not() {
        let names: Vec<String> = (0..=SCOPES_MAX).map(|n| format!("s{n}")).collect();
        let taken = ScopeSet::parse(names[..SCOPES_MAX].iter().map(String::as_str)).unwrap();
        assert_eq!(taken.iter().len(), SCOPES_MAX);
        let past = ScopeSet::parse(names.iter().map(String::as_str));
        assert_eq!(past, Err(ScopeError::TooMany));
    }

    #[test]
    fn endless_list_ends_at_the_bound() {
        assert_eq!(ScopeSet::parse(core::iter::repeat("a")), Err(ScopeError::TooMany));
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        let mixed = set(&["trading", "account_creation", "trading"]);
        assert_eq!(mixed, set(&["account_creation", "trading"]));
        assert_eq!(mixed.iter().collect::<Vec<_>>(), vec!["account_creation", "trading"]);
        assert_eq!(mixed.join(" "), "account_creation trading");
        assert_eq!(set(&[]).join(","), "");
        assert_eq!(format!("{mixed:?}"), r#"{"account_creation", "trading"}"#);
    }

    #[test]
    fn scope_is_matched_whole_and_exactly() {
        let held = set(&["trading", "orders:read"]);
        assert!(held.contains("trading"));
        for near in ["Trading", "trad", "trading ", "tradings", "", "*", "orders:*", "orders"] {
            assert!(!held.contains(near), "{near}");
        }
        assert!(!set(&["*"]).contains("trading"));
    }

    #[test]
    fn every_needed_scope_must_be_held() {
        let held = set(&["a", "b"]);
        assert!(held.contains_all(&set(&[])));
        assert!(held.contains_all(&set(&["b", "a"])));
        assert!(!held.contains_all(&set(&["a", "c"])));
        assert!(!set(&[]).contains_all(&set(&["a"])));
        assert!(set(&[]).is_empty() && !held.is_empty());
    }

    proptest! {
        #[test]
        fn set_holds_exactly_what_was_given(
            names in prop::collection::vec("[a-d]{1,2}", 0..SCOPES_MAX),
        ) {
            let held = ScopeSet::parse(names.iter().map(String::as_str)).unwrap();
            prop_assert!(held.iter().zip(held.iter().skip(1)).all(|(one, next)| one < next));
            prop_assert!(names.iter().all(|name| held.contains(name)));
            prop_assert!(held.iter().all(|held| names.iter().any(|name| name == held)));
            let again = ScopeSet::parse(held.join(" ").split_ascii_whitespace()).unwrap();
            prop_assert_eq!(again, held);
        }
    }
}
