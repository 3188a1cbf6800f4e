//! Pages of archives (XEP-0313 section 4, XEP-0059). Nothing of a row's content is parsed.

use super::{Archives, SealedRow};
use crate::{
    engine::{Sql, Value},
    names::Names,
    open::read,
    seal::{Day, day_of},
    sql,
};
use bocage_api::{
    archive::{ArchivePage, ArchiveQuery, Bound, MAX_IDS, MAX_PAGE, Part, StanzaId},
    clock::UnixSeconds,
    store::{StoreError, Stored},
};
use data_encoding::HEXLOWER_PERMISSIVE;
use jid::BareJid;

/// A result is counted up to here; beyond it only who asks for nothing but the count gets one.
const CHEAP_COUNT: i64 = 1000;
/// Rows read at once: a bound to what is in memory, and more than most pages hold.
const CHUNK: usize = 64;

/// The conditions of a query, as the statements take them.
struct Filter {
    owner: i64,
    after: i64,
    before: i64,
    start: UnixSeconds,
    end: UnixSeconds,
    with_bare: Option<String>,
    with_full: Option<String>,
    ids: Option<String>,
}

impl Filter {
    /// Asks for nothing that the index of pages does not hold.
    fn is_open(&self) -> bool {
        self.with_bare.is_none() && self.with_full.is_none() && self.ids.is_none()
    }
    fn values<'a>(&'a self, rest: &[Value<'a>]) -> Vec<Value<'a>> {
        let mut values = vec![
            self.owner.into(),
            self.after.into(),
            self.before.into(),
            self.start.into(),
            self.end.into(),
            self.with_bare.as_deref().into(),
            self.with_full.as_deref().into(),
            self.ids.as_deref().into(),
        ];
        values.extend_from_slice(rest);
        values
    }
}

/// Whether somebody asked for a row that is not there.
enum Found<T> {
    All(T),
    Missing,
}

impl Archives {
    pub(super) async fn page_of(&self, owner: &BareJid, query: ArchiveQuery) -> Stored<Option<ArchivePage>> {
        let Some(known) = self.owner(owner).await? else {
            return Ok(names_nothing(&query).then(|| ArchivePage { complete: true, count: Some(0), ..ArchivePage::default() }));
        };
        let floor = self.floor(owner, &known.settings);
        let Found::All(filter) = self.filter(owner, (known.num, floor), &query).await? else { return Ok(None) };
        let limit = query.limit.min(MAX_PAGE);
        if limit == 0 {
            let count = self.count(&filter, i64::MAX).await?;
            return Ok(Some(ArchivePage { complete: count == 0, count: u64::try_from(count).ok(), ..ArchivePage::default() }));
        }
        let Found::All(paged) = self.paged(&filter, floor, query.part).await? else { return Ok(None) };
        let mut page = self.read_page(owner, paged, limit).await?;
        self.measure(&filter, &mut page, query.part).await?;
        Ok(Some(page))
    }

    async fn filter(&self, owner: &BareJid, (num, floor): (i64, UnixSeconds), query: &ArchiveQuery) -> Stored<Found<Filter>> {
        let mut filter = Filter {
            owner: num,
            after: 0,
            before: i64::MAX,
            start: query.start.unwrap_or(UnixSeconds::MIN).max(floor),
            end: query.end.unwrap_or(UnixSeconds::MAX),
            with_bare: None,
            with_full: None,
            ids: None,
        };
        for (id, bound) in [(query.after_id, &mut filter.after), (query.before_id, &mut filter.before)] {
            let Some(id) = id else { continue };
            match self.locate(num, id, floor).await? {
                Some(position) => *bound = position,
                None => return Ok(Found::Missing),
            }
        }
        if let Some(with) = &query.with {
            let days = (day_of(filter.start), day_of(self.clock.wall()));
            let list = Some(self.with_tags(owner, days, with.as_str())?);
            if with.is_full() { filter.with_full = list } else { filter.with_bare = list }
        }
        if let Some(ids) = &query.ids {
            for id in ids.iter().take(MAX_IDS) {
                if self.locate(num, *id, floor).await?.is_none() {
                    return Ok(Found::Missing);
                }
            }
            filter.ids = Some(self.names_of(ids.get(..MAX_IDS).unwrap_or(ids)));
        }
        Ok(Found::All(filter))
    }

