//! The tokens of all accounts. Each client installation has two places, as XEP-0484 section 5.1 has it: the token that it
//! uses, and a newer one that it has not used yet.

use super::{Attempt, TokenMechanism};
use crate::{Entropy, UserAgent, entropy::random};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use core::time::Duration;
use jid::BareJid;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// Random bytes in a token.
const TOKEN_LEN: usize = 32;
/// Client installations with tokens of one account; the one that was away the longest gives way.
const MAX_CLIENTS: usize = 16;
/// Client installations with tokens of all accounts.
const MAX_ALL: usize = 100_000;
/// A token is replaced after this part of its life: a divisor.
const ROTATE: u32 = 4;

/// A client installation: the id of its user-agent (XEP-0388 section 2.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(pub String);

/// A point in time, by both clocks: what is decided is decided by the one that never jumps.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Seconds since 1970.
    pub wall: i64,
    /// Monotonic.
    pub mono: Duration,
}

/// A new token for a client.
pub struct Issued {
    /// The token.
    pub token: Zeroizing<String>,
    /// Until when it can be used, in seconds since 1970.
    pub expiry: i64,
}

/// A token was right.
#[derive(Debug, PartialEq, Eq)]
pub struct Redeemed {
    /// The answer that shows that this side knows the token, too.
    pub answer: Vec<u8>,
    /// It is time for a new one, for the same mechanism.
    pub replace: Option<TokenMechanism>,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It is none, was revoked, belongs to another client or mechanism, or was replayed.
    Wrong,
    /// It was right once.
    Expired,
}

/// What is known of a client that has tokens, for its owner's eyes (XEP-0494).
#[derive(Clone, Debug)]
pub struct ClientView {
    /// Its id, by which it names itself and never is named.
    pub id: ClientId,
    /// A reference for this list.
    pub reference: u64,
    /// Name of its software.
    pub software: Option<String>,
    /// Name of its device.
    pub device: Option<String>,
    /// When it got its first token, in seconds since 1970.
    pub first: i64,
    /// When it last logged in by one.
    pub last: i64,
}

struct Token {
    secret: Zeroizing<String>,
    mechanism: TokenMechanism,
    made: Duration,
    expires: Duration,
    count: u32,
}

struct Client {
    about: ClientView,
    current: Option<Token>,
    new: Option<Token>,
}

/// All tokens.
pub struct Tokens {
    ttl: Duration,
    accounts: HashMap<BareJid, Vec<Client>>,
    clients: usize,
}

