//! The crate `bellwether-web`; see ARCHITECTURE.md.
