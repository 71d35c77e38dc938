/// Whether opening a session leaves traces: in the counts of what each key verified, and in the metrics.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A request, or somebody who asks in its place.
    Counted,
    /// Somebody looks over a request's shoulder.
    #[cfg(feature = "inspector")]
    Quiet,
}
