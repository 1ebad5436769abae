#[cfg(test)]
mod vectors;
