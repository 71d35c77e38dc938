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

/// A test for each layout: `each_layout!(p7_a_reader_writes_nothing);` calls the function of that name in the file.
macro_rules! each_layout {
    ($($check:ident),* $(,)?) => {$(
        mod $check {
            $crate::layouts::each_layout!(@test $check flask Flask);
            $crate::layouts::each_layout!(@test $check native Native);
            $crate::layouts::each_layout!(@test $check sealed Sealed);
        }
    )*};
    (@test $check:ident $test:ident $layout:ident) => {
        #[tokio::test]
        async fn $test() {
            super::$check(cloakroom::Layout::$layout).await;
        }
    };
}
pub(crate) use each_layout;
