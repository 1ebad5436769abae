//! `rescind context …`

use super::shown::one_of;
use crate::{
    cli::{ContextAddArgs, ContextCommand},
    context::{Context, Contexts, unknown},
    failure::Failure,
    input,
    output::{Answer, Column, Text},
};
use serde_json::{Value, json};

const COLUMNS: [Column; 3] =
    [Column::new("name", "name"), Column::new("url", "admin_url"), Column::new("in use", "in_use")];

const SHOWN: [Column; 2] = [Column::new("from", "from"), Column::new("url", "admin_url")];

/// `named` is what `--context` says.
pub(crate) fn run(command: ContextCommand, named: Option<&str>) -> Result<Answer, Failure> {
    match command {
        ContextCommand::List => list(),
        ContextCommand::Add(args) => add(&args),
        ContextCommand::Use(args) => choose(args.name),
        ContextCommand::Show => show(named),
        ContextCommand::Remove(args) => remove(&args.name),
    }
}

fn list() -> Result<Answer, Failure> {
    let contexts = Contexts::load()?;
    let view = |(name, saved): (&String, &crate::context::Saved)| {
        let in_use = contexts.current.as_ref() == Some(name);
        json!({"name": name, "admin_url": saved.admin_url, "in_use": in_use})
    };
    let rows: Vec<Value> = contexts.all.iter().map(view).collect();
    let ids = Some(contexts.all.keys().cloned().collect());
    let answer = Answer::new(json!({"items": rows}), Text::Table { columns: &COLUMNS, rows });
    let answer = Answer { ids, ..answer };
    Ok(match (contexts.all.is_empty(), &contexts.current) {
        (true, _) => Answer { text: Text::Line(String::new()), ..answer.note("none") }
            .next(crate::context::how_to_get_one()),
        (false, None) => answer.next("choose one with `rescind context use NAME`"),
        _ => answer,
    })
}

fn add(args: &ContextAddArgs) -> Result<Answer, Failure> {
    let name = &args.name;
    // Before the token is asked for.
    if !args.replace && Contexts::load()?.all.contains_key(name) {
        return Err(exists(name));
    }
    Context::new(&args.url, "", "--url".into())?;
    let token = input::secret("admin token")?;
    let context = Context::new(&args.url, &token, "--url".into())?;
    let mut is_used = false;
    Contexts::update(|contexts| {
        if !args.replace && contexts.all.contains_key(name) {
            return Err(exists(name));
        }
        contexts.put(name, &context);
        if args.use_it || contexts.current.is_none() {
            contexts.current = Some(name.clone());
        }
        is_used = contexts.current.as_ref() == Some(name);
        Ok(())
    })?;
    let json = json!({"name": name, "admin_url": context.admin_url.as_str(), "in_use": is_used});
    let answer = Answer::line(json, format!("context {name} is kept")).id(name.clone());
    Ok(match is_used {
        true => answer.next("`rescind doctor` tries it"),
        false => answer.next(format!("`rescind --context {name} doctor` tries it")),
    })
}

fn choose(name: String) -> Result<Answer, Failure> {
    Contexts::update(|contexts| {
        contexts.all.contains_key(&name).then_some(()).ok_or_else(|| unknown(&name))?;
        contexts.current = Some(name.clone());
        Ok(())
    })?;
    let line = format!("commands go to context {name} from now on");
    Ok(Answer::line(json!({"name": name, "in_use": true}), line).id(name))
}

/// Never the token: whoever may read it reads the file.
fn show(named: Option<&str>) -> Result<Answer, Failure> {
    let Context { admin_url, origin, .. } = Context::find(named)?;
    Ok(one_of(json!({"from": origin, "admin_url": admin_url.as_str()}), &SHOWN))
}

fn remove(name: &str) -> Result<Answer, Failure> {
    let mut was_used = false;
    Contexts::update(|contexts| {
        contexts.all.remove(name).ok_or_else(|| unknown(name))?;
        was_used = contexts.current.as_deref() == Some(name);
        contexts.current = contexts.current.take().filter(|current| current != name);
        Ok(())
    })?;
    let answer = Answer::line(json!({"name": name}), format!("context {name} is forgotten"));
    let answer = answer.id(name).note("its token stays valid until it is revoked");
    Ok(match was_used {
        true => answer.next("choose another one with `rescind context use NAME`"),
        false => answer,
    })
}

fn exists(name: &str) -> Failure {
    Failure::usage(format!("there is a context `{name}` already"))
        .next("repeat the command with --replace, or choose another name")
}
