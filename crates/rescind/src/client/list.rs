//! Lists, page by page.

use super::Client;
use crate::cli::Paging;
use crate::failure::Failure;
use serde_json::Value;

/// Items asked for in one request.
const PAGE_ITEMS: usize = 100;

/// A list, of all pages that were asked for.
#[derive(Debug)]
pub(crate) struct List {
    pub items: Vec<Value>,
    /// Set if there are more than are shown.
    pub next: Option<String>,
}

impl Client {
    pub(crate) async fn list(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        paging: &Paging,
    ) -> Result<List, Failure> {
        let most = usize::try_from(paging.limit).unwrap_or(usize::MAX);
        let mut list = List { items: Vec::new(), next: paging.after.clone() };
        loop {
            let after = list.next.take();
            let limit = PAGE_ITEMS.min(most - list.items.len()).to_string();
            let mut asked = query.to_vec();
            asked.push(("limit", &limit));
            asked.extend(after.as_deref().map(|after| ("after", after)));
            let mut page = self.get(path, &asked).await?.body;
            let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
                return Err(self.stranger());
            };
            list.items.extend(items);
            list.next = page.get("next").and_then(Value::as_str).map(Into::into);
            if list.next.is_none() || list.items.len() >= most {
                return Ok(list);
            }
            if list.next == after {
                return Err(Failure::unreachable("the server's list does not end")
                    .next("look into it with `rescind doctor`"));
            }
        }
    }
}
