//! bocage-module-caps.
