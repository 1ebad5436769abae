//! Files as they stand in a page of the documentation: what a reader would paste is what is tested.

use crate::markdown::{self, Block, Part};
use anyhow::{Context as _, ensure};
use std::net::SocketAddr;
use std::path::Path;

/// The ports that every page uses, which are those of `rescind dev`.
const WEB: u16 = 9080;
const VERIFY: u16 = 8081;
const GRPC: u16 = 8083;
const API: u16 = 3000;

#[derive(Clone)]
pub struct Page {
    files: Vec<(String, String)>,
}

/// What stands in the place of the page's addresses.
#[derive(Clone, Copy)]
pub struct Places {
    pub web: SocketAddr,
    pub verify: SocketAddr,
    pub grpc: SocketAddr,
    pub api: SocketAddr,
}

impl Page {
    /// A page of `docs/proxies`.
    pub fn read(proxy: &str) -> anyhow::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/proxies");
        Self::at(&folder.join(format!("{proxy}.md")))
    }

    pub fn at(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let page = Self::parse(&text)?;
        ensure!(!page.files.is_empty(), "{} has no file to paste", path.display());
        Ok(page)
    }

    /// Each with its name.
    pub fn files(&self) -> &[(String, String)] {
        &self.files
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let parts = markdown::parts(text)?.into_iter();
        let files = parts.filter_map(|part| match part {
            Part::Block(Block { title: Some(title), text, .. }) => Some((title, text)),
            Part::Block(_) | Part::Comment { .. } => None,
        });
        Ok(Self { files: files.collect() })
    }

    /// The page with a mistake in it. The mistake must be one: `from` has to be there.
    pub fn edited(mut self, from: &str, to: &str) -> anyhow::Result<Self> {
        let mut found = false;
        for (_, text) in &mut self.files {
            found |= text.contains(from);
            *text = text.replace(from, to);
        }
        ensure!(found, "{from:?} is not on the page");
        Ok(self)
    }

    /// Writes every file into a folder.
    pub fn write(&self, folder: &Path, places: &Places) -> anyhow::Result<()> {
        for (name, text) in &self.files {
            std::fs::write(folder.join(name), places.put_into(text))?;
        }
        Ok(())
    }
}

impl Places {
    fn put_into(&self, text: &str) -> String {
        let pairs = [(WEB, self.web), (VERIFY, self.verify), (GRPC, self.grpc), (API, self.api)];
        pairs.iter().fold(text.to_owned(), |text, (port, place)| {
            let place = place.port();
            text.replace(&format!(":{port}"), &format!(":{place}"))
                .replace(&format!("port_value: {port}"), &format!("port_value: {place}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
Try `a`:\n\n```sh\nnot a file\n```\n\n```nginx title=\"n.conf\"\nlisten 127.0.0.1:9080;\n```\n\
text\n```lua title=\"r.lua\"\nport_value: 8081\n```\n";

    #[test]
    fn blocks_with_a_title_are_files() {
        let files = Page::parse(TEXT).unwrap().files;
        let expected = [("n.conf", "listen 127.0.0.1:9080;\n"), ("r.lua", "port_value: 8081\n")];
        assert_eq!(files, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn addresses_of_the_page_become_those_of_the_test() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let places = Places { web: at(1), verify: at(2), grpc: at(3), api: at(4) };
        let text = places.put_into("127.0.0.1:9080 :8081 port_value: 8083, 127.0.0.1:3000 9080");
        assert_eq!(text, "127.0.0.1:1 :2 port_value: 3, 127.0.0.1:4 9080");
    }

    #[test]
    fn mistake_that_changes_nothing_is_an_error() {
        assert!(Page::parse(TEXT).unwrap().edited("nowhere", "").is_err());
        let edited = Page::parse(TEXT).unwrap().edited("listen", "x").unwrap();
        assert!(edited.files[0].1.starts_with("x "));
    }
}
