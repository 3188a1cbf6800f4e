//! What is sealed of an archive row, as bytes. The only place that knows: to everything else they are opaque.
//!
//! Version byte, then `from to kind message_id lang` each as a 32-bit little-endian length and its bytes ([`ABSENT`]
//! stands for none), then the payload up to the end. Version 1 had the other party's address in front of them.

use bocage_api::{archive::ArchivedMessage, stanza::MessageType, store::StoreError};
use bytes::Bytes;

const VERSION: u8 = 2;
const WITH_PARTY: u8 = 1;
/// Length of a field that is not there.
const ABSENT: u32 = u32::MAX;
pub(crate) const DAMAGED: StoreError = StoreError::Corrupt("the content of a row");

/// Appends `message` to `out`.
pub(crate) fn encode(message: &ArchivedMessage, out: &mut Vec<u8>) -> Result<(), StoreError> {
    out.push(VERSION);
    field(Some(&message.from), out)?;
    field(Some(&message.to), out)?;
    field(message.kind.attribute(), out)?;
    field(message.message_id.as_deref(), out)?;
    field(message.lang.as_deref(), out)?;
    out.extend_from_slice(&message.payload);
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
pub(crate) fn decode(bytes: &[u8]) -> Result<ArchivedMessage, StoreError> {
    let (version, mut rest) = bytes.split_first().ok_or(DAMAGED)?;
    let rest = &mut rest;
    match *version {
        VERSION => {}
        WITH_PARTY => drop(text(rest)?.ok_or(DAMAGED)?),
        _ => return Err(DAMAGED),
    }
    Ok(ArchivedMessage {
        from: text(rest)?.ok_or(DAMAGED)?,
        to: text(rest)?.ok_or(DAMAGED)?,
        kind: MessageType::parse(text(rest)?.as_deref()),
        message_id: text(rest)?,
        lang: text(rest)?,
        payload: Bytes::copy_from_slice(rest),
    })
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

    fn message(texts: (Option<String>, Option<String>), payload: Vec<u8>) -> ArchivedMessage {
        ArchivedMessage {
            from: "b@example.org/x".into(),
            to: "a@example.org".into(),
            kind: MessageType::Chat,
            message_id: texts.0,
            lang: texts.1,
            payload: payload.into(),
        }
    }

    proptest! {
        #[test]
        fn content_survives(id in proptest::option::of(".{0,9}"), lang in proptest::option::of(".{0,3}"),
                            payload in proptest::collection::vec(any::<u8>(), 0..99)) {
            let message = message((id, lang), payload);
            let mut bytes = Vec::new();
            encode(&message, &mut bytes).unwrap();
            prop_assert_eq!(decode(&bytes).unwrap(), message);
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..99)) {
            let _ = decode(&bytes);
            for version in [WITH_PARTY, VERSION] {
                let mut bytes = bytes.clone();
                bytes.insert(0, version);
                let _ = decode(&bytes);
            }
        }
    }

    #[test]
    fn a_row_of_the_first_version_is_read() {
        let mut bytes = vec![WITH_PARTY];
        for text in ["b@example.org/x", "b@example.org/x", "a@example.org", "chat"] {
            field(Some(text), &mut bytes).unwrap();
        }
        field(Some("m"), &mut bytes).unwrap();
        field(None, &mut bytes).unwrap();
        bytes.extend_from_slice(b"<body/>");
        assert_eq!(decode(&bytes).unwrap(), message((Some("m".into()), None), b"<body/>".to_vec()));
    }

    #[test]
    fn a_cut_head_is_refused() {
        let mut bytes = Vec::new();
        encode(&message((Some("m".into()), None), Vec::new()), &mut bytes).unwrap();
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length} bytes were read");
        }
    }
}
