//! bocage-module-disco.