impl Tokens {
    /// None yet; each will live for `ttl`. Zero = there never are any.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        Self { ttl, accounts: HashMap::new(), clients: 0 }
    }
    /// Are there ever any?
    #[must_use]
    pub fn are_offered(&self) -> bool {
        !self.ttl.is_zero()
    }

    /// A token for a client that is fully authenticated; `None`: it has no id, or there is no room.
    pub fn issue(
        &mut self,
        (account, agent): (&BareJid, &UserAgent),
        mechanism: TokenMechanism,
        now: Moment,
        entropy: &dyn Entropy,
    ) -> Option<Issued> {
        let id = ClientId(agent.id.clone()?);
        if !self.are_offered() {
            return None;
        }
        self.make_room(account, &id, now);
        if self.clients >= MAX_ALL && !self.knows(account, &id) {
            return None;
        }
        let secret = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*Zeroizing::new(random::<TOKEN_LEN>(entropy))));
        let expires = now.mono + self.ttl;
        let token = Token { secret: secret.clone(), mechanism, made: now.mono, expires, count: 0 };
        let reference = u64::from_le_bytes(random(entropy));
        let (software, device) = (agent.software.clone(), agent.device.clone());
        let about = ClientView { id, reference, software, device, first: now.wall, last: now.wall };
        self.put(account, about, token);
        let ttl = i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX);
        Some(Issued { token: secret, expiry: now.wall.saturating_add(ttl) })
    }

    /// Is this a token of that client? Takes as long whether or not there is such a client.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn redeem(&mut self, account: &BareJid, attempt: &Attempt, now: Moment) -> Result<Redeemed, TokenError> {
        let ttl = self.ttl;
        let clients = self.accounts.get_mut(account).map(Vec::as_mut_slice).unwrap_or_default();
        let client = clients.iter_mut().find(|client| client.about.id == attempt.client);
        let fits = |token: Option<&Token>| attempt.fits(token.map_or("no token", |token| &token.secret)) && token.is_some();
        let is_new = fits(client.as_ref().and_then(|client| client.new.as_ref()));
        let is_current = fits(client.as_ref().and_then(|client| client.current.as_ref()));
        let client = client.filter(|_| is_new || is_current).ok_or(TokenError::Wrong)?;
        let used = if is_new { &mut client.new } else { &mut client.current };
        used.as_mut().ok_or(TokenError::Wrong)?.check(attempt, now)?;
        if is_new {
            client.current = client.new.take();
        }
        let token = client.current.as_ref().ok_or(TokenError::Wrong)?;
        client.about.last = now.wall;
        let due = now.mono.saturating_sub(token.made) >= ttl / ROTATE;
        let answer = attempt.answer(&token.secret);
        let replace = (due && !attempt.invalidate).then_some(token.mechanism);
        if attempt.invalidate {
            client.current = None;
        }
        Ok(Redeemed { answer, replace })
    }

    /// All tokens of an account are void (H11).
    pub fn revoke(&mut self, account: &BareJid) {
        self.clients -= self.accounts.remove(account).map_or(0, |clients| clients.len());
    }
    /// Those of one client are; `false`: it has none.
    pub fn revoke_client(&mut self, account: &BareJid, id: &ClientId) -> bool {
        let Some(clients) = self.accounts.get_mut(account) else { return false };
        let before = clients.len();
        clients.retain(|client| client.about.id != *id);
        let gone = before - clients.len();
        self.clients -= gone;
        gone > 0
    }
    /// The clients of an account that have tokens which can be used.
    #[must_use]
    pub fn clients(&self, account: &BareJid, now: Moment) -> Vec<ClientView> {
        let clients = self.accounts.get(account).map(Vec::as_slice).unwrap_or_default();
        clients.iter().filter(|client| client.is_alive(now)).map(|client| client.about.clone()).collect()
    }

    fn knows(&self, account: &BareJid, id: &ClientId) -> bool {
        self.accounts.get(account).is_some_and(|clients| clients.iter().any(|client| client.about.id == *id))
    }

    /// Forgets what is of no use any more, and of an account that has too many the one that was away the longest.
    fn make_room(&mut self, account: &BareJid, id: &ClientId, now: Moment) {
        if self.clients >= MAX_ALL {
            self.accounts.values_mut().for_each(|clients| clients.retain(|client| client.is_alive(now)));
            self.accounts.retain(|_, clients| !clients.is_empty());
            self.clients = self.accounts.values().map(Vec::len).sum();
        }
        let Some(clients) = self.accounts.get_mut(account) else { return };
        let before = clients.len();
        clients.retain(|client| client.is_alive(now));
        if clients.len() >= MAX_CLIENTS && clients.iter().all(|client| client.about.id != *id) {
            let longest = clients.iter().enumerate().min_by_key(|(_, client)| client.about.last).map(|(at, _)| at);
            longest.map(|at| clients.remove(at));
        }
        self.clients -= before - clients.len();
    }

    /// The newer token of this client; of what was known of it, the first day and the reference stay.
    fn put(&mut self, account: &BareJid, about: ClientView, token: Token) {
        let clients = self.accounts.entry(account.clone()).or_default();
        match clients.iter_mut().find(|client| client.about.id == about.id) {
            Some(client) => {
                let (first, reference) = (client.about.first, client.about.reference);
                client.about = ClientView { first, reference, ..about };
                client.new = Some(token);
            }
            None => {
                clients.push(Client { about, current: None, new: Some(token) });
                self.clients += 1;
            }
        }
    }
}

impl Token {
    /// A token that is right may be used, but not by another mechanism, not too late, and not twice with one count.
    fn check(&mut self, attempt: &Attempt, now: Moment) -> Result<(), TokenError> {
        if self.mechanism != attempt.mechanism {
            return Err(TokenError::Wrong);
        }
        if now.mono >= self.expires {
            return Err(TokenError::Expired);
        }
        if let Some(count) = attempt.count {
            if count <= self.count {
                return Err(TokenError::Wrong);
            }
            self.count = count;
        }
        Ok(())
    }
}

