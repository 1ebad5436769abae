//! One file for each command: ask the server, make an [`Answer`] of what it says.

mod dev;
mod doctor;
mod identity;
mod keygen;
mod partner;
mod serve;
mod token;
mod user;
mod verify;

use crate::{
    cli::{Cli, Command, DevCommand},
    client::{Client, List},
    context::Context,
    failure::{Exit, Failure},
    output::{Answer, Output, Text, field},
};
use serde_json::{Value, json};

/// Runs the command, prints what it answers, and says how to exit.
pub(crate) async fn run(cli: Cli) -> Exit {
    let output = Output::new(cli.json);
    dispatch(cli.command, output).await.unwrap_or_else(|failure| {
        output.failure(&failure);
        failure.exit
    })
}

async fn dispatch(command: Command, output: Output) -> Result<Exit, Failure> {
    let answer = match command {
        // These two run until they are told to stop, and print as they go.
        Command::Serve(args) => return serve::run(args, output).await.map(|()| Exit::Done),
        Command::Dev(args) => match args.command {
            None => return dev::run(args, output).await.map(|()| Exit::Done),
            Some(DevCommand::Identity(args)) => identity::run(&args)?,
        },
        Command::User(command) => user::run(command, &connect(output)?).await?,
        Command::Partner(command) => partner::run(command, &connect(output)?).await?,
        Command::Token(command) => token::run(command, &connect(output)?).await?,
        Command::Verify(args) => verify::run(args, &connect(output)?).await?,
        Command::Doctor(args) => doctor::run(&args).await,
        Command::Keygen(command) => keygen::run(&command)?,
    };
    output
        .answer(&answer)
        .map_err(|fault| Failure::unreachable(format!("the answer cannot be written: {fault}")))?;
    Ok(answer.exit)
}

fn connect(output: Output) -> Result<Client, Failure> {
    let context = Context::find()?;
    if context.is_exposed() {
        output.talk(&format!(
            "warning: the admin token crosses the network in the clear to {}",
            context.admin_url
        ));
    }
    Client::new(&context)
}

/// A list as a table of some of its items' fields.
fn table_of(list: List, columns: &'static [&'static str], fields: &[&str]) -> Answer {
    let row = |item: &Value| fields.iter().map(|name| field(item, name)).collect();
    let text = Text::Table { columns, rows: list.items.iter().map(row).collect() };
    let count = list.items.len();
    let (empty, more) = (count == 0, list.next.is_some());
    let answer = Answer::new(json!({"items": list.items, "next": list.next}), text);
    match (empty, more) {
        (true, _) => answer.note("none"),
        (_, true) => answer.note(format!("these are the first {count}; there are more")),
        _ => answer,
    }
}

/// One item as its fields.
fn fields_of(item: Value, fields: &[(&'static str, &str)]) -> Answer {
    let text = fields.iter().map(|(label, name)| (*label, field(&item, name))).collect();
    Answer::new(item, Text::Fields(text))
}

/// Adds what was given on the command line, and leaves the rest to the server.
fn add(body: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(body), Some(value)) = (body.as_object_mut(), value) {
        body.insert(name.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests;
