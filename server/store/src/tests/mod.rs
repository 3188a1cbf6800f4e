//! Tests over the whole store.
