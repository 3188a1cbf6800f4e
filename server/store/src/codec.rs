//! What is sealed of an archive row, as bytes. The only place that knows: to everything else they are opaque.
//!
//! Version byte, then `with from to kind message_id lang` each as a 32-bit little-endian length and its bytes
//! ([`ABSENT`] stands for none), then the payload up to the end.

use bocage_api::store::{ArchiveEntry, StoreError};
use jid::Jid;

const VERSION: u8 = 1;
/// Length of a field that is not there.
const ABSENT: u32 = u32::MAX;
pub(crate) const DAMAGED: StoreError = StoreError::Corrupt("the content of a row");

/// The sealed part of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) with: Jid,
    pub(crate) from: Jid,
    pub(crate) to: Jid,
    pub(crate) kind: String,
    pub(crate) message_id: Option<String>,
    pub(crate) lang: Option<String>,
    pub(crate) payload: Vec<u8>,
}

/// Appends the content of `entry` to `out`.
pub(crate) fn encode(entry: &ArchiveEntry, out: &mut Vec<u8>) -> Result<(), StoreError> {
    out.push(VERSION);
    for text in [entry.with.as_str(), entry.from.as_str(), entry.to.as_str(), &entry.kind] {
        field(Some(text), out)?;
    }
    field(entry.message_id.as_deref(), out)?;
    field(entry.lang.as_deref(), out)?;
    out.extend_from_slice(&entry.payload);
    Ok(())
}

/// Appends a text with its length.
pub(crate) fn field(text: Option<&str>, out: &mut Vec<u8>) -> Result<(), StoreError> {
    let Some(text) = text else {
        out.extend_from_slice(&ABSENT.to_le_bytes());
        return Ok(());
    };
    let length = u32::try_from(text.len()).ok().filter(|length| *length != ABSENT);
    out.extend_from_slice(&length.ok_or(StoreError::Limit("bytes of a field"))?.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Result<Content, StoreError> {
    let mut rest = match bytes.split_first() {
        Some((&VERSION, rest)) => rest,
        _ => return Err(DAMAGED),
    };
    let rest = &mut rest;
    Ok(Content {
        with: address(rest)?,
        from: address(rest)?,
        to: address(rest)?,
        kind: text(rest)?.ok_or(DAMAGED)?,
        message_id: text(rest)?,
        lang: text(rest)?,
        payload: rest.to_vec(),
    })
}

fn address(rest: &mut &[u8]) -> Result<Jid, StoreError> {
    Jid::new(&text(rest)?.ok_or(DAMAGED)?).map_err(|_| DAMAGED)
}

/// Reads what [`field`] wrote.
pub(crate) fn text(rest: &mut &[u8]) -> Result<Option<String>, StoreError> {
    let (length, behind) = rest.split_first_chunk::<4>().ok_or(DAMAGED)?;
    *rest = behind;
    let length = u32::from_le_bytes(*length);
    if length == ABSENT {
        return Ok(None);
    }
    let (text, behind) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)).ok_or(DAMAGED)?;
    *rest = behind;
    String::from_utf8(text.to_vec()).map(Some).map_err(|_| DAMAGED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(texts: (Option<String>, Option<String>), payload: Vec<u8>) -> ArchiveEntry {
        let jid = |text| Jid::new(text).unwrap();
        ArchiveEntry {
            owner: jid("a@example.org").to_bare(),
            id: "1".into(),
            stamp: 7,
            with: jid("b@example.org/x"),
            from: jid("b@example.org/x"),
            to: jid("a@example.org"),
            kind: "chat".into(),
            message_id: texts.0,
            lang: texts.1,
            payload,
            held: true,
        }
    }

    proptest! {
        #[test]
        fn content_survives(id in proptest::option::of(".{0,9}"), lang in proptest::option::of(".{0,3}"),
                            payload in proptest::collection::vec(any::<u8>(), 0..99)) {
            let entry = entry((id, lang), payload);
            let mut bytes = Vec::new();
            encode(&entry, &mut bytes).unwrap();
            let content = decode(&bytes).unwrap();
            prop_assert_eq!((content.with, content.from, content.to), (entry.with, entry.from, entry.to));
            prop_assert_eq!((content.kind, content.message_id), (entry.kind, entry.message_id));
            prop_assert_eq!((content.lang, content.payload), (entry.lang, entry.payload));
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..99)) {
            let _ = decode(&bytes);
            let mut bytes = bytes;
            bytes.insert(0, VERSION);
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn a_cut_head_is_refused() {
        let mut bytes = Vec::new();
        encode(&entry((Some("m".into()), None), Vec::new()), &mut bytes).unwrap();
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length} bytes were read");
        }
    }
}
