use super::*;
use clap::error::ErrorKind;
use rescind_core::TokenKind;
use std::time::Duration;

fn parse(line: &str) -> Result<Command, ErrorKind> {
    let words = line.split_whitespace();
    Cli::try_parse_from(words).map(|cli| cli.command).map_err(|fault| fault.kind())
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn the_format_is_understood_after_any_command() {
    let format = |line: &str| Cli::try_parse_from(line.split_whitespace()).unwrap().global.format();
    assert_eq!(format("rescind token list"), Format::Table);
    assert_eq!(format("rescind -o wide token list"), Format::Wide);
    assert_eq!(format("rescind token list -oid"), Format::Id);
    assert_eq!(format("rescind token list --output json"), Format::Json);
    assert_eq!(format("rescind token --json list"), Format::Json);
    assert_eq!(parse("rescind token list -o yaml").unwrap_err(), ErrorKind::InvalidValue);
    assert_eq!(parse("rescind token list --json -o id").unwrap_err(), ErrorKind::ArgumentConflict);
}

#[test]
fn the_words_of_a_command_are_known() {
    let words = |line: &str| words(&Cli::command().get_matches_from(line.split_whitespace()));
    assert_eq!(words("rescind --json token list --all"), "rescind token list");
    assert_eq!(words("rescind doctor"), "rescind doctor");
}

#[test]
fn dev_listens_on_loopback_unless_told_otherwise() {
    let Ok(Command::Dev(args)) = parse("rescind dev") else { panic!() };
    let given = [args.listen, args.verify_listen, args.admin_listen, args.grpc_listen];
    assert_eq!(given.map(|at| at.port()), [8080, 8081, 8082, 8083]);
    assert!(given.iter().all(|at| at.ip().is_loopback()));
    assert!(args.command.is_none() && args.data.is_none() && !args.fresh);
    let line = "rescind dev --json --listen 127.0.0.1:0 --data /tmp/d --fresh";
    let Ok(Command::Dev(args)) = parse(line) else { panic!() };
    assert_eq!((args.listen.port(), args.fresh), (0, true));
    assert_eq!(args.data, Some("/tmp/d".into()));
}

#[test]
fn dev_identity_knows_every_kind() {
    for (word, kind) in [
        ("valid", IdentityKind::Valid),
        ("expired", IdentityKind::Expired),
        ("wrong-aud", IdentityKind::WrongAud),
        ("wrong-iss", IdentityKind::WrongIss),
        ("wrong-key", IdentityKind::WrongKey),
    ] {
        let line = format!("rescind dev identity --subject ada --kind {word} --data /tmp/d");
        let Ok(Command::Dev(args)) = parse(&line) else { panic!("{word}") };
        let Some(DevCommand::Identity(args)) = args.command else { panic!("{word}") };
        assert_eq!((args.subject.as_str(), args.kind), ("ada", kind));
    }
    assert_eq!(parse("rescind dev identity").unwrap_err(), ErrorKind::MissingRequiredArgument);
}

#[test]
fn json_is_understood_after_any_command() {
    for line in
        ["rescind --json token list", "rescind token --json list", "rescind token list --json"]
    {
        assert!(Cli::try_parse_from(line.split_whitespace()).unwrap().global.json, "{line}");
    }
}

#[test]
fn settings_are_split_at_the_first_equals_sign() {
    let line = "rescind serve --config /etc/r.toml --set gateway.upstream=http://a/?b=c --set a.b=";
    let Ok(Command::Serve(args)) = parse(line) else { panic!() };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(args.set, [pair("gateway.upstream", "http://a/?b=c"), pair("a.b", "")]);
    assert_eq!(parse("rescind serve --set gateway").unwrap_err(), ErrorKind::ValueValidation);
}

#[test]
fn users_are_named_by_id_or_address() {
    let named = |word| match parse(&format!("rescind user suspend {word}")) {
        Ok(Command::User(UserCommand::Suspend(who))) => who.user,
        other => panic!("{other:?}"),
    };
    assert_eq!(named("user_1"), "user_1");
    assert_eq!(named("ada@example.com"), "email:ada@example.com");
    for odd in ["..", "a/b", "a%2fb", "email:ada"] {
        let refused = parse(&format!("rescind user suspend {odd}")).unwrap_err();
        assert_eq!(refused, ErrorKind::ValueValidation, "{odd}");
    }
}

#[test]
fn secrets_cannot_be_typed() {
    for line in [
        "rescind user create --email a@b --password s3cret",
        "rescind token list --admin-token s3cret",
        "rescind keygen sealing-key s3cret",
    ] {
        assert_eq!(parse(line).unwrap_err(), ErrorKind::UnknownArgument, "{line}");
    }
    for line in ["rescind verify api_prod_s3cret", "rescind token revoke-presented api_prod_s3cret"]
    {
        let command = parse(line).unwrap();
        assert!(!format!("{command:?}").contains("s3cret"), "{line}");
        let refused = match command {
            Command::Verify(args) => args.presented.read(),
            Command::Token(TokenCommand::RevokePresented { presented, .. }) => presented.read(),
            other => panic!("{other:?}"),
        };
        assert!(!format!("{:?}", refused.unwrap_err()).contains("s3cret"), "{line}");
    }
}

#[test]
fn tokens_are_created_with_what_was_asked() {
    let line = "rescind token create --owner prt_1 --kind signing --scopes trading,withdrawal \
                --expires-in 30d --label bot";
    let Ok(Command::Token(TokenCommand::Create(args))) = parse(line) else { panic!() };
    assert_eq!((args.owner.as_str(), args.kind), ("prt_1", TokenKind::Signing));
    assert_eq!(args.scopes.unwrap().join(" "), "trading withdrawal");
    assert_eq!(args.expires_in, Some(Duration::from_hours(30 * 24)));
}

#[test]
fn values_that_mean_nothing_are_refused() {
    for line in [
        "rescind token create --owner a --expires-in 0s",
        "rescind token create --owner a --expires-in soon",
        "rescind token create --owner a --kind root",
        "rescind token create --owner a --networks 10.0.0.7/8",
        "rescind token create --owner a --idempotency-key \u{7f}",
        "rescind token rotate t --overlap 169h",
        "rescind token list --issued-before 2026-11-21T21:56:11",
        "rescind token list --limit 0",
        "rescind token list --after a/b",
        "rescind audit verify --anchor 42",
        "rescind audit verify --anchor 42:9f",
        "rescind context use a/b",
        "rescind user list --context ..!",
        "rescind token create --owner a/b",
        "rescind token create --owner a --scopes a\"b",
        "rescind token revoke ..",
        "rescind token revoke t --reason because",
        "rescind partner update --subject s --token-management maybe",
    ] {
        let refused = parse(line).unwrap_err();
        let good = [ErrorKind::ValueValidation, ErrorKind::InvalidValue];
        assert!(good.contains(&refused), "{line}: {refused:?}");
    }
}

#[test]
fn a_set_revocation_needs_exactly_one_set() {
    for line in ["", "--owner a --tenant b", "--owner a --everything", "--tenant b --everything"] {
        let refused = parse(&format!("rescind revoke-all {line} --yes")).unwrap_err();
        let good = [ErrorKind::MissingRequiredArgument, ErrorKind::ArgumentConflict];
        assert!(good.contains(&refused), "{line}: {refused:?}");
    }
    for line in ["--owner a", "--tenant b", "--everything"] {
        assert!(parse(&format!("rescind revoke-all {line}")).is_ok(), "{line}");
    }
}

#[test]
fn bounds_are_set_or_taken_away_and_not_both() {
    for (set, none) in [("--scopes a", "--any-scope"), ("--networks ::/0", "--any-network")] {
        for who in ["user update ada@example.com", "partner update p_1"] {
            assert!(parse(&format!("rescind {who} {set}")).is_ok());
            assert!(parse(&format!("rescind {who} {none}")).is_ok());
            let both = parse(&format!("rescind {who} {set} {none}")).unwrap_err();
            assert_eq!(both, ErrorKind::ArgumentConflict, "{who}");
        }
    }
}

#[test]
fn partners_are_named_by_id_or_subject() {
    for line in ["p_1", "--subject s", "--subject s --issuer i"] {
        assert!(parse(&format!("rescind partner get {line}")).is_ok(), "{line}");
    }
    for line in ["", "--issuer i", "p_1 --subject s", "p_1 --issuer i"] {
        assert!(parse(&format!("rescind partner get {line}")).is_err(), "{line}");
    }
}

#[test]
fn anchors_are_a_number_and_a_hash() {
    let hash = "9f".repeat(32);
    let anchor = Anchor::parse(&format!("42:{hash}\n")).unwrap();
    assert_eq!((anchor.seq, anchor.hash.as_bytes()), (42, &[0x9f; 32]));
    for odd in ["", "42", ":", "-1:", &format!("x:{hash}"), &format!("42:{hash}9f"), "42:+f"] {
        assert!(Anchor::parse(odd).is_err(), "{odd}");
    }
    assert!(Anchor::parse(&format!("42:+{}", &hash[1..])).is_err(), "a sign is no digit");
}
