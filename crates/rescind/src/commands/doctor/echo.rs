//! `rescind doctor echo`: an API that answers with what reached it, to stand behind a proxy while
//! `rescind doctor proxy` looks at that proxy. It serves nothing, keeps nothing, and says of
//! credentials only that they are there.

use crate::{cli::EchoArgs, dev::upstream, failure::Failure, output::Output, shutdown::Signals};
use serde_json::json;
use std::future::pending;
use tokio::net::TcpListener;

pub(crate) async fn run(args: &EchoArgs, output: Output) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let listening = TcpListener::bind(args.listen).await.and_then(|socket| {
        let address = socket.local_addr()?;
        Ok((socket, address))
    });
    let (socket, address) = listening.map_err(|fault| {
        Failure::unreachable(format!("cannot listen on {}: {fault}", args.listen))
            .next("choose another address with --listen")
    })?;
    let url = format!("http://{address}");
    if output.is_json() {
        output.data(&json!({"url": url}).to_string())?;
    } else {
        output.data(&format!(
            "{url} answers with what reaches it. Ctrl-C stops.\nPut it behind the proxy, then: \
             rescind doctor proxy --url URL"
        ))?;
    }
    tokio::select! {
        () = upstream::serve(socket) => Ok(()),
        stopped = signals.stopped_or(pending()) => stopped,
    }
}
