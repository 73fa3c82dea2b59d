//! What only SQLite promises: budgets of rows and index entries, files, fixtures of older releases.
