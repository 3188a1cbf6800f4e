//! bocage-module-time.
