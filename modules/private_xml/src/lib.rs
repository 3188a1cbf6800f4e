//! bocage-module-private-xml.
