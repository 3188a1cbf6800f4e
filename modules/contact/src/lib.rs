//! bocage-module-contact.
