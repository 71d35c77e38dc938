use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// What a future gives that has nothing to wait for; none if it has to wait, and then it is dropped as it is.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
