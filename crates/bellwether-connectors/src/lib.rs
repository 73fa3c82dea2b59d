//! The crate `bellwether-connectors`; see ARCHITECTURE.md.