    pub(super) fn with_tags(&self, owner: &BareJid, days: (Day, Day), with: &str) -> Stored<String> {
        let tags = self.vault.tags(owner, days, |keys| keys.with_tag(with))?;
        Ok(sql::list_of_bytes(tags.iter().map(|tag| tag.as_slice())))
    }

    async fn locate(&self, num: i64, id: StanzaId, floor: UnixSeconds) -> Stored<Option<i64>> {
        let name = self.vault.names.inner(id);
        let rows = self.readers.rows(&sql::LOCATE, &[num.into(), name.0.as_slice().into(), floor.into()]).await;
        read(read(rows)?.first().map(|row| row.int(0)).transpose())
    }

    async fn paged<'a>(&self, filter: &'a Filter, floor: UnixSeconds, part: Part) -> Stored<Found<Paged<'a>>> {
        let mut paged = Paged { filter, statement: &sql::PAGE_FORWARD, after: filter.after, before: filter.before, offset: 0 };
        match part {
            Part::First => {}
            Part::Index(index) => paged.offset = i64::try_from(index).unwrap_or(i64::MAX),
            Part::Last => paged.statement = &sql::PAGE_BACKWARD,
            Part::After(id) => match self.locate(filter.owner, id, floor).await? {
                Some(position) => paged.after = paged.after.max(position),
                None => return Ok(Found::Missing),
            },
            Part::Before(id) => match self.locate(filter.owner, id, floor).await? {
                Some(position) => {
                    paged.statement = &sql::PAGE_BACKWARD;
                    paged.before = paged.before.min(position);
                }
                None => return Ok(Found::Missing),
            },
        }
        Ok(Found::All(paged))
    }

    /// Rows whose key is gone are not part of the result.
    async fn read_page(&self, owner: &BareJid, mut paged: Paged<'_>, limit: usize) -> Stored<ArchivePage> {
        let mut page = ArchivePage::default();
        let backward = paged.is_backward();
        loop {
            // One more than wanted says whether there is more.
            let wanted = (limit - page.rows.len() + 1).min(CHUNK);
            let rows = self.raw_rows(&paged, wanted).await?;
            let all_read = rows.len() < wanted;
            for row in rows {
                if page.rows.len() == limit {
                    break;
                }
                let bound = if backward { &mut paged.before } else { &mut paged.after };
                *bound = row.position;
                page.rows.extend(row.open(&self.vault, owner)?);
            }
            paged.offset = 0;
            if all_read || page.rows.len() == limit {
                page.complete = all_read;
                break;
            }
        }
        if backward {
            page.rows.reverse();
        }
        Ok(page)
    }

    async fn raw_rows(&self, paged: &Paged<'_>, limit: usize) -> Stored<Vec<SealedRow>> {
        let rest = [i64::try_from(limit).unwrap_or(i64::MAX).into(), paged.offset.into()];
        let mut values = paged.filter.values(&rest);
        for (value, bound) in values.iter_mut().skip(1).zip([paged.after, paged.before]) {
            *value = bound.into();
        }
        let rows = read(self.readers.rows(paged.statement, &values).await)?;
        let mut found = unpack(&self.vault.names, &read(rows.first().map(|row| row.text(0)).transpose())?.unwrap_or_default())?;
        // Aggregates promise no order.
        found.sort_unstable_by_key(|row| row.position);
        if paged.is_backward() {
            found.reverse();
        }
        Ok(found)
    }

    async fn count(&self, filter: &Filter, limit: i64) -> Stored<i64> {
        let rows = if filter.is_open() {
            let values = [filter.owner, filter.after, filter.before, filter.start, filter.end, limit].map(Value::from);
            self.readers.rows(&sql::COUNT_ALL, &values).await
        } else {
            self.readers.rows(&sql::COUNT_PAGE, &filter.values(&[limit.into()])).await
        };
        let rows = read(rows)?;
        Ok(read(rows.first().map(|row| row.int(0)).transpose())?.unwrap_or_default())
    }

    /// Says how many there are and where the page stands, where that costs little: who goes on from a row was told how
    /// many there are when they began.
    async fn measure(&self, filter: &Filter, page: &mut ArchivePage, part: Part) -> Stored<()> {
        let rows = page.rows.len() as u64;
        page.index = match part {
            Part::First => Some(0),
            Part::Index(index) => Some(index),
            _ => None,
        };
        page.count = match part {
            Part::First | Part::Last if page.complete => Some(rows),
            Part::First | Part::Last | Part::Index(_) => {
                let count = self.count(filter, CHEAP_COUNT + 1).await?;
                u64::try_from(count).ok().filter(|_| count <= CHEAP_COUNT)
            }
            Part::After(_) | Part::Before(_) => None,
        };
        if let (Part::Last, Some(count)) = (part, page.count) {
            page.index = Some(count.saturating_sub(rows));
        }
        Ok(())
    }

    pub(super) async fn bounds_of(&self, owner: &BareJid) -> Stored<Option<(Bound, Bound)>> {
        let Some(known) = self.owner(owner).await? else { return Ok(None) };
        let floor = self.floor(owner, &known.settings);
        let Found::All(filter) = self.filter(owner, (known.num, floor), &ArchiveQuery::default()).await? else { return Ok(None) };
        let mut ends = Vec::with_capacity(2);
        for part in [Part::First, Part::Last] {
            let Found::All(paged) = self.paged(&filter, floor, part).await? else { return Ok(None) };
            let rows = self.raw_rows(&paged, 1).await?;
            ends.extend(rows.first().map(bound));
        }
        Ok(ends.first().copied().zip(ends.last().copied()))
    }
}

