//! bocage-module-offline.
