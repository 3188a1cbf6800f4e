//! bocage-sasl.
