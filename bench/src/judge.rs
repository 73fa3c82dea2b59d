//! Compares what a test counted with what it must be. Which figures those are is each test's own.

/// The most memory that the server may take, in megabytes.
const RSS_MAX_MB: f64 = 120.0;

/// A sentence for each figure that is not what it must be.
pub(crate) fn differ<T: PartialEq + std::fmt::Debug>(
    wanted: impl IntoIterator<Item = (&'static str, T, T)>,
) -> Vec<String> {
    let wrong = wanted.into_iter().filter(|(_, is, must)| is != must);
    wrong
        .map(|(what, is, must)| format!("{what} is {is:?}, not {must:?}"))
        .collect()
}

/// A sentence when the server took more memory than it may.
pub(crate) fn too_large(peak_mb: f64) -> Option<String> {
    (peak_mb > RSS_MAX_MB).then(|| format!("the server took {peak_mb} MB, more than {RSS_MAX_MB}"))
}
