//! The scenarios as tests between two kinds of servers.

/// Every scenario that all servers pass, as tests of the module where it stands.
macro_rules! between {
    ($near:ident, $far:ident: $($scenario:ident::$name:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            use bocage_tests::Kind;
            crate::interop::scenarios::$scenario::$name(crate::interop::Setup::of(Kind::$near, Kind::$far)).await;
        }
    )+};
}
pub(super) use between;
