//! Tombstones: a row's content is replaced, its place, tags and end stay (XEP-0424, XEP-0425).

use crate::{
    archives::open_row,
    engine::{Connection, Row},
    fault::Refusal,
    names::Inner,
    seal::{Day, Place},
    sql,
    vault::Vault,
};
use bocage_api::archive::{Retraction, Target};
use jid::BareJid;

/// Rows of an owner that are searched for what somebody takes back, the newest: about what a person gets in a month, and
/// few enough for a search to be no burden.
const SEARCHED: i64 = 50_000;

/// Replaces the content of the row that is meant; `false` when it is not there or its key is gone.
pub(crate) async fn replace(
    tx: &mut Connection,
    vault: &Vault,
    (owner, num): (&BareJid, i64),
    (retraction, today): (&Retraction, Day),
) -> Result<bool, Refusal> {
    let mut done = false;
    for row in find(tx, vault, (owner, num), (&retraction.target, today)).await? {
        let Some(found) = open_row(vault, owner, &row)? else { continue };
        let mut message = found.message;
        message.payload = retraction.tombstone.clone();
        let (id, segment) = (found.id.to_string(), row.bytes(4)?);
        let place = Place { owner, segment: &segment, id: &id, position: found.position, stamp: found.stamp };
        let Some(sealed) = vault.reseal(&message, &place, row.int(2)?)? else { continue };
        tx.execute(&sql::RESEAL, &[found.position.into(), sealed.as_slice().into()]).await?;
        done = true;
    }
    Ok(done)
}

async fn find(
    tx: &mut Connection,
    vault: &Vault,
    (owner, num): (&BareJid, i64),
    (target, today): (&Target, Day),
) -> Result<Vec<Row>, Refusal> {
    match target {
        Target::Ref { author, message_id } => {
            let tags = vault.tags(owner, (Day::MIN, today), |keys| keys.reference_tag(author.as_str(), message_id))?;
            let list = sql::list_of_bytes(tags.iter().map(|tag| tag.as_slice()));
            Ok(tx.rows(&sql::FIND_REF, &[num.into(), list.as_str().into(), SEARCHED.into()]).await?)
        }
        Target::Id(id) => by_id(tx, num, vault.names.inner(*id)).await,
        Target::OwnId { author, id } => {
            let tags = vault.tags(owner, (Day::MIN, today), |keys| keys.with_tag(author.as_str()))?;
            let mut rows = by_id(tx, num, vault.names.inner(*id)).await?;
            let mut own = Vec::new();
            for row in rows.drain(..) {
                let tag = row.bytes(8)?;
                if tags.iter().any(|known| known.as_slice() == tag) {
                    own.push(row);
                }
            }
            Ok(own)
        }
    }
}

async fn by_id(tx: &mut Connection, num: i64, name: Inner) -> Result<Vec<Row>, Refusal> {
    Ok(tx.rows(&sql::FIND_ID, &[num.into(), name.0.as_slice().into()]).await?)
}
