//! Bodies, good and bad.

use std::{convert::Infallible, marker::PhantomData};

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[derive(Debug, PartialEq)]
struct Refused(BodyError);

impl From<BodyError> for Refused {
    fn from(error: BodyError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.status().into_response()
    }
}

fn request(media_type: Option<&str>, body: impl Into<Body>) -> Request {
    let mut request = Request::new(body.into());
    if let Some(media_type) = media_type {
        request.headers_mut().insert(header::CONTENT_TYPE, media_type.parse().unwrap());
    }
    request
}

async fn json(media_type: Option<&str>, body: &'static str) -> Result<Value, BodyError> {
    type Small<T> = Json<T, Refused, 64>;
    let Json(value, PhantomData) =
        Small::from_request(request(media_type, body), &()).await.map_err(|refused| refused.0)?;
    Ok(value)
}

async fn form(media_type: Option<&str>, body: &'static str) -> Result<FormFields, BodyError> {
    let Form(fields, PhantomData) =
        Form::<Refused>::from_request(request(media_type, body), &()).await.map_err(|refused| refused.0)?;
    Ok(fields)
}

#[tokio::test]
async fn json_is_read_when_it_is_called_json_or_nothing() {
    for media_type in [
        None,
        Some("application/json"),
        Some("Application/JSON; charset=utf-8"),
        Some("application/merge-patch+json"),
    ] {
        assert_eq!(json(media_type, "{\"a\":1}").await.unwrap()["a"], 1, "{media_type:?}");
    }
    let refused = json(Some("application/x-www-form-urlencoded"), "{}").await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(
        refused.to_string(),
        "the body is of type \"application/x-www-form-urlencoded\" where application/json was expected"
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_by_its_announcement_and_by_its_length() {
    let announced = request(None, "x".repeat(65));
    assert_eq!(read(announced.into_body(), 64).await, Err(BodyError::TooLarge { limit: 64 }));
    let chunks = futures_util::stream::iter(
        (0..5).map(|_| Ok::<_, Infallible>(Bytes::from_static(b"0123456789abcdef"))),
    );
    assert_eq!(read(Body::from_stream(chunks), 64).await, Err(BodyError::TooLarge { limit: 64 }));
    let fits = futures_util::stream::iter(
        (0..4).map(|_| Ok::<_, Infallible>(Bytes::from_static(b"0123456789abcdef"))),
    );
    assert_eq!(read(Body::from_stream(fits), 64).await.map(|bytes| bytes.len()), Ok(64));
}

/// A body of parts that are sent one by one.
fn parts() -> (tokio::sync::mpsc::UnboundedSender<usize>, Body) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<usize>();
    let parts = futures_util::stream::poll_fn(move |context| {
        receiver.poll_recv(context).map(|part| Some(Ok::<_, Infallible>(Bytes::from(vec![b'x'; part?]))))
    });
    (sender, Body::from_stream(parts))
}

#[tokio::test(start_paused = true)]
async fn a_body_takes_room_as_it_arrives_and_none_by_its_announcement() {
    let room = Arc::new(MemoryBudget::new(16 * SLICE, Duration::from_secs(30)));
    let (sender, body) = parts();
    let reading = tokio::spawn({
        let room = room.clone();
        async move { read_in_room(body, 8 * SLICE, &room, || "ann".into()).await }
    });
    let arrived = async |bytes: usize| {
        sender.send(bytes).unwrap();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        room.taken()
    };
    assert_eq!(arrived(1).await, 0);
    assert_eq!(arrived(SLICE).await, SLICE + 1);
    assert_eq!(arrived(SLICE - 1).await, 2 * SLICE);
    drop(sender);
    let (bytes, place) = reading.await.unwrap().unwrap();
    assert_eq!((bytes.len(), room.taken()), (2 * SLICE, 8 * SLICE));
    drop(place);
    assert_eq!(room.taken(), 0);
}

#[tokio::test]
async fn a_body_for_which_there_is_no_room_is_refused_and_holds_none() {
    let room = Arc::new(MemoryBudget::new(7 * SLICE, Duration::from_secs(30)));
    let read = async |bytes: usize| {
        let body = Body::from(vec![b'x'; bytes]);
        read_in_room(body, 8 * SLICE, &room, || "ann".into()).await.map(|(bytes, _)| bytes.len())
    };
    assert_eq!(read(8 * SLICE + 1).await, Err(BudgetedBody::Body(BodyError::TooLarge { limit: 8 * SLICE })));
    assert_eq!(
        read(4 * SLICE).await,
        Err(BudgetedBody::BudgetExhausted(BudgetExhausted)),
        "while it arrives"
    );
    assert_eq!(
        read(2 * SLICE).await,
        Err(BudgetedBody::BudgetExhausted(BudgetExhausted)),
        "for what is made of it"
    );
    assert_eq!(room.taken(), 0);
    let held = room.take_anyway("bob", 7 * SLICE);
    assert_eq!(read(SLICE).await, Ok(SLICE), "what is small is not counted");
    drop(held);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_no_panic() {
    let broken =
        futures_util::stream::iter([Ok(Bytes::from_static(b"{\"a\":")), Err(std::io::Error::other("gone"))]);
    let error = read(Body::from_stream(broken), 64).await.unwrap_err();
    assert_eq!((error.status(), error), (StatusCode::BAD_REQUEST, BodyError::Incomplete));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_is_given_up() {
    let mut interval = tokio::time::interval(Duration::from_secs(1));
    let drops = futures_util::stream::poll_fn(move |context| {
        interval.poll_tick(context).map(|_| Some(Ok::<_, Infallible>("x")))
    });
    let error = read(Body::from_stream(drops), 64).await.unwrap_err();
    assert_eq!((error.status(), error), (StatusCode::REQUEST_TIMEOUT, BodyError::TooSlow));
}

#[test]
fn nesting_is_bounded_where_the_type_looks_and_where_it_does_not() {
    #[derive(Debug, serde::Deserialize)]
    struct Nothing {}

    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(parse_json::<Value>(nested(64).as_bytes()).is_ok());
    assert!(parse_json::<Nothing>(nested(64).as_bytes()).is_ok());
    for depth in [65, 128, 10_000, 1_000_000] {
        let place = format!("/a{}", "/0".repeat(63));
        assert_eq!(
            parse_json::<Value>(nested(depth).as_bytes()),
            Err(BodyError::TooDeep { limit: 64, place: place.clone() })
        );
        assert_eq!(
            parse_json::<Nothing>(nested(depth).as_bytes()).unwrap_err(),
            BodyError::TooDeep { limit: 64, place }
        );
    }
}

#[test]
fn the_place_of_what_is_nested_too_deep_is_named() {
    let deep = "[".repeat(70);
    let place = |text: String| too_deep(text.as_bytes()).unwrap();
    let zeros = |count: usize| "/0".repeat(count);
    assert_eq!(place(format!("{{\"a\":[1,{{\"x\":1,\"b/~\":{deep}")), format!("/a/1/b~1~0{}", zeros(61)));
    // A name with escapes and brackets, members before it, and text that looks like a name.
    assert_eq!(
        place(format!("[\"a\", {{\"c\":\"d\", \"\\\"[{{\" : {deep}")),
        format!("/1/\"[{{{}", zeros(62))
    );
    let long = place(format!("{{\"{}\":{deep}", "n".repeat(1_000_000)));
    assert!(long.starts_with("/nnn") && long.len() < 300, "{long}");
    assert!(place("{\"name of some length\":".repeat(70)).len() < 300);
}

#[test]
fn brackets_in_strings_are_not_nesting() {
    let text = format!("[\"{}\\\"{}\"]", "[{".repeat(500), "[".repeat(500));
    assert!(parse_json::<Value>(text.as_bytes()).is_ok());
}

#[test]
fn what_is_no_json_is_malformed() {
    for text in ["", "{", "{\"a\":}", "nul", "[1,]", "{\"a\":1}x", "\u{feff}{}", "{'a':1}"] {
        assert!(matches!(parse_json::<Value>(text.as_bytes()), Err(BodyError::Malformed(_))), "{text}");
    }
    assert!(matches!(parse_json::<Value>(b"\"\xff\""), Err(BodyError::Malformed(_))));
    assert!(matches!(parse_json::<u8>(b"300"), Err(BodyError::Malformed(_))));
}

#[tokio::test]
async fn a_form_keeps_what_was_sent() {
    let fields =
        form(Some("application/x-www-form-urlencoded; charset=utf-8"), "a=1&b=x+y%2Bz&&empty=&flag&g=%C3%BC")
            .await
            .unwrap();
    assert_eq!(fields.find("a"), Ok(Some("1")));
    assert_eq!(fields.find("b"), Ok(Some("x y+z")));
    assert_eq!(fields.find("empty"), Ok(None));
    assert_eq!(fields.find("flag"), Ok(None));
    assert_eq!(fields.find("g"), Ok(Some("ü")));
    assert_eq!(fields.find("absent"), Ok(None));
    assert_eq!(fields.iter().count(), 5);
}

#[tokio::test]
async fn a_repeated_parameter_is_not_one_of_its_values() {
    let fields = form(Some("application/x-www-form-urlencoded"), "scope=a&scope=b&%73cope=c").await.unwrap();
    assert_eq!(fields.find("scope"), Err(Repeated("scope".to_owned())));
}

#[tokio::test]
async fn bad_forms_are_refused() {
    let kind = Some("application/x-www-form-urlencoded");
    for text in ["a=%", "a=%4", "a=%zz", "a=%00", "%ff=1"] {
        assert!(matches!(form(kind, text).await, Err(BodyError::Malformed(_))), "{text}");
    }
    assert_eq!(
        form(Some("application/json"), "{}").await.unwrap_err().status(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    assert_eq!(form(None, "a=1").await.unwrap_err().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let many = vec!["a=1"; 101].join("&");
    assert!(matches!(FormFields::parse(many.as_bytes()), Err(BodyError::Malformed(_))));
}

#[test]
fn values_of_a_form_are_not_shown() {
    let fields = FormFields::parse(b"username=ann&password=secret").unwrap();
    assert_eq!(format!("{fields:?}"), "[\"username\", \"password\"]");
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = FormFields::parse(&bytes);
        let _ = parse_json::<Value>(&bytes);
    }

    /// The bound refuses nothing that is flat enough.
    #[test]
    fn nesting_is_counted_exactly(depth in 1_usize..200) {
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        prop_assert_eq!(parse_json::<Value>(text.as_bytes()).is_ok(), depth <= 64);
    }
}
