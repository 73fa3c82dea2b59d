//! The crate `bellwether-model`; see ARCHITECTURE.md.
