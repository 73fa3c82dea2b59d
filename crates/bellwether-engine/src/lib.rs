//! The crate `bellwether-engine`; see ARCHITECTURE.md.
