//! The crate `bellwether-sandbox`; see ARCHITECTURE.md.
