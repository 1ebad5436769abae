//! A running server, a proxy that asks it, and an API behind that proxy.

use anyhow::{Context as _, ensure};
use rescind_e2e::admin::{Admin, read_bearer, text};
use rescind_e2e::credential::{Bearer, Signer};
use rescind_e2e::page::{Page, Places};
use rescind_e2e::proxy::{Program, Proxy};
use rescind_e2e::server::{Home, Server};
use rescind_e2e::several::Setup;
use rescind_e2e::upstream::{Seen, Upstream};
use rescind_e2e::wire::{Answer, Connection, Request};
use serde_json::{Value, json};

pub(super) struct Scene {
    pub(super) program: Program,
    pub(super) home: Home,
    pub(super) server: Option<Server>,
    pub(super) admin: Admin,
    pub(super) upstream: Upstream,
    pub(super) proxy: Proxy,
    /// The demo user.
    pub(super) owner: String,
    pub(super) email: String,
    /// Without a scope.
    pub(super) plain: Bearer,
    /// With the scope `trading`.
    pub(super) trader: Bearer,
    signer: Option<Signer>,
}

impl Scene {
    /// In front of `rescind dev`, as the pages are.
    pub(super) async fn start(program: Program, page: &Page) -> anyhow::Result<Self> {
        let home = Home::new()?;
        let server = home.start().await?;
        Self::before(program, page, home, server).await
    }

    /// In front of three nodes with the same data: each question goes to one of them.
    pub(super) async fn start_before_three(program: Program, page: &Page) -> anyhow::Result<Self> {
        let home = Home::new()?;
        let server = home.start_several(Setup::of(3)).await?;
        Self::before(program, page, home, server).await
    }

    async fn before(
        program: Program,
        page: &Page,
        home: Home,
        server: Server,
    ) -> anyhow::Result<Self> {
        let email = server.facts().email.clone();
        let owner = Admin::connect(&server).await?.user_id(&email).await?;
        let signer = Some(derive(&server).await?);
        Self::around(program, page, home, server, (owner, email), signer).await
    }

    /// In front of `rescind serve` with these lines in its section `[verify]`.
    pub(super) async fn serve(program: Program, page: &Page, verify: &str) -> anyhow::Result<Self> {
        let home = Home::new()?;
        let server = home.serve(verify).await?;
        let email = "grace@example.com".to_owned();
        let password = "correct horse battery staple";
        let owner = Admin::connect(&server).await?.create_user(&email, password).await?;
        Self::around(program, page, home, server, (owner, email), None).await
    }

    async fn around(
        program: Program,
        page: &Page,
        home: Home,
        server: Server,
        (owner, email): (String, String),
        signer: Option<Signer>,
    ) -> anyhow::Result<Self> {
        let mut admin = Admin::connect(&server).await?;
        let plain = admin.create_bearer(&owner).await?;
        let trader = token(&mut admin, &owner, json!({"scopes": ["trading"]})).await?;
        let upstream = Upstream::start().await?;
        let proxy = Proxy::start(program, page, places(&server, &upstream)?).await?;
        let server = Some(server);
        Ok(Self {
            program,
            home,
            server,
            admin,
            upstream,
            proxy,
            owner,
            email,
            plain,
            trader,
            signer,
        })
    }

    pub(super) fn signer(&self) -> anyhow::Result<&Signer> {
        self.signer.as_ref().context("this scene has no partner")
    }

    /// A bearer token with these fields besides.
    pub(super) async fn token(&mut self, fields: Value) -> anyhow::Result<Bearer> {
        token(&mut self.admin, &self.owner, fields).await
    }

    /// On a connection of its own.
    pub(super) async fn ask(&self, request: &Request) -> anyhow::Result<Answer> {
        self.ask_on(&mut self.proxy.connect().await?, request).await
    }

    pub(super) async fn ask_on(
        &self,
        connection: &mut Connection,
        request: &Request,
    ) -> anyhow::Result<Answer> {
        let line = || format!("{} {}", request.method, request.target);
        connection.ask(request).await.with_context(line)
    }

    /// Passes the proxy; what the API saw of it.
    pub(super) async fn passes(&self, request: &Request) -> anyhow::Result<Seen> {
        let answer = self.ask(request).await?;
        self.has_passed(request, &answer)
    }

    pub(super) fn has_passed(&self, request: &Request, answer: &Answer) -> anyhow::Result<Seen> {
        let (method, target) = (&request.method, &request.target);
        ensure!(answer.status == 200, "{method} {target} is refused: {}", answer.text());
        let mut seen = self.upstream.take();
        ensure!(seen.len() == 1, "{method} {target} arrived {} times", seen.len());
        seen.pop().context("nothing arrived")
    }

    /// Is answered with one of these, and does not reach the API.
    pub(super) async fn is_refused(
        &self,
        request: &Request,
        statuses: &[u16],
    ) -> anyhow::Result<Answer> {
        let answer = self.ask(request).await?;
        self.was_refused(request, answer, statuses)
    }

    pub(super) fn was_refused(
        &self,
        request: &Request,
        answer: Answer,
        statuses: &[u16],
    ) -> anyhow::Result<Answer> {
        let (method, target) = (&request.method, &request.target);
        let seen = self.upstream.take();
        ensure!(seen.is_empty(), "{method} {target} arrived: {seen:?}");
        let expected = statuses.contains(&answer.status);
        ensure!(expected, "{method} {target}: {statuses:?} expected, {}", answer.text());
        Ok(answer)
    }

    /// Whether Rescind sees the body of a signed request.
    pub(super) fn bodies_are_handed_over(&self) -> bool {
        !matches!(self.program, Program::Nginx | Program::Caddy)
    }
}

pub(super) fn places(server: &Server, upstream: &Upstream) -> anyhow::Result<Places> {
    let verify = server.verify()?;
    // Its own address is chosen when it starts.
    Ok(Places { web: verify, verify, grpc: server.grpc()?, api: upstream.address() })
}

async fn token(admin: &mut Admin, owner: &str, fields: Value) -> anyhow::Result<Bearer> {
    let mut body = json!({"owner_id": owner, "kind": "bearer"});
    for (name, value) in fields.as_object().context("fields")? {
        body[name] = value.clone();
    }
    let answer = admin.ask(Request::post("/v1/tokens").json(&body)).await?;
    read_bearer(&answer.expect_status(201)?)
}

async fn derive(server: &Server) -> anyhow::Result<Signer> {
    let identity = format!("Bearer {}", server.facts().identity_token);
    let derive = Request::post("/auth/api-tokens/derive").header("identity", &identity);
    let answer = server.connect().await?.ask(&derive.json_text("{}")).await?.expect_status(201)?;
    let derived = answer.json()?;
    Ok(Signer { token_id: text(&derived, "tokenId")?, secret: text(&derived, "secret")? })
}
