//! `rescind completions` and `rescind man`

use crate::{
    cli::{Cli, CompletionsArgs, ManArgs},
    failure::{Exit, Failure},
    output::Output,
};
use clap::CommandFactory as _;
use std::path::Path;

pub(crate) fn completions(args: &CompletionsArgs, output: Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rescind", &mut script);
    print(&script, output)
}

pub(crate) fn man(args: &ManArgs, output: Output) -> Result<Exit, Failure> {
    let Some(directory) = &args.directory else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
        rendered.map_err(|fault| Failure::unreachable(fault.to_string()))?;
        return print(&page, output);
    };
    let written = write_pages(directory);
    let names = written.map_err(|fault| {
        Failure::usage(format!("{}: {fault}", directory.display()))
            .next("name a directory that is yours")
    })?;
    output.data(&names.join("\n"))?;
    Ok(Exit::Done)
}

fn write_pages(directory: &Path) -> std::io::Result<Vec<String>> {
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Cli::command(), directory)?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("rescind") && name.ends_with(".1") {
            names.push(directory.join(name).display().to_string());
        }
    }
    names.sort();
    Ok(names)
}

fn print(text: &[u8], output: Output) -> Result<Exit, Failure> {
    output.data(String::from_utf8_lossy(text).trim_end())?;
    Ok(Exit::Done)
}
