//! Namespace declarations in scope (Namespaces in XML 1.0).
//!
//! rxml has already refused an empty prefix binding and the misuse of `xml`; what remains is checked here: `xmlns` as a
//! name, repeated declarations, undeclared prefixes.
use rxml::{Namespace, NcName};

use crate::error::StreamError;
use crate::limits::MAX_BINDINGS;

/// A stack of declarations; an element's are popped at its end.
#[derive(Default)]
pub(crate) struct Scope {
    bindings: Vec<Binding>,
}

struct Binding {
    prefix: Option<NcName>,
    namespace: Namespace<'static>,
}

impl Scope {
    /// Where the declarations of the next element begin.
    pub(crate) fn mark(&self) -> usize {
        self.bindings.len()
    }

    /// Forgets what was declared since `mark`.
    pub(crate) fn unwind(&mut self, mark: usize) {
        self.bindings.truncate(mark);
    }

    /// Gives memory back.
    pub(crate) fn shrink(&mut self) {
        self.bindings.shrink_to_fit();
    }

    /// Adds a declaration of the element that began at `mark`.
    pub(crate) fn declare(&mut self, mark: usize, prefix: Option<NcName>, uri: String) -> Result<(), StreamError> {
        if self.bindings.len() >= MAX_BINDINGS {
            return Err(StreamError::policy("too many namespace declarations"));
        }
        if uri == rxml::XMLNS_XMLNS {
            return Err(StreamError::malformed("reserved namespace name"));
        }
        if self.bindings.iter().skip(mark).any(|known| known.prefix == prefix) {
            return Err(StreamError::malformed("namespace declared twice"));
        }
        self.bindings.push(Binding { prefix, namespace: Namespace::from(uri) });
        Ok(())
    }

    /// The namespace of a prefix, or the default one. Attributes without prefix do not ask: they have none.
    pub(crate) fn resolve(&self, prefix: Option<&NcName>) -> Result<&Namespace<'static>, StreamError> {
        if prefix.is_some_and(|name| name == "xml") {
            return Ok(Namespace::xml());
        }
        match self.bindings.iter().rev().find(|known| known.prefix.as_ref() == prefix) {
            Some(known) => Ok(&known.namespace),
            None if prefix.is_none() => Ok(Namespace::none()),
            None => Err(StreamError::malformed("undeclared namespace prefix")),
        }
    }
}