impl Client {
    fn is_alive(&self, now: Moment) -> bool {
        self.current.iter().chain(&self.new).any(|token| now.mono < token.expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::counter;

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(days: u32) -> Moment {
        Moment { wall: 1_700_000_000 + i64::from(days) * 86_400, mono: DAY * days }
    }
    fn alice() -> BareJid {
        "alice@example.org".parse().unwrap()
    }
    fn agent(n: usize) -> UserAgent {
        UserAgent { id: Some(format!("{n:08}-0000-4000-8000-000000000000")), software: Some("Soft".into()), device: None }
    }
    fn present(token: &str, n: usize, mechanism: TokenMechanism) -> Attempt {
        let binding = b"channel".to_vec();
        Attempt {
            username: jid::NodePart::new("alice").unwrap().into_owned(),
            client: ClientId(agent(n).id.unwrap()),
            mechanism,
            count: None,
            invalidate: false,
            proof: super::super::keyed(token, b"Initiator", &binding).to_vec(),
            binding,
        }
    }
    fn tokens() -> (Tokens, Zeroizing<String>) {
        let mut tokens = Tokens::new(DAY * 7);
        let issued = tokens.issue((&alice(), &agent(1)), TokenMechanism::Exporter, at(0), &counter()).unwrap();
        assert_eq!(issued.expiry, at(7).wall);
        (tokens, issued.token)
    }

    #[test]
    fn a_token_is_bound_to_account_client_mechanism_and_channel() {
        let (mut tokens, token) = tokens();
        let right = || present(&token, 1, TokenMechanism::Exporter);
        let wrong = Err(TokenError::Wrong);
        assert_eq!(tokens.redeem(&"eve@example.org".parse().unwrap(), &right(), at(0)), wrong);
        assert_eq!(tokens.redeem(&alice(), &present(&token, 2, TokenMechanism::Exporter), at(0)), wrong);
        assert_eq!(tokens.redeem(&alice(), &present("other", 1, TokenMechanism::Exporter), at(0)), wrong);
        assert_eq!(tokens.redeem(&alice(), &present(&token, 1, TokenMechanism::ServerEndPoint), at(0)), wrong);
        let elsewhere = Attempt { binding: b"another".to_vec(), ..right() };
        assert_eq!(tokens.redeem(&alice(), &elsewhere, at(0)), wrong);
        let redeemed = tokens.redeem(&alice(), &right(), at(0)).unwrap();
        assert_eq!(redeemed.answer, super::super::keyed(&token, b"Responder", b"channel").to_vec());
        assert_eq!(redeemed.replace, None);
    }

    #[test]
    fn h11_a_token_ends_with_its_time_its_account_and_its_client() {
        let (mut tokens, token) = tokens();
        let right = || present(&token, 1, TokenMechanism::Exporter);
        assert_eq!(tokens.redeem(&alice(), &right(), at(7)), Err(TokenError::Expired));
        assert!(tokens.redeem(&alice(), &right(), at(6)).is_ok());
        assert!(tokens.revoke_client(&alice(), &right().client) && !tokens.revoke_client(&alice(), &right().client));
        assert_eq!(tokens.redeem(&alice(), &right(), at(1)), Err(TokenError::Wrong));
        let (mut tokens, token) = self::tokens();
        tokens.revoke(&alice());
        assert_eq!(tokens.redeem(&alice(), &present(&token, 1, TokenMechanism::Exporter), at(0)), Err(TokenError::Wrong));
        assert_eq!(tokens.clients, 0);
    }

    #[test]
    fn an_old_token_is_replaced_and_both_are_good_until_the_new_one_is_used() {
        let (mut tokens, old) = tokens();
        let expected = Some(TokenMechanism::Exporter);
        assert_eq!(tokens.redeem(&alice(), &present(&old, 1, TokenMechanism::Exporter), at(2)).unwrap().replace, expected);
        let entropy = |bytes: &mut [u8]| bytes.fill(9);
        let new = tokens.issue((&alice(), &agent(1)), TokenMechanism::Exporter, at(2), &entropy).unwrap().token;
        let lost = present(&old, 1, TokenMechanism::Exporter);
        assert!(tokens.redeem(&alice(), &lost, at(3)).is_ok(), "the answer may have been lost");
        assert!(tokens.redeem(&alice(), &present(&new, 1, TokenMechanism::Exporter), at(3)).is_ok());
        assert_eq!(tokens.redeem(&alice(), &lost, at(3)), Err(TokenError::Wrong));
    }

    #[test]
    fn a_count_is_good_once_and_a_token_can_be_given_back() {
        let (mut tokens, token) = tokens();
        let counted =
            |count, invalidate| Attempt { count: Some(count), invalidate, ..present(&token, 1, TokenMechanism::Exporter) };
        assert!(tokens.redeem(&alice(), &counted(3, false), at(0)).is_ok());
        assert_eq!(tokens.redeem(&alice(), &counted(3, false), at(0)), Err(TokenError::Wrong));
        assert_eq!(tokens.redeem(&alice(), &counted(4, true), at(3)).unwrap().replace, None);
        assert_eq!(tokens.redeem(&alice(), &counted(5, false), at(3)), Err(TokenError::Wrong));
        assert!(tokens.clients(&alice(), at(3)).is_empty());
    }

    #[test]
    fn h64_an_account_has_so_many_clients_with_tokens_and_no_more() {
        let mut tokens = Tokens::new(DAY * 7);
        for n in 0..MAX_CLIENTS + 4 {
            let when = Moment { wall: i64::try_from(n).unwrap(), mono: Duration::from_secs(1) };
            tokens.issue((&alice(), &agent(n)), TokenMechanism::Exporter, when, &counter()).unwrap();
        }
        let clients = tokens.clients(&alice(), at(0));
        assert_eq!((clients.len(), tokens.clients), (MAX_CLIENTS, MAX_CLIENTS));
        assert_eq!(clients[0].id.0, agent(4).id.unwrap());
    }

    #[test]
    fn there_are_none_where_none_are_wanted_or_the_client_has_no_id() {
        let nameless = UserAgent { id: None, ..agent(1) };
        let (mut tokens, _) = tokens();
        assert!(tokens.issue((&alice(), &nameless), TokenMechanism::Exporter, at(0), &counter()).is_none());
        let mut none = Tokens::new(Duration::ZERO);
        assert!(none.issue((&alice(), &agent(1)), TokenMechanism::Exporter, at(0), &counter()).is_none());
    }
}
