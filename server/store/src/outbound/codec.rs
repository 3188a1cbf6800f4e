//! What is sealed of an outbound row, as bytes: version byte, then `here peer owner` as in an archive row, the deadline
//! in minutes as a 64-bit little-endian number, and the payload up to the end.

use super::Slot;
use crate::codec::{DAMAGED, field, text};
use bocage_api::{
    clock::UnixSeconds,
    store::{OutboundDraft, OutboundRow, StoreError},
};
use bytes::Bytes;
use jid::BareJid;

const VERSION: u8 = 1;
const MINUTE: i64 = 60;

/// Nothing is given up before its deadline.
fn minutes(deadline: UnixSeconds) -> i64 {
    deadline.saturating_add(MINUTE - 1).div_euclid(MINUTE)
}

/// Appends the content of `draft` to `out`.
pub(crate) fn encode(draft: &OutboundDraft, out: &mut Vec<u8>) -> Result<(), StoreError> {
    out.push(VERSION);
    for text in [&draft.here, &draft.peer, draft.owner.as_str()] {
        field(Some(text), out)?;
    }
    out.extend_from_slice(&minutes(draft.deadline).to_le_bytes());
    out.extend_from_slice(&draft.payload);
    Ok(())
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(slot: &Slot, bytes: &[u8]) -> Result<OutboundRow, StoreError> {
    let mut rest = match bytes.split_first() {
        Some((&VERSION, rest)) => rest,
        _ => return Err(DAMAGED),
    };
    let rest = &mut rest;
    let (here, peer) = (text(rest)?.ok_or(DAMAGED)?, text(rest)?.ok_or(DAMAGED)?);
    let owner = BareJid::new(&text(rest)?.ok_or(DAMAGED)?).map_err(|_| DAMAGED)?;
    let (minutes, payload) = rest.split_first_chunk::<8>().ok_or(DAMAGED)?;
    Ok(OutboundRow {
        key: slot.key,
        here,
        peer,
        owner,
        deadline: i64::from_le_bytes(*minutes).saturating_mul(MINUTE),
        payload: Bytes::copy_from_slice(payload),
        position: slot.position,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::store::OutboundKey;
    use proptest::prelude::*;

    const SLOT: Slot = Slot { key: OutboundKey([7; 16]), day: 1, position: 3 };

    fn draft(deadline: UnixSeconds, payload: Vec<u8>) -> OutboundDraft {
        OutboundDraft {
            key: SLOT.key,
            here: "example.org".into(),
            peer: "elsewhere.example".into(),
            owner: BareJid::new("a@example.org").unwrap(),
            deadline,
            payload: payload.into(),
        }
    }

    proptest! {
        #[test]
        fn content_survives(deadline in any::<i64>(), payload in proptest::collection::vec(any::<u8>(), 0..99)) {
            let draft = draft(deadline, payload);
            let mut bytes = Vec::new();
            encode(&draft, &mut bytes).unwrap();
            let row = decode(&SLOT, &bytes).unwrap();
            prop_assert_eq!((row.here, row.peer, row.owner), (draft.here, draft.peer, draft.owner));
            prop_assert_eq!((row.key, row.position, row.payload), (draft.key, SLOT.position, draft.payload));
            if deadline < i64::MAX - MINUTE {
                prop_assert!(row.deadline % MINUTE == 0 && (0..MINUTE).contains(&(row.deadline.saturating_sub(deadline))));
            }
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..99)) {
            let _ = decode(&SLOT, &bytes);
            let mut bytes = bytes;
            bytes.insert(0, VERSION);
            let _ = decode(&SLOT, &bytes);
        }
    }

    #[test]
    fn a_cut_head_is_refused() {
        let mut bytes = Vec::new();
        encode(&draft(60, Vec::new()), &mut bytes).unwrap();
        for length in 0..bytes.len() {
            assert!(decode(&SLOT, &bytes[..length]).is_err(), "{length} bytes were read");
        }
    }
}
