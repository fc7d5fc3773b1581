//! warmd
fn main() {}
