//! What entries in a store can look like.

#![allow(
    dead_code,
    unused_macros,
    unused_imports,
    reason = "each test file uses a part of it"
)]

use cloakroom::Layout;

/// All of them.
pub(crate) const LAYOUTS: [Layout; 3] = [Layout::Flask, Layout::Native, Layout::Sealed];

/// A test for each layout: `each_layout!(p7_a_reader_writes_nothing);` calls the function of that name in the file. With
/// `each_layout!(paused; …)` the time of the timers stands still.
macro_rules! each_layout {
    (paused; $($check:ident),* $(,)?) => {
        $($crate::layouts::each_layout!(@tests (start_paused = true) $check);)*
    };
    ($($check:ident),* $(,)?) => {
        $($crate::layouts::each_layout!(@tests () $check);)*
    };
    (@tests $options:tt $check:ident) => {
        mod $check {
            $crate::layouts::each_layout!(@test $options $check flask Flask);
            $crate::layouts::each_layout!(@test $options $check native Native);
            $crate::layouts::each_layout!(@test $options $check sealed Sealed);
        }
    };
    (@test $options:tt $check:ident $test:ident $layout:ident) => {
        #[tokio::test $options]
        async fn $test() {
            super::$check(cloakroom::Layout::$layout).await;
        }
    };
}
pub(crate) use each_layout;
