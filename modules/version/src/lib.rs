//! bocage-module-version.
