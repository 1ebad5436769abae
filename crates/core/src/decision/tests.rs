use super::*;
use crate::Digest;
use alloc::{vec, vec::Vec};
use proptest::prelude::*;

/// The facts of a case, owned; `Facts::good` is permitted.
#[derive(Clone, Debug)]
struct Facts {
    kind: TokenKind,
    issued_at: i64,
    expires_at: Option<i64>,
    revoked: bool,
    scopes: Vec<&'static str>,
    owner_suspended: bool,
    networks: Option<&'static str>,
    owner_networks: Option<&'static str>,
    client: Option<&'static str>,
    owner_not_before: Option<i64>,
    tenant_not_before: Option<i64>,
    all_not_before: Option<i64>,
    owner_scopes: Option<Vec<&'static str>>,
    admin: bool,
    needed: Vec<&'static str>,
}

const NOW: i64 = 1_000;

impl Facts {
    fn good() -> Self {
        Self {
            kind: TokenKind::Bearer,
            issued_at: 500,
            expires_at: Some(NOW + 1),
            revoked: false,
            scopes: vec!["read", "write"],
            owner_suspended: false,
            networks: Some("192.0.2.0/24"),
            owner_networks: Some("192.0.2.0/25"),
            client: Some("192.0.2.7"),
            owner_not_before: Some(500),
            tenant_not_before: None,
            all_not_before: None,
            owner_scopes: Some(vec!["other", "read"]),
            admin: false,
            needed: vec!["read"],
        }
    }

    fn decide(&self) -> Result<(), Denial> {
        let set = |names: &Vec<&'static str>| ScopeSet::parse(names.iter().copied()).unwrap();
        let (scopes, needed) = (set(&self.scopes), set(&self.needed));
        let owner_scopes = self.owner_scopes.as_ref().map(set);
        let networks = |block: Option<&str>| block.map(|b| NetworkSet::parse([b]).unwrap());
        let (own, owners) = (networks(self.networks), networks(self.owner_networks));
        let at = |moment: Option<i64>| moment.map(Timestamp::from_millis);
        let bounds = Bounds {
            kind: self.kind,
            issued_at: Timestamp::from_millis(self.issued_at),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            revoked: self.revoked,
            scopes: &scopes,
            networks: own.as_ref(),
            not_before: NotBefore {
                owner: at(self.owner_not_before),
                tenant: at(self.tenant_not_before),
                everything: at(self.all_not_before),
            },
            owner_suspended: self.owner_suspended,
            owner_scopes: owner_scopes.as_ref(),
            owner_networks: owners.as_ref(),
        };
        let client = self.client.map(|address| address.parse().unwrap());
        let demand = Demand { admin: self.admin, scopes: &needed, client };
        decide(Authentic(&bounds), &demand, Timestamp::from_millis(NOW)).map(|permitted| {
            let may: Vec<_> = permitted.bounds().granted().collect();
            assert!(self.needed.iter().all(|name| may.contains(name)));
        })
    }
}

type Change = fn(&mut Facts);

const PERMITTED: [(&str, Change); 16] = [
    ("nothing changed", |_| {}),
    ("never expires", |f| f.expires_at = None),
    ("expires late", |f| f.expires_at = Some(i64::MAX)),
    ("issued at the not-before time", |f| (f.issued_at, f.owner_not_before) = (7, Some(7))),
    ("no not-before time", |f| f.owner_not_before = None),
    ("issued where the clock is ahead", |f| f.issued_at = NOW + 5),
    ("owner without bound", |f| f.owner_scopes = None),
    ("nothing needed", |f| f.needed = vec![]),
    ("nothing needed, held or allowed", |f| {
        (f.needed, f.scopes, f.owner_scopes) = (vec![], vec![], Some(vec![]));
    }),
    ("signing token", |f| f.kind = TokenKind::Signing),
    ("API key", |f| f.kind = TokenKind::ApiKey),
    ("operator at the admin listener", |f| (f.kind, f.admin) = (TokenKind::Admin, true)),
    ("operator, when everything was taken back", |f| {
        (f.kind, f.admin, f.all_not_before) = (TokenKind::Admin, true, Some(NOW));
    }),
    ("issued at the tenant's not-before time", |f| f.tenant_not_before = Some(500)),
    ("issued when everything was taken back", |f| f.all_not_before = Some(500)),
    ("from anywhere, if nobody minds", |f| {
        (f.networks, f.owner_networks, f.client) = (None, None, None);
    }),
];

