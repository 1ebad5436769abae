use super::*;
use clap::{CommandFactory as _, error::ErrorKind};

fn parse(line: &str) -> Result<Command, ErrorKind> {
    let words = line.split_whitespace();
    Cli::try_parse_from(words).map(|cli| cli.command).map_err(|fault| fault.kind())
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn help_is_as_written() {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut all = String::new();
    collect_help(&command, &mut all);
    insta::assert_snapshot!("help", all);
}

fn collect_help(command: &clap::Command, all: &mut String) {
    let shown = command.clone().render_help().to_string();
    let lines: Vec<_> = shown.trim_end().lines().map(str::trim_end).collect();
    all.push_str(&format!("{}\n\n---\n\n", lines.join("\n")));
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        collect_help(inner, all);
    }
}

#[test]
fn dev_listens_on_loopback_unless_told_otherwise() {
    let Ok(Command::Dev(args)) = parse("rescind dev") else { panic!() };
    let given = [args.listen, args.verify_listen, args.admin_listen].map(|at| at.to_string());
    assert_eq!(given, ["127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"]);
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
        assert!(Cli::try_parse_from(line.split_whitespace()).unwrap().json, "{line}");
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
        Ok(Command::User(UserCommand::Suspend { user })) => user,
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
    assert_eq!(parse("rescind verify api_prod_s3cret").unwrap_err(), ErrorKind::InvalidValue);
    assert!(parse("rescind verify -").is_ok());
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
        "rescind token create --owner a --kind admin",
        "rescind token create --owner a/b",
        "rescind token create --owner a --scopes a\"b",
        "rescind token revoke ..",
        "rescind token revoke t --reason because",
        "rescind partner set --subject s --token-management maybe",
    ] {
        let refused = parse(line).unwrap_err();
        let good = [ErrorKind::ValueValidation, ErrorKind::InvalidValue];
        assert!(good.contains(&refused), "{line}: {refused:?}");
    }
}
