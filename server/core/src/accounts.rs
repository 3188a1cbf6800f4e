//! Accounts as their owners and the operator change them: another password, or none of it any more (H06, H11).

use crate::{c2s::errors, router::Router, settings::Auth};
use bocage_api::{
    Named, StanzaError, TaskPort,
    store::{AccountKeys, StoreError, Stored, StoredKeys},
};
use bocage_sasl as sasl;
use futures_util::FutureExt;
use jid::{BareJid, FullJid};
use secrecy::SecretString;
use std::{panic::AssertUnwindSafe, sync::Arc};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

impl Router {
    /// Ends the sessions and tokens of an account (H11): its password changed, it is gone, or its operator wants it. `spared`
    /// goes on.
    pub async fn revoke(&self, account: &BareJid, spared: Option<&FullJid>) {
        {
            let _no_load = self.facts.lock(account).await;
            self.facts.forget(account);
        }
        self.accounts_changed.notify_one();
        self.end_sessions(account, spared);
    }

    fn end_sessions(&self, account: &BareJid, spared: Option<&FullJid>) {
        // First: nobody comes back by one while the sessions end.
        self.tokens().revoke(account);
        for session in self.users.sessions(account).iter().filter(|session| Some(&session.jid) != spared) {
            session.cut(errors::revoked());
        }
    }

    /// Gives the account of `session` another password, and ends its other sessions.
    ///
    /// # Errors
    /// `not-acceptable` for a password that cannot be used, `item-not-found` when there is no such account any more.
    pub async fn change_password(
        self: &Arc<Self>,
        session: &FullJid,
        password: SecretString,
        auth: Auth,
    ) -> Result<(), StanzaError> {
        let keys = self.derive(password, auth).await?;
        let account = session.to_bare();
        if !self.stores.accounts.set_keys(account.clone(), keys).await? {
            return Err(StanzaError::item_not_found());
        }
        self.revoke(&account, Some(session)).await;
        Ok(())
    }

    /// Slow on purpose: where blocking is allowed.
    async fn derive(&self, password: SecretString, auth: Auth) -> Result<AccountKeys, StanzaError> {
        let (done, result) = oneshot::channel();
        let entropy = self.entropy.clone();
        let sha1 = if auth.scram_sha1 { sasl::ScramSha1::On } else { sasl::ScramSha1::Off };
        let work = move || {
            let random = |bytes: &mut [u8]| entropy.fill(bytes);
            let _ = done.send(sasl::Credentials::derive(&password, auth.iterations, sha1, &random));
        };
        self.tasks.blocking("core", Box::new(work));
        let keys = result.await.map_err(|_| StanzaError::internal_server_error())?;
        let keys = keys.map_err(|_| StanzaError::not_acceptable().with_text("the password cannot be used"))?;
        Ok(AccountKeys { sha256: keys.sha256.as_ref().map(stored), sha1: keys.sha1.as_ref().map(stored) })
    }

    /// Deletes an account with all that is kept for it: contacts on both sides are told, sessions end, the address is
    /// retired. `last`, who asked for it, is ended last, when everything else is done. `false`: there is none.
    ///
    /// # Errors
    /// When something could not be deleted; asking again finishes the rest.
    pub async fn delete_account(self: &Arc<Self>, account: &BareJid, last: Option<&FullJid>) -> Stored<bool> {
        let (router, account, last) = (self.clone(), account.clone(), last.cloned());
        let (done, result) = oneshot::channel();
        // A task of its own: it goes on when the session that asked for it ends.
        self.tasks.spawn_core("deletion of an account", async move {
            let _ = done.send(router.delete_now(&account, last.as_ref()).await);
        });
        result.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the deletion ended early".into())))
    }

    async fn delete_now(self: &Arc<Self>, account: &BareJid, last: Option<&FullJid>) -> Stored<bool> {
        if self.stores.accounts.keys(account).await?.is_none() {
            return Ok(false);
        }
        self.end_sessions(account, last);
        self.leave_contacts(account).await?;
        let plans = self.plans();
        for data in plans.accounts(account.domain().as_str()).map(|plan| plan.at.account_data.as_slice()).unwrap_or_default() {
            deleted(data, account).await?;
        }
        let found = self.stores.accounts.delete(account.clone()).await?;
        self.revoke(account, last).await;
        Ok(found)
    }

    /// The session that had its account deleted is over too.
    pub fn end_last(&self, session: &FullJid) {
        self.end_sessions(&session.to_bare(), None);
    }
}

async fn deleted(data: &Named<dyn bocage_api::AccountData>, account: &BareJid) -> Stored<()> {
    AssertUnwindSafe(data.it.delete(account)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(module = data.module, "a module panicked while it deleted what it keeps of an account");
        Err(StoreError::Unavailable("a module failed".into()))
    })
}

fn stored(keys: &sasl::ScramKeys) -> StoredKeys {
    StoredKeys {
        salt: keys.salt.clone(),
        iterations: keys.iterations,
        stored_key: Zeroizing::new(keys.stored_key.clone()),
        server_key: Zeroizing::new(keys.server_key.clone()),
    }
}
