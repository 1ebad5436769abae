//! The real binary, where no server is needed. With one, it is tested in `e2e`.

#[cfg(test)]
mod cli;
