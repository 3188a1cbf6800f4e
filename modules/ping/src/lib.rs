//! bocage-module-ping.
