//! bocage-module-vcard.
