//! Answers in pieces: what is in memory, what is counted, and how they end.

use http_body_util::BodyExt;

use super::*;

/// Pieces of one length, counted while they are made.
struct Counted {
    left: usize,
    length: usize,
    made: Arc<std::sync::atomic::AtomicUsize>,
}

impl Pieces for Counted {
    fn next(&mut self, to: &mut Vec<u8>) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        to.resize(to.len() + self.length, b'x');
        true
    }
}

fn counted(left: usize, length: usize) -> (Counted, Arc<std::sync::atomic::AtomicUsize>) {
    let made = Arc::default();
    (Counted { left, length, made: Arc::clone(&made) }, made)
}

/// Room for so many bytes of one caller.
fn room(most: usize) -> Arc<MemoryBudget> {
    Arc::new(MemoryBudget::new(2 * most, Duration::from_secs(30)))
}

fn nobody() -> String {
    String::new()
}

#[tokio::test]
async fn a_small_answer_is_whole_and_takes_no_room() {
    let body = body(&room(0), nobody, counted(3, 1000).0).unwrap();
    assert_eq!(http_body::Body::size_hint(&body).exact(), Some(3000));
    assert_eq!(body.collect().await.unwrap().to_bytes().len(), 3000);
}

#[tokio::test]
async fn a_large_answer_comes_in_slices_and_is_never_whole_in_memory() {
    let room = room(WINDOW);
    let (pieces, made) = counted(200, 1_000_000);
    let mut body = body(&room, nobody, pieces).unwrap();
    assert_eq!(room.taken(), WINDOW);
    assert_eq!(super::body(&room, nobody, counted(2, 1_000_000).0).unwrap_err(), BudgetExhausted);
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let slice = frame.unwrap().into_data().unwrap();
        assert!(slice.len() <= SLICE);
        bytes += slice.len();
        let made = made.load(std::sync::atomic::Ordering::Relaxed);
        assert!(
            made * 1_000_000 <= bytes + 2_000_000,
            "{made} pieces were made when {bytes} bytes were taken"
        );
    }
    assert_eq!(bytes, 200_000_000);
    drop(body);
    gone(&room).await;
}

/// Whether every place is given back: by tasks that have been woken, and need their turn.
async fn gone(room: &MemoryBudget) {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(room.taken(), 0);
}

#[tokio::test]
async fn one_long_piece_has_a_length_and_counts() {
    let room = room(1_000_000);
    let body = whole(&room, nobody, vec![b'x'; 700_000]).unwrap();
    assert_eq!(http_body::Body::size_hint(&body).exact(), Some(700_000));
    assert_eq!(room.taken(), 700_000);
    assert_eq!(whole(&room, nobody, vec![b'x'; 700_000]).unwrap_err(), BudgetExhausted);
    assert!(whole(&room, nobody, vec![b'x'; SLICE]).is_ok(), "what is small is not counted");
    assert_eq!(body.collect().await.unwrap().to_bytes().len(), 700_000);
    gone(&room).await;
}

#[tokio::test]
async fn whoever_goes_away_gives_the_room_back() {
    let room = room(WINDOW);
    let mut body = body(&room, nobody, counted(100, 1_000_000).0).unwrap();
    body.frame().await.unwrap().unwrap();
    drop(body);
    for _ in 0..1000 {
        if room.taken() == 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(room.taken(), 0);
}

/// Without waiting: the clock stands still and is moved.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_loses_the_rest() {
    let room = room(WINDOW);
    let mut body = body(&room, nobody, counted(100, 1_000_000).0).unwrap();
    body.frame().await.unwrap().unwrap();
    tokio::task::yield_now().await;
    tokio::time::advance(Duration::from_secs(31)).await;
    gone(&room).await;
    // What was handed over before is still there, and then it is not as if that were all.
    let mut last = body.frame().await.unwrap();
    while last.is_ok() {
        last = body.frame().await.unwrap();
    }
    assert!(last.unwrap_err().to_string().contains("cut off"));
    assert!(body.frame().await.is_none());
}
