//! One-off.
use super::*;
#[tokio::test]
async fn real_full_disk() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    let stores = store.handles();
    let alice = bare("alice@example.org");
    let mut stored = Vec::new();
    let mut refused = 0;
    for round in 0..60 {
        let appends: Vec<_> = (0..20)
            .map(|n| {
                let id = format!("{round}-{n}");
                (id.clone(), stores.archive.append(message(&alice, &id, &"x".repeat(8000)), 100000))
            })
            .collect();
        for (id, append) in appends {
            match append.await {
                Ok(_) => stored.push(id),
                Err(error) => {
                    if refused == 0 {
                        println!("first refusal: {error}");
                    }
                    refused += 1;
                }
            }
        }
    }
    println!("stored {} refused {refused} writable {}", stored.len(), store.is_writable());
    assert!(refused > 0);
    assert_eq!(stores.archive.held(&alice, 0, 100000).await.unwrap().into_iter().map(|r| r.entry.id).collect::<Vec<_>>(), stored);
    std::fs::remove_file(std::env::temp_dir().join("filler")).unwrap();
    stores.archive.append(message(&alice, "after", "x"), 100000).await.unwrap();
    assert!(store.is_writable());
    // A new owner's key needs the key volume too.
    stores.archive.append(message(&bare("new@example.org"), "k", "x"), 10).await.unwrap();
    store.close().await;
    let store = bench.open().await;
    stored.push("after".into());
    assert_eq!(
        store.handles().archive.held(&alice, 0, 100000).await.unwrap().into_iter().map(|r| r.entry.id).collect::<Vec<_>>(),
        stored
    );
    store.close().await;
}
