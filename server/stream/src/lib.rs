//! bocage-stream.