fn bound(row: &SealedRow) -> Bound {
    Bound { id: row.id, stamp: row.stamp }
}

/// Columns as the statements of pages pack them.
type Packed<'a> = (i64, &'a str, Day, UnixSeconds, &'a str, i64, &'a str);

fn unpack(names: &Names, json: &str) -> Stored<Vec<SealedRow>> {
    const DAMAGED: StoreError = StoreError::Corrupt("a page of an archive");
    let rows: Vec<Packed<'_>> = serde_json::from_str(json).map_err(|_| DAMAGED)?;
    let bytes = |text: &str| HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| DAMAGED);
    let row = |(position, id, day, stamp, segment, kept, sealed): Packed<'_>| {
        let id = names.outer(bytes(id)?.as_slice().try_into()?);
        Ok(SealedRow { position, id, day, stamp, segment: bytes(segment)?, kept: kept != 0, sealed: bytes(sealed)? })
    };
    rows.into_iter().map(row).collect()
}

/// A query that no missing row can spoil.
fn names_nothing(query: &ArchiveQuery) -> bool {
    let by_id = matches!(query.part, Part::After(_) | Part::Before(_));
    !by_id && query.after_id.is_none() && query.before_id.is_none() && query.ids.as_ref().is_none_or(Vec::is_empty)
}

/// A part of a result.
struct Paged<'a> {
    filter: &'a Filter,
    statement: &'static Sql,
    after: i64,
    before: i64,
    offset: i64,
}

impl Paged<'_> {
    fn is_backward(&self) -> bool {
        std::ptr::eq(self.statement, &sql::PAGE_BACKWARD)
    }
}
