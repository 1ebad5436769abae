//! One file for each command: ask the server, make an answer of what it says.

mod audit;
mod cluster;
mod confirm;
mod context;
mod dev;
mod doctor;
mod documents;
mod identity;
mod keygen;
mod migrate_store;
mod operator;
mod partner;
mod revoke_all;
mod serve;
mod shown;
mod status;
mod token;
mod user;
mod verify;

use crate::{
    cli::{Cli, Command, DevCommand, DoctorCommand},
    client::Client,
    context::Context,
    failure::{Exit, Failure},
    output::Output,
};

/// Runs the command, prints what it answers, and says how to exit. `words` is the command as it is
/// typed, without its arguments.
pub(crate) async fn run(cli: Cli, words: &str) -> Exit {
    let output = Output::new(cli.global.format());
    let ended = dispatch(cli, output).await;
    ended.unwrap_or_else(|failure| {
        let failure = match failure.exit {
            Exit::Usage | Exit::Refused => failure.or_next(format!("see `{words} --help`")),
            Exit::Done | Exit::Unreachable => failure,
        };
        output.failure(&failure);
        failure.exit
    })
}

async fn dispatch(cli: Cli, output: Output) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    let connect = || connect(global.context.as_deref(), output);
    let answer = match command {
        // These two run until they are told to stop, and print as they go.
        Command::Serve(args) => return serve::run(args, output).await.map(|()| Exit::Done),
        Command::Dev(args) => match args.command {
            None => return dev::run(args, output).await.map(|()| Exit::Done),
            Some(DevCommand::Identity(args)) => identity::run(&args)?,
        },
        // These write what is no answer: a script, a page, a file.
        Command::Completions(args) => return documents::completions(&args, output),
        Command::Man(args) => return documents::man(&args, output),
        Command::Audit(command) => audit::run(command, connect, output).await?,
        Command::User(command) => user::run(command, &connect()?).await?,
        Command::Partner(command) => partner::run(command, &connect()?).await?,
        Command::Operator(command) => operator::run(command, &connect()?, output).await?,
        Command::Token(command) => token::run(command, &connect()?, output).await?,
        Command::RevokeAll(args) => revoke_all::run(&args, &connect()?, output).await?,
        Command::Verify(args) => verify::run(args, &connect()?).await?,
        Command::Whoami => status::whoami(&connect()?).await?,
        Command::Status => status::status(&connect()?).await?,
        Command::Cluster => cluster::cluster(&connect()?).await?,
        Command::Problem(args) => status::problem(&args, &connect()?).await?,
        Command::Openapi => status::openapi(&connect()?).await?,
        Command::Context(command) => context::run(command, global.context.as_deref())?,
        Command::Doctor(args) => match args.command {
            None => doctor::run(&args, global.context.as_deref()).await,
            Some(DoctorCommand::Proxy(args)) => {
                doctor::proxy::run(&args, global.context.as_deref()).await?
            }
            Some(DoctorCommand::Cluster(args)) => doctor::cluster::run(&args).await?,
            Some(DoctorCommand::Echo(args)) => {
                return doctor::echo::run(&args, output).await.map(|()| Exit::Done);
            }
        },
        Command::Keygen(command) => keygen::run(&command)?,
        Command::MigrateStore(args) => migrate_store::run(args, output).await?,
    };
    output.answer(&answer)?;
    Ok(answer.exit)
}

fn connect(context: Option<&str>, output: Output) -> Result<Client, Failure> {
    let context = Context::find(context)?;
    if context.is_exposed() {
        output.talk(&format!(
            "warning: the admin token crosses the network in the clear to {}",
            context.admin_url
        ));
    }
    Client::new(&context)
}

#[cfg(test)]
mod tests;
