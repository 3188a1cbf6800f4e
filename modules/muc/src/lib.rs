//! bocage-module-muc.
