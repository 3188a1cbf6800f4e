//! Zones and what they say. Delegations are made from the names of the zones; NSEC chains when they are asked for.

use hickory_resolver::proto::{
    dnssec::{
        Algorithm, DigestType, SigningKey, TBS,
        crypto::EcdsaSigningKey,
        rdata::{DNSKEY, DNSSECRData, DS, NSEC, RRSIG, sig::SigInput},
    },
    op::ResponseCode,
    rr::{DNSClass, Name, RData, Record, RecordType, SerialNumber},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    str::FromStr,
};

const TTL: u32 = 60;
const INCEPTION: u32 = 1_577_836_800;
const EXPIRATION: u32 = 3_000_000_000;
const LONG_AGO: u32 = 1_600_000_000;

/// What is done to the answers about one name and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// Signatures are of the past.
    Expired,
    /// Signatures do not verify.
    Forged,
    /// There are no signatures.
    Stripped,
    /// An answer without records or proof.
    Denied,
    /// Denied by the word of an unsigned zone, whose apex this is not.
    DeniedByStranger,
    /// SERVFAIL.
    Failed,
    /// No answer.
    Silent,
    /// Refused over UDP as too long.
    Truncated,
}

struct Zone {
    key: Option<(EcdsaSigningKey, DNSKEY)>,
    sets: BTreeMap<Name, BTreeMap<RecordType, Vec<Record>>>,
}

/// All zones there are. The root is signed.
pub struct World {
    zones: BTreeMap<Name, Zone>,
    spoiled: HashMap<(Name, RecordType), Spoil>,
    replayed: HashMap<(Name, RecordType), Replay>,
}

/// Answers to other questions, given in place of one's own.
struct Replay {
    answers: Vec<String>,
    authorities: Vec<String>,
}

/// Records of an answer: those asked for, those about it, and a code.
pub(super) struct Reply {
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
    pub(super) code: ResponseCode,
}

fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).unwrap();
    name.set_fqdn(true);
    name
}

impl Default for World {
    fn default() -> Self {
        let mut world = Self { zones: BTreeMap::new(), spoiled: HashMap::new(), replayed: HashMap::new() };
        world.signed(".");
        world
    }
}

impl World {
    /// Adds a signed zone. Its parent has to be there.
    pub fn signed(&mut self, apex: &str) -> &mut Self {
        let key = EcdsaSigningKey::generate_pkcs8(Algorithm::ECDSAP256SHA256).unwrap();
        let key = EcdsaSigningKey::from_pkcs8(&key, Algorithm::ECDSAP256SHA256).unwrap();
        let public = DNSKEY::with_flags(257, key.to_public_key().unwrap());
        self.zone(name(apex), Some((key, public)))
    }
    /// Adds a zone without signatures, which its parent says.
    pub fn unsigned(&mut self, apex: &str) -> &mut Self {
        self.zone(name(apex), None)
    }
    /// Adds a record to its zone: "a.test SRV 0 0 5269 b.test.".
    pub fn add(&mut self, record: &str) -> &mut Self {
        let (owner, rest) = record.split_once(' ').unwrap();
        let (kind, data) = rest.split_once(' ').unwrap();
        let data = RData::try_from_str(RecordType::from_str(kind).unwrap(), data).unwrap();
        let owner = name(owner);
        let apex = self.apex_of(&owner);
        self.put(&apex, &owner, data);
        self
    }
    /// Spoils what is said about `owner` and `kind`.
    pub fn spoil(&mut self, owner: &str, kind: &str, how: Spoil) -> &mut Self {
        self.spoiled.insert((name(owner), RecordType::from_str(kind).unwrap()), how);
        self
    }
    /// Adds what has no text form.
    pub fn insert(&mut self, owner: &str, data: RData) -> &mut Self {
        let owner = name(owner);
        let apex = self.apex_of(&owner);
        self.put(&apex, &owner, data);
        self
    }
    /// Answers `owner` and `kind` with what is true of other names: "b.test A", or "*.test A as x.test", which carries the
    /// records and their signature over to another owner.
    pub fn replay(&mut self, owner: &str, kind: &str, answers: &[&str], authorities: &[&str]) -> &mut Self {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let replay = Replay { answers: owned(answers), authorities: owned(authorities) };
        self.replayed.insert((name(owner), RecordType::from_str(kind).unwrap()), replay);
        self
    }
    /// The root's key as a zone file: what a trust anchor is read from.
    pub fn anchor(&self) -> String {
        let key = self.zones.get(&Name::root()).and_then(|z| z.key.as_ref()).unwrap();
        format!(". {TTL} IN DNSKEY {}\n", key.1)
    }

