use super::reply::LOCATION_LIMIT;
use super::*;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{StatusCode, Url};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A server that closes a connection so long after its last answer, without having said so.
async fn forgetful(idle: Duration, listener: TcpListener) {
    let mut serving = JoinSet::new();
    while let Ok((mut connection, _)) = listener.accept().await {
        serving.spawn(async move {
            let mut request = [0; 4096];
            while let Ok(Ok(1..)) = tokio::time::timeout(idle, connection.read(&mut request)).await {
                let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
            }
        });
    }
}

/// Sends two requests that must not be sent twice, the second just when the server closes what is left of
/// the first: a little before, at the same moment, a little after.
#[tokio::test(flavor = "multi_thread")]
async fn no_create_meets_the_close_of_an_idle_connection() {
    let (client, mut servers, mut sent) = (Client::new(), JoinSet::new(), JoinSet::new());
    for (idle, early) in [1_200, 2_000].iter().flat_map(|idle| (0..40).map(move |early| (*idle, early))) {
        let idle = Duration::from_millis(idle);
        let moment = idle + Duration::from_millis(2);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url: Url = format!("http://{}/predictions", listener.local_addr().unwrap()).parse().unwrap();
        servers.spawn(forgetful(idle, listener));
        let client = client.clone();
        sent.spawn(async move {
            let body = serde_json::json!({"input": {}});
            let request = Request {
                method: Method::POST,
                url,
                token: None,
                headers: Vec::new(),
                json: Some(&body),
                wanted: None,
            };
            let deadline = clock::instant() + Duration::from_secs(20);
            client.send(request.clone(), deadline).await.unwrap();
            tokio::time::sleep(moment.saturating_sub(Duration::from_micros(100) * early)).await;
            client.send(request, deadline).await.map(drop)
        });
    }
    let ended = sent.join_all().await;
    let failed: Vec<_> = ended.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{} of 80: {failed:?}", failed.len());
}

#[tokio::test]
async fn a_look_waits_while_others_end_and_not_for_those_that_hang() {
    let client = Client::new();
    let far = || clock::instant() + Duration::from_mins(2);
    let mut places = Vec::new();
    for _ in 0..LOOKS_AT_ONCE {
        places.push(client.place_to_look(far()).await.unwrap());
    }
    let first = client.place_to_look(far());
    let second = async {
        let waited = crate::clock::Stopwatch::start();
        assert!(client.place_to_look(far()).await.is_none(), "no other has");
        assert!(waited.elapsed() >= LOOK_PATIENCE * 2, "one had, meanwhile");
    };
    let third = async {
        let soon = clock::instant() + Duration::from_millis(100);
        assert!(client.place_to_look(soon).await.is_none(), "there is no more time");
    };
    let end_one = async {
        tokio::time::sleep(LOOK_PATIENCE / 2).await;
        drop(places.pop());
    };
    let (place, ..) = tokio::join!(first, second, third, end_one);
    assert!(place.is_some(), "one has ended");
}

/// A server that gives each connection this answer.
async fn says(body: String, listener: TcpListener) {
    while let Ok((mut connection, _)) = listener.accept().await {
        let _ = connection.read(&mut [0; 4096]).await;
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = connection.write_all(head.as_bytes()).await;
        let _ = connection.write_all(body.as_bytes()).await;
    }
}

#[tokio::test]
async fn a_large_answer_reads_as_a_small_one_does() {
    let (client, mut servers) = (Client::new(), JoinSet::new());
    for length in [1, LARGE + 1] {
        let output = "x".repeat(length);
        let body = serde_json::json!({"id": "p", "output": output, "error": "not r8_hush_hush"});
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        servers.spawn(says(body.to_string(), listener));
        let request =
            Request { method: Method::GET, url, token: None, headers: Vec::new(), json: None, wanted: None };
        let reply = client.send(request, clock::instant() + Duration::from_secs(20)).await.unwrap();
        let all = serde_json::json!({"id": "p", "output": output, "error": "not r8_hush_hush"});
        assert!(reply.json() == Some(all), "{length}");
    }
}

#[test]
fn where_a_redirect_leads_is_told_without_its_secrets() {
    let leads = |location: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_str(location).unwrap());
        Reply::new(StatusCode::FOUND, headers, b"").leads_to()
    };
    assert_eq!(leads("https://me:hush@a.example/b?key=hush#hush").as_deref(), Some("https://a.example/b"));
    assert_eq!(leads("/b?key=hush").as_deref(), Some("/b"));
    assert_eq!(leads(&"x".repeat(5_000)).map(|told| told.chars().count()), Some(LOCATION_LIMIT));
}
