//! bocage-core.