    fn zone(&mut self, apex: Name, key: Option<(EcdsaSigningKey, DNSKEY)>) -> &mut Self {
        let server = RData::try_from_str(RecordType::NS, "ns.invalid.").unwrap();
        if !apex.is_root() {
            let parent = self.apex_of(&apex.base_name());
            self.put(&parent, &apex, server.clone());
            if let Some((_, public)) = &key {
                let digest = public.to_digest(&apex, DigestType::SHA256).unwrap().as_ref().to_vec();
                let tag = public.calculate_key_tag().unwrap();
                let ds = DS::new(tag, Algorithm::ECDSAP256SHA256, DigestType::SHA256, digest);
                self.put(&parent, &apex, RData::DNSSEC(DNSSECRData::DS(ds)));
            }
        }
        let public = key.as_ref().map(|(_, public)| public.clone());
        self.zones.insert(apex.clone(), Zone { key, sets: BTreeMap::new() });
        self.put(&apex, &apex, server);
        self.put(&apex, &apex, RData::try_from_str(RecordType::SOA, "ns.invalid. admin.invalid. 1 60 60 60 60").unwrap());
        if let Some(public) = public {
            self.put(&apex, &apex, RData::DNSSEC(DNSSECRData::DNSKEY(public)));
        }
        self
    }
    fn put(&mut self, apex: &Name, owner: &Name, data: RData) {
        let set = self.zones.get_mut(apex).unwrap().sets.entry(owner.clone()).or_default();
        set.entry(data.record_type()).or_default().push(Record::from_rdata(owner.clone(), TTL, data));
    }
    fn apex_of(&self, owner: &Name) -> Name {
        let mut apex = owner.clone();
        while !self.zones.contains_key(&apex) && !apex.is_root() {
            apex = apex.base_name();
        }
        apex
    }

    pub(super) fn spoiling(&self, owner: &Name, kind: RecordType) -> Option<Spoil> {
        self.spoiled.get(&(owner.clone(), kind)).copied()
    }

    fn recall(&self, text: &str) -> Vec<Record> {
        let (question, other) = text.split_once(" as ").map_or((text, None), |(question, other)| (question, Some(other)));
        let (owner, kind) = question.split_once(' ').unwrap();
        let mut records = self.reply(&name(owner), RecordType::from_str(kind).unwrap()).answers;
        if let Some(other) = other {
            records.iter_mut().for_each(|record| record.name = name(other));
        }
        records
    }

    /// What the name servers say.
    pub(super) fn reply(&self, owner: &Name, kind: RecordType) -> Reply {
        if let Some(Replay { answers, authorities }) = self.replayed.get(&(owner.clone(), kind)) {
            let recalled = |texts: &[String]| texts.iter().flat_map(|text| self.recall(text)).collect();
            return Reply { answers: recalled(answers), authorities: recalled(authorities), code: ResponseCode::NoError };
        }
        let apex =
            if kind == RecordType::DS && !owner.is_root() { self.apex_of(&owner.base_name()) } else { self.apex_of(owner) };
        let zone = self.zones.get(&apex).unwrap();
        let how = self.spoiling(owner, kind);
        let empty = Reply { answers: Vec::new(), authorities: Vec::new(), code: ResponseCode::NoError };
        match how {
            Some(Spoil::Failed) => return Reply { code: ResponseCode::ServFail, ..empty },
            Some(Spoil::Denied) => return empty,
            Some(Spoil::DeniedByStranger) => return Reply { authorities: self.stranger(&apex), ..empty },
            _ => {}
        }
        let sets = zone.sets.get(owner);
        let set = sets.and_then(|sets| sets.get(&kind).or_else(|| sets.get(&RecordType::CNAME)));
        match set {
            Some(set) => Reply { answers: zone.sign(&apex, set.clone(), how), ..empty },
            None => zone.deny(&apex, owner, how),
        }
    }

