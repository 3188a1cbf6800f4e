//! bocage-module-leave-jitter.