const REFUSED: [(&str, Change, Denial); 22] = [
    ("revoked", |f| f.revoked = true, Denial::Revoked),
    ("at its expiry", |f| f.expires_at = Some(NOW), Denial::Expired),
    ("after its expiry", |f| f.expires_at = Some(NOW - 1), Denial::Expired),
    ("expired before all time", |f| f.expires_at = Some(i64::MIN), Denial::Expired),
    ("issued just before", |f| f.issued_at = 499, Denial::IssuedBefore),
    ("not before the future", |f| f.owner_not_before = Some(NOW + 1), Denial::IssuedBefore),
    ("before the tenant's time", |f| f.tenant_not_before = Some(501), Denial::IssuedBefore),
    ("before everything's time", |f| f.all_not_before = Some(501), Denial::IssuedBefore),
    (
        "operator of a tenant that was taken back",
        |f| (f.kind, f.admin, f.tenant_not_before) = (TokenKind::Admin, true, Some(501)),
        Denial::IssuedBefore,
    ),
    ("suspended", |f| f.owner_suspended = true, Denial::OwnerSuspended),
    ("outside the token's network", |f| f.networks = Some("10.0.0.0/8"), Denial::WrongNetwork),
    ("outside the owner's", |f| f.owner_networks = Some("10.0.0.0/8"), Denial::WrongNetwork),
    ("from nobody knows where", |f| f.client = None, Denial::WrongNetwork),
    ("operator at the gateway", |f| f.kind = TokenKind::Admin, Denial::WrongAudience),
    ("user asks as operator", |f| f.admin = true, Denial::WrongAudience),
    (
        "signing token asks as operator",
        |f| (f.admin, f.kind) = (true, TokenKind::Signing),
        Denial::WrongAudience,
    ),
    (
        "API key asks as operator",
        |f| (f.admin, f.kind) = (true, TokenKind::ApiKey),
        Denial::WrongAudience,
    ),
    ("token lacks the scope", |f| f.scopes = vec!["write"], Denial::MissingScope),
    ("token lacks one of two", |f| f.needed = vec!["read", "other"], Denial::MissingScope),
    ("owner lacks the scope", |f| f.needed = vec!["write"], Denial::MissingScope),
    ("owner allows nothing", |f| f.owner_scopes = Some(vec![]), Denial::MissingScope),
    ("scope in other case", |f| f.needed = vec!["Read"], Denial::MissingScope),
];

#[test]
fn permitted_rows_are_permitted() {
    for (row, change) in PERMITTED {
        let mut facts = Facts::good();
        change(&mut facts);
        assert_eq!(facts.decide(), Ok(()), "{row}");
    }
}

#[test]
fn refused_rows_are_refused_for_their_reason() {
    for (row, change, denial) in REFUSED {
        let mut facts = Facts::good();
        change(&mut facts);
        assert_eq!(facts.decide(), Err(denial), "{row}");
    }
}

/// Every way to be refused, in the order in which the reasons are named.
const RESTRICTIONS: [(Change, Denial); 9] = [
    (|f| f.revoked = true, Denial::Revoked),
    (|f| f.expires_at = Some(NOW), Denial::Expired),
    (|f| f.owner_not_before = Some(f.issued_at + 1), Denial::IssuedBefore),
    (|f| f.owner_suspended = true, Denial::OwnerSuspended),
    (|f| f.admin = !f.admin, Denial::WrongAudience),
    (|f| f.networks = Some("10.0.0.0/8"), Denial::WrongNetwork),
    (|f| f.client = None, Denial::WrongNetwork),
    (|f| f.scopes = vec![], Denial::MissingScope),
    (|f| f.owner_scopes = Some(vec![]), Denial::MissingScope),
];

#[test]
fn all_combinations_are_refused_for_their_first_reason_and_only_none_is_permitted() {
    for combination in 0..1_u32 << RESTRICTIONS.len() {
        let chosen = || {
            let numbered = RESTRICTIONS.iter().enumerate();
            numbered.filter(|(bit, _)| combination >> bit & 1 == 1).map(|(_, row)| row)
        };
        let mut facts = Facts::good();
        chosen().for_each(|(restrict, _)| restrict(&mut facts));
        let expected = chosen().next().map_or(Ok(()), |(_, denial)| Err(*denial));
        assert_eq!(facts.decide(), expected, "{combination:09b}");
    }
}

const NAMES: [&str; 4] = ["admin", "read", "trade", "write"];

fn names() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(NAMES.to_vec(), 0..=NAMES.len())
}

fn moment() -> impl Strategy<Value = i64> {
    NOW - 2..=NOW + 2
}

fn block() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["192.0.2.0/24", "10.0.0.0/8", "0.0.0.0/0"])
}

prop_compose! {
    fn any_facts()(
        kind in prop::sample::select(TokenKind::ALL.to_vec()),
        (issued_at, expires_at) in (moment(), prop::option::of(moment())),
        (revoked, owner_suspended, admin) in any::<(bool, bool, bool)>(),
        [owner_not_before, tenant_not_before, all_not_before] in
            prop::array::uniform3(prop::option::of(moment())),
        [networks, owner_networks] in prop::array::uniform2(prop::option::of(block())),
        client in prop::option::of(prop::sample::select(vec!["192.0.2.7", "10.0.0.7"])),
        (scopes, owner_scopes, needed) in (names(), prop::option::of(names()), names()),
    ) -> Facts {
        Facts {
            kind, issued_at, expires_at, revoked, scopes, owner_suspended,
            owner_not_before, tenant_not_before, all_not_before, owner_scopes, admin, needed,
            networks, owner_networks, client,
        }
    }
}

