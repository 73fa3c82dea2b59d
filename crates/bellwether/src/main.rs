//! The `bellwether` executable: nothing here but the entry point.

fn main() {}
