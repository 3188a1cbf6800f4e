//! bocage.
