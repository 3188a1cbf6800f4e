//! bocage-tests.