    fn stranger(&self, apex: &Name) -> Vec<Record> {
        let strange = |(other, zone): &(&Name, &Zone)| zone.key.is_none() && !other.zone_of(apex);
        let (_, zone) = self.zones.iter().find(strange).unwrap();
        zone.sets.values().find_map(|sets| sets.get(&RecordType::SOA)).unwrap().clone()
    }
}

impl Zone {
    /// `set` and its signature.
    fn sign(&self, apex: &Name, mut set: Vec<Record>, how: Option<Spoil>) -> Vec<Record> {
        let (Some((key, public)), Some(first)) = (&self.key, set.first()) else { return set };
        let delegated = first.record_type() == RecordType::NS && first.name != *apex;
        if how == Some(Spoil::Stripped) || delegated {
            return set;
        }
        let until = if how == Some(Spoil::Expired) { LONG_AGO } else { EXPIRATION };
        let input = SigInput {
            type_covered: first.record_type(),
            algorithm: Algorithm::ECDSAP256SHA256,
            num_labels: first.name.num_labels(),
            original_ttl: TTL,
            sig_expiration: SerialNumber::new(until),
            sig_inception: SerialNumber::new(INCEPTION),
            key_tag: public.calculate_key_tag().unwrap(),
            signer_name: apex.clone(),
        };
        let owner = first.name.clone();
        let mut signature = key.sign(&TBS::from_input(&owner, DNSClass::IN, &input, set.iter()).unwrap()).unwrap();
        if let (Some(Spoil::Forged), Some(byte)) = (how, signature.last_mut()) {
            *byte ^= 1;
        }
        let rrsig = RData::DNSSEC(DNSSECRData::RRSIG(RRSIG::from_sig(input, signature)));
        set.push(Record::from_rdata(owner, TTL, rrsig));
        set
    }

    fn deny(&self, apex: &Name, owner: &Name, how: Option<Spoil>) -> Reply {
        let below = self.sets.keys().any(|other| owner.zone_of(other));
        let code = if below { ResponseCode::NoError } else { ResponseCode::NXDomain };
        let soa = self.sets.get(apex).and_then(|sets| sets.get(&RecordType::SOA)).unwrap().clone();
        let mut authorities = self.sign(apex, soa, how);
        if self.key.is_some() {
            let mut encloser = owner.clone();
            while !self.sets.keys().any(|other| encloser.zone_of(other)) {
                encloser = encloser.base_name();
            }
            let wildcard = encloser.prepend_label("*").unwrap();
            let mut covers = BTreeSet::from([self.before(owner)]);
            if !below {
                covers.insert(self.before(&wildcard));
            }
            authorities.extend(covers.into_iter().flat_map(|cover| self.sign(apex, vec![self.nsec(apex, cover)], how)));
        }
        Reply { answers: Vec::new(), authorities, code }
    }
    /// The last name that is not behind `owner`.
    fn before(&self, owner: &Name) -> &Name {
        self.sets.range(..=owner.clone()).next_back().or_else(|| self.sets.last_key_value()).map(|(name, _)| name).unwrap()
    }
    fn nsec(&self, apex: &Name, owner: &Name) -> Record {
        let next = self.sets.keys().find(|name| *name > owner).unwrap_or(apex);
        let kinds = self.sets.get(owner).into_iter().flat_map(|sets| sets.keys().copied());
        let nsec = NSEC::new_cover_self(next.clone(), kinds);
        Record::from_rdata(owner.clone(), TTL, RData::DNSSEC(DNSSECRData::NSEC(nsec)))
    }
}