/// One step that takes power away or asks for more; some change nothing.
fn restrict(facts: &mut Facts, step: usize, name: &'static str) {
    match step {
        0 => facts.revoked = true,
        1 => facts.owner_suspended = true,
        2 => facts.expires_at = Some(facts.expires_at.map_or(NOW + 1, |at| at - 1)),
        3 => facts.owner_not_before = Some(facts.owner_not_before.map_or(NOW - 1, |at| at + 1)),
        4 => facts.issued_at -= 1,
        5 => facts.scopes.retain(|held| *held != name),
        6 => facts.tenant_not_before = Some(facts.tenant_not_before.map_or(NOW - 1, |at| at + 1)),
        7 => facts.all_not_before = Some(facts.all_not_before.map_or(NOW - 1, |at| at + 1)),
        8 => facts.client = None,
        9 => facts.networks = facts.networks.or(Some("10.0.0.0/8")),
        10 => facts.owner_scopes.get_or_insert(NAMES.to_vec()).retain(|held| *held != name),
        _ => facts.needed.push(name),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn restriction_never_turns_a_denial_into_a_permit(
        before in any_facts(),
        steps in prop::collection::vec((0..12_usize, prop::sample::select(NAMES.to_vec())), 1..4),
    ) {
        let mut after = before.clone();
        steps.iter().for_each(|(step, name)| restrict(&mut after, *step, name));
        prop_assert!(before.decide().is_ok() || after.decide().is_err(), "{after:?}");
    }

    /// The rules once more, in one sentence and without order.
    #[test]
    fn permit_is_given_exactly_when_every_rule_holds(facts in any_facts()) {
        let inside = |block| match (block, facts.client) {
            (_, None) => false,
            ("0.0.0.0/0", _) | ("192.0.2.0/24", Some("192.0.2.7")) => true,
            (block, client) => (block, client) == ("10.0.0.0/8", Some("10.0.0.7")),
        };
        let all = |held: &Vec<_>| facts.needed.iter().all(|name| held.contains(name));
        let permitted = !facts.revoked
            && !facts.owner_suspended
            && facts.expires_at.is_none_or(|end| NOW < end)
            && facts.owner_not_before.is_none_or(|start| start <= facts.issued_at)
            && facts.tenant_not_before.is_none_or(|start| start <= facts.issued_at)
            && (facts.kind == TokenKind::Admin
                || facts.all_not_before.is_none_or(|start| start <= facts.issued_at))
            && [facts.networks, facts.owner_networks].into_iter().flatten().all(inside)
            && facts.admin == matches!(facts.kind, TokenKind::Admin)
            && all(&facts.scopes)
            && facts.owner_scopes.as_ref().is_none_or(all);
        prop_assert_eq!(facts.decide().is_ok(), permitted);
    }
}

#[test]
fn scope_taken_from_the_owner_is_not_told_to_others() {
    let (scopes, allowed) = (ScopeSet::parse(["a", "b", "c"]), ScopeSet::parse(["b", "d"]));
    let (scopes, allowed) = (scopes.unwrap(), allowed.unwrap());
    let mut bounds = Bounds {
        kind: TokenKind::Bearer,
        issued_at: Timestamp::from_millis(0),
        expires_at: None,
        revoked: false,
        scopes: &scopes,
        networks: None,
        not_before: NotBefore::default(),
        owner_suspended: false,
        owner_scopes: Some(&allowed),
        owner_networks: None,
    };
    assert_eq!(bounds.granted().collect::<Vec<_>>(), ["b"]);
    bounds.owner_scopes = None;
    assert_eq!(bounds.granted().collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn bearer_is_authentic_only_by_the_stored_digest() {
    let scopes = ScopeSet::default();
    let bounds = Bounds {
        kind: TokenKind::Bearer,
        issued_at: Timestamp::from_millis(0),
        expires_at: None,
        revoked: false,
        scopes: &scopes,
        networks: None,
        not_before: NotBefore::default(),
        owner_suspended: false,
        owner_scopes: None,
        owner_networks: None,
    };
    let of = |text: &[u8]| Fingerprint::from(&Digest::of(text));
    let (stored, other) = (of(b"a"), of(b"b"));
    assert!(Authentic::by_fingerprint(&of(b"a"), &stored, &bounds).is_ok());
    assert_eq!(Authentic::by_fingerprint(&other, &stored, &bounds).err(), Some(Denial::Unknown));
}

#[test]
fn only_a_missing_scope_is_told_to_the_caller() {
    let told: Vec<_> = Denial::ALL.into_iter().filter(|denial| denial.is_forbidden()).collect();
    assert_eq!(told, [Denial::MissingScope]);
}

#[test]
fn every_denial_has_its_own_name() {
    let mut names: Vec<_> = Denial::ALL.map(Denial::as_str).into();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Denial::ALL.len());
}
