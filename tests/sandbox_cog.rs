//! The sandbox as Cog servers, over real HTTP: each generation in its own way.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails that it does not test")]

use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;
use warmd::sandbox::cog::{Cog, CogFault, CogSettings, Generation, Proxy};
use warmd::sandbox::{Sandbox, Spread, schema};

struct Bench {
    cog: Cog,
    client: Client,
}

impl Bench {
    async fn start(generation: Generation, change: impl FnOnce(&mut CogSettings)) -> Self {
        let mut settings = CogSettings {
            generation,
            boot: Spread::fixed(Duration::from_millis(50)),
            predict: Spread::millis(1, 10),
            ..CogSettings::default()
        };
        change(&mut settings);
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { cog: Sandbox::cog(listener, settings).unwrap(), client }
    }

    async fn health(&self) -> reqwest::Result<Value> {
        self.client.get(format!("{}/health-check", self.cog.url())).send().await?.json().await
    }

    async fn until(&self, status: &str) -> Value {
        loop {
            match self.health().await {
                Ok(health) if health["status"] == status => return health,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn predict(&self, input: &Value) -> Response {
        let url = format!("{}/predictions", self.cog.url());
        self.client.post(url).json(&json!({"input": input})).send().await.unwrap()
    }
}

async fn parts(response: Response) -> (u16, Value) {
    (response.status().as_u16(), response.json().await.unwrap())
}

const ALL: [Generation; 3] = [Generation::Cog09, Generation::Cog016, Generation::Cog023];

fn long(settings: &mut CogSettings) {
    settings.predict = Spread::fixed(Duration::from_secs(1));
}

#[tokio::test]
async fn while_it_starts() {
    for generation in ALL {
        let bench = Bench::start(generation, |s| s.boot = Spread::fixed(Duration::from_mins(1))).await;
        let health = bench.health().await.unwrap();
        assert_eq!(health["status"], "STARTING");
        let (status, body) = parts(bench.predict(&json!({})).await).await;
        if generation == Generation::Cog023 {
            assert!(health["setup"]["started_at"].is_string() && health["version"].is_object());
            assert_eq!((status, &body["status"]), (503, &json!("failed")));
        } else {
            assert_eq!(health, json!({"status": "STARTING", "setup": {}}));
            assert_eq!((status, body), (409, json!({"detail": "Already running a prediction"})));
        }
        bench.cog.stop().await;
    }
}

#[tokio::test]
async fn when_it_is_ready() {
    for generation in ALL {
        let bench = Bench::start(generation, |_| {}).await;
        let health = bench.until("READY").await;
        assert_eq!(health["setup"]["status"], "succeeded");
        let date =
            |key: &str| health["setup"][key].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>();
        assert_eq!(
            date("completed_at").unwrap() - date("started_at").unwrap(),
            chrono::TimeDelta::milliseconds(50)
        );
        let (status, body) = parts(bench.predict(&json!({"prompt": "hi"})).await).await;
        assert_eq!(
            (status, &body["status"], &body["output"]),
            (200, &json!("succeeded"), &json!("warm words"))
        );
        assert!(body["metrics"]["predict_time"].is_number());
        let mut keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        if generation == Generation::Cog023 {
            assert_eq!(keys, ["id", "logs", "metrics", "output", "status"]);
        } else {
            assert_eq!(keys.len(), 11);
        }
        let null = bench.predict(&json!({"seed": null})).await.status();
        assert_eq!(null == 422, generation == Generation::Cog023, "{null}");
        let (status, body) = parts(bench.predict(&json!({"max_tokens": 0})).await).await;
        assert_eq!((status, &body["detail"][0]["loc"]), (422, &json!(["body", "input", "max_tokens"])));
        let openapi = bench.client.get(format!("{}/openapi.json", bench.cog.url())).send().await.unwrap();
        assert_eq!(openapi.json::<Value>().await.unwrap(), schema::plain());
        bench.cog.stop().await;
    }
}

#[tokio::test]
async fn when_it_is_busy() {
    for generation in ALL {
        let bench = Bench::start(generation, long).await;
        bench.until("READY").await;
        let input = json!({});
        let second = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let asked = tokio::join!(bench.health(), async { parts(bench.predict(&input).await).await });
            (asked.0.unwrap()["status"].clone(), asked.1)
        };
        let (first, (health, (status, body))) = tokio::join!(bench.predict(&input), second);
        assert_eq!(first.status(), 200);
        match generation {
            // Its health check came back once the prediction was over, and the second one queued.
            Generation::Cog09 => assert_eq!((status, &body["status"]), (200, &json!("succeeded"))),
            Generation::Cog016 => {
                assert_eq!((health, status), (json!("BUSY"), 409));
                assert_eq!(body, json!({"detail": "Already running a prediction"}));
            }
            Generation::Cog023 => {
                assert_eq!((health, status, &body["status"]), (json!("BUSY"), 409, &json!("failed")));
            }
        }
        bench.cog.stop().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_it_in_the_newest_alone() {
    for (generation, after) in [(Generation::Cog016, "BUSY"), (Generation::Cog023, "READY")] {
        let bench = Bench::start(generation, |s| s.predict = Spread::fixed(Duration::from_mins(1))).await;
        bench.until("READY").await;
        let left = tokio::time::timeout(Duration::from_millis(200), bench.predict(&json!({}))).await;
        assert!(left.is_err());
        bench.until(after).await;
        bench.cog.stop().await;
    }
}

#[tokio::test]
async fn a_put_is_the_same_again_and_a_cancel_ends_it() {
    let bench = Bench::start(Generation::Cog016, |s| s.predict = Spread::fixed(Duration::from_mins(1))).await;
    bench.until("READY").await;
    let url = format!("{}/predictions/mine", bench.cog.url());
    let put = || bench.client.put(&url).json(&json!({"input": {}})).send();
    let rest = async {
        bench.until("BUSY").await;
        assert_eq!(put().await.unwrap().status(), 202);
        assert_eq!(bench.client.post(format!("{url}/cancel")).send().await.unwrap().status(), 200);
        assert_eq!(bench.client.post(format!("{url}/cancel")).send().await.unwrap().status(), 404);
    };
    let (first, ()) = tokio::join!(put(), rest);
    assert_eq!(first.unwrap().json::<Value>().await.unwrap()["status"], "canceled");
}

#[tokio::test]
async fn a_model_that_raises_answers_and_a_setup_that_raises_does_not() {
    for generation in ALL {
        let bench = Bench::start(generation, |s| s.fails = Some("out of memory".to_owned())).await;
        bench.until("READY").await;
        let (status, body) = parts(bench.predict(&json!({})).await).await;
        assert_eq!((status, &body["status"]), (200, &json!("failed")));
        assert!(body["error"].as_str().unwrap().ends_with("out of memory"));
    }
    let rust = Bench::start(Generation::Cog023, |s| s.setup_fails = true).await;
    assert_eq!(rust.until("SETUP_FAILED").await["setup"]["status"], "failed");
    assert_eq!(rust.predict(&json!({})).await.status(), 503);
    let python = Bench::start(Generation::Cog016, |s| s.setup_fails = true).await;
    while python.health().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_restart_is_another_setup_and_refuses_connections_meanwhile() {
    let bench = Bench::start(Generation::Cog023, |_| {}).await;
    let before = bench.until("READY").await["setup"]["started_at"].clone();
    bench.cog.inflict(CogFault::Restart);
    let error = loop {
        match bench.health().await {
            Err(error) if error.is_connect() => break error,
            // It was over between two looks: once more.
            Ok(health) if health["setup"]["started_at"] != before => bench.cog.inflict(CogFault::Restart),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert!(format!("{error:?}").contains("refused"), "{error:?}");
    let after = bench.until("READY").await["setup"]["started_at"].clone();
    assert_ne!(before, after);
    assert_eq!(bench.cog.truth().boots.len(), 2);
    let url = format!("{}/sandbox/faults", bench.cog.url());
    let unwell = json!({"fault": "health", "status": "UNHEALTHY"});
    assert_eq!(bench.client.post(&url).json(&unwell).send().await.unwrap().status(), 204);
    bench.until("UNHEALTHY").await;
    assert_eq!(bench.predict(&json!({})).await.status(), 409);
    assert_eq!(bench.client.post(&url).json(&json!({"fault": "x"})).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_proxy_holds_what_comes_until_the_boot_is_over() {
    let held = |proxy| move |s: &mut CogSettings| s.scales_to_zero = Some((proxy, Duration::from_secs(2)));
    let bench = Bench::start(Generation::Cog023, held(Proxy::Holds)).await;
    let (status, first) = parts(bench.predict(&json!({})).await).await;
    assert_eq!(status, 200);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let health = bench.health().await.unwrap();
    assert_eq!(health["status"], "READY");
    let (_, second) = parts(bench.predict(&json!({})).await).await;
    let truth = bench.cog.truth();
    let cold = |body: &Value| truth.prediction(body["id"].as_str().unwrap()).unwrap().cold;
    assert!(cold(&first));
    assert!(!cold(&second), "the health check before it woke the server");
    assert_eq!(truth.boots.len(), 2);

    let refusing = Bench::start(Generation::Cog023, held(Proxy::Answers503)).await;
    assert_eq!(refusing.predict(&json!({})).await.status(), 503);
    loop {
        if refusing.predict(&json!({})).await.status() == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_token_is_asked_for_where_there_is_one() {
    let bench = Bench::start(Generation::Cog023, |s| s.token = Some("secret".to_owned())).await;
    let url = format!("{}/health-check", bench.cog.url());
    assert_eq!(bench.client.get(&url).send().await.unwrap().status(), 401);
    assert_eq!(bench.client.get(&url).bearer_auth("secret").send().await.unwrap().status(), 200);
}
