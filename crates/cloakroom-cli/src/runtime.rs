//! What has to wait for a store or a site is waited for here.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::runtime::Builder;

use crate::output::Failure;

/// One thread is enough for one command, and to keep two stores busy.
pub(crate) fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::Misuse(format!("the system gives no timers: {error}")))?;
    runtime.block_on(work)
}

/// Does the work for each of them, so many at a time, and stops at the first failure. The results stand in the order of
/// the items.
pub(crate) async fn each<T, R, F>(
    items: impl IntoIterator<Item = T>,
    at_a_time: usize,
    work: impl Fn(T) -> F,
) -> Result<Vec<R>, Failure>
where
    F: Future<Output = Result<R, Failure>>,
{
    let numbered = items.into_iter().enumerate().map(|(place, item)| {
        let result = work(item);
        async move { Ok::<_, Failure>((place, result.await?)) }
    });
    let under_way = stream::iter(numbered).buffer_unordered(at_a_time);
    let mut results: Vec<(usize, R)> = under_way.try_collect().await?;
    results.sort_unstable_by_key(|(place, _)| *place);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}
