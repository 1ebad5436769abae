//! Where a proxy decides by path and an API acts on it, both have to read the same path.

use super::scene::Scene;
use anyhow::ensure;
use rescind_e2e::wire::Request;

pub(super) async fn path_in_another_spelling_needs_the_scope_too(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    for target in ["/trading", "/trading/", "/trading?x=1", "/TRADING/a", "/%74rading/a"] {
        scene.is_refused(&scene.plain.show(Request::get(target)), &[403]).await?;
        scene.passes(&scene.trader.show(Request::get(target))).await?;
    }
    // Not a part of it.
    scene.passes(&scene.plain.show(Request::get("/tradings/a"))).await?;
    Ok(())
}

/// It is refused, or made unambiguous before it is verified: then both see the same.
pub(super) async fn ambiguous_target_does_not_arrive(scene: &mut Scene) -> anyhow::Result<()> {
    let targets = [
        "/v1/../trading/a",
        "/v1/%2e%2e/trading/a",
        "/v1/..%2ftrading/a",
        "/v1/%2e%2e%2ftrading/a",
        "/v1/./a",
        "//trading/a",
        "/v1//a",
        "/v1%2Fa",
        "/v1/a%5cb",
        "/v1/a;b",
    ];
    for target in targets {
        let request = scene.plain.show(Request::get(target));
        let answer = scene.ask(&request).await?;
        if answer.status != 200 {
            scene.was_refused(&request, answer, &[400, 403])?;
            continue;
        }
        let seen = scene.has_passed(&request, &answer)?;
        let path = seen.target.to_ascii_lowercase();
        let odd = ["..", "%2e", "/./", "//", "%2f", "%5c", ";"];
        let odd = odd.into_iter().find(|odd| path.contains(odd));
        ensure!(odd.is_none(), "{target} arrived as {}", seen.target);
        ensure!(!path.starts_with("/trading"), "{target} arrived as {} without the scope", path);
    }
    Ok(())
}
