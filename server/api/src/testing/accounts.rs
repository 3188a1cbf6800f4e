//! Accounts without keys: what was asked of them is remembered.

use crate::{AccountsPort, StanzaError};
use futures_util::future::BoxFuture;
use jid::{BareJid, FullJid};
use secrecy::{ExposeSecret, SecretString};
use std::{collections::BTreeSet, sync::Mutex};

/// Accounts.
#[derive(Default)]
pub struct FakeAccounts {
    asked: Mutex<Vec<String>>,
    available: Mutex<BTreeSet<BareJid>>,
}

impl FakeAccounts {
    /// What was asked, in words.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
    /// This account has a session that shows presence.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn come(&self, account: &str) {
        self.available.lock().unwrap().insert(account.parse().unwrap());
    }
    fn note(&self, text: String) -> BoxFuture<'_, Result<(), StanzaError>> {
        self.asked.lock().unwrap().push(text);
        Box::pin(async { Ok(()) })
    }
}

impl AccountsPort for FakeAccounts {
    fn set_password(&self, session: &FullJid, password: SecretString) -> BoxFuture<'_, Result<(), StanzaError>> {
        self.note(format!("{session} has the password {}", password.expose_secret()))
    }
    fn delete(&self, session: &FullJid) -> BoxFuture<'_, Result<(), StanzaError>> {
        self.note(format!("{session} is deleted"))
    }
    fn is_available(&self, account: &BareJid) -> bool {
        self.available.lock().unwrap().contains(account)
    }
}
