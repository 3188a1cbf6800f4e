//! bocage-store.
