//! Tests of the reader and of what a refusal means; calls over HTTP are tested in `tests/it`.
