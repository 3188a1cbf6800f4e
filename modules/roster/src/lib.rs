//! bocage-module-roster.
