//! `rescind partner …`

use super::shown::{add, add_bound, created_of, list_of, one_of};
use crate::{
    cli::Paging,
    cli::{PartnerCommand, PartnerCreateArgs, PartnerListArgs, PartnerRef, PartnerUpdateArgs},
    client::Client,
    failure::Failure,
    output::{Answer, Column, field},
};
use serde_json::{Value, json};

const PATH: [&str; 2] = ["v1", "partners"];

/// Enough to see whether a subject is known to one issuer or to several.
const NAMESAKES: Paging = Paging { limit: 10, after: None };

const COLUMNS: [Column; 11] = [
    Column::new("id", "id"),
    Column::new("subject", "subject"),
    Column::wide("issuer", "issuer"),
    Column::new("profile", "profile_id"),
    Column::wide("account", "account"),
    Column::new("tenant", "tenant_id"),
    Column::new("token management", "token_management"),
    Column::new("allowed scopes", "allowed_scopes"),
    Column::wide("allowed networks", "allowed_networks"),
    Column::new("suspended", "suspended"),
    Column::wide("created", "created_at"),
];

pub(crate) async fn run(command: PartnerCommand, client: &Client) -> Result<Answer, Failure> {
    match command {
        PartnerCommand::Create(args) => create(args, client).await,
        PartnerCommand::Get(who) => {
            let id = find(&who, client).await?;
            Ok(show(client.get(&["v1", "partners", &id], &[]).await?.body))
        }
        PartnerCommand::List(args) => list(&args, client).await,
        PartnerCommand::Update(args) => update(args, client).await,
        PartnerCommand::Suspend(who) => {
            let partner = act(&who, "suspend", client).await?;
            let next = format!("end it with `rescind partner resume {}`", field(&partner, "id"));
            Ok(show(partner).next(next))
        }
        PartnerCommand::Resume(who) => Ok(show(act(&who, "resume", client).await?)),
    }
}

async fn create(args: PartnerCreateArgs, client: &Client) -> Result<Answer, Failure> {
    let mut body = json!({"subject": args.subject});
    add(&mut body, "issuer", args.issuer);
    add(&mut body, "account", args.account);
    add(&mut body, "tenant_id", args.tenant.as_ref().map(|tenant| tenant.as_str()));
    add(&mut body, "token_management", args.token_management);
    let scopes = args.scopes.scopes.as_ref().map(|scopes| scopes.iter());
    add_bound(&mut body, "allowed_scopes", scopes, args.scopes.any_scope);
    let key = args.creation.idempotency_key.as_deref();
    let created = client.create(&PATH, &body, key).await?;
    let id = field(&created.body, "id");
    let next = format!("`rescind token create --owner {id} --kind signing` issues a token");
    Ok(created_of(created, &COLUMNS).next(next))
}

async fn list(args: &PartnerListArgs, client: &Client) -> Result<Answer, Failure> {
    let tenant = args.tenant.as_ref().map(|tenant| tenant.as_str());
    let asked = [
        ("subject", args.subject.as_deref()),
        ("issuer", args.issuer.as_deref()),
        ("tenant_id", tenant),
    ];
    let query: Vec<_> = asked.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
    Ok(list_of(client.list(&PATH, &query, &args.paging).await?, &COLUMNS))
}

async fn update(args: PartnerUpdateArgs, client: &Client) -> Result<Answer, Failure> {
    let mut body = json!({});
    add(&mut body, "token_management", args.token_management);
    let scopes = args.scopes.scopes.as_ref().map(|scopes| scopes.iter());
    add_bound(&mut body, "allowed_scopes", scopes, args.scopes.any_scope);
    let networks = args.networks.networks.as_ref().map(|networks| networks.iter());
    add_bound(&mut body, "allowed_networks", networks, args.networks.any_network);
    add(&mut body, "suspended", args.suspended);
    if body == json!({}) {
        return Err(Failure::usage("nothing to change"));
    }
    let id = find(&args.who, client).await?;
    Ok(show(client.patch(&["v1", "partners", &id], &body).await?))
}

async fn act(who: &PartnerRef, action: &str, client: &Client) -> Result<Value, Failure> {
    let id = find(who, client).await?;
    client.post(&["v1", "partners", &id, action], &json!({})).await
}

/// The one partner that is meant.
async fn find(who: &PartnerRef, client: &Client) -> Result<String, Failure> {
    if let Some(id) = &who.id {
        return Ok(id.to_string());
    }
    let subject = who.subject.as_deref().unwrap_or_default();
    let mut query = vec![("subject", subject)];
    query.extend(who.issuer.as_deref().map(|issuer| ("issuer", issuer)));
    let found = client.list(&PATH, &query, &NAMESAKES).await?.items;
    match found.as_slice() {
        [one] => Ok(field(one, "id")),
        [] => Err(Failure::refused(format!("there is no partner `{subject}`"))
            .next("create it with `rescind partner create`")),
        several => {
            let issuers: Vec<_> = several.iter().map(|one| field(one, "issuer")).collect();
            Err(Failure::refused(format!("several issuers know `{subject}`"))
                .next(format!("choose with --issuer: {}", issuers.join(", "))))
        }
    }
}

fn show(partner: Value) -> Answer {
    one_of(partner, &COLUMNS)
}
