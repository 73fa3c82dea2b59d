//! The crate `bellwether-store`; see ARCHITECTURE.md.
