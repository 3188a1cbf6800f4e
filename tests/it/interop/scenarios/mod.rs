//! What any two servers do with each other. Romeo is at the near one, Juliet at the far one.

pub(super) mod certificates;
pub(super) mod chat;
pub(super) mod errors;
pub(super) mod loss;
pub(super) mod presence;
pub(super) mod rooms;
pub(super) mod services;
