//! The sandbox as Replicate, over real HTTP: what a client sees, and what really happened.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails that it does not test")]

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;
use warmd::clock;
use warmd::sandbox::{
    AccountSettings, Conduct, Credit, DeploymentSettings, Fault, FaultOrder, ModelSettings, Rate, Sandbox,
    Settings, Spread, VersionSettings, schema,
};

struct Bench {
    sandbox: Sandbox,
    client: Client,
    version: String,
}

impl Bench {
    async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let conduct = Conduct {
            idle_timeout: Duration::from_millis(400),
            boot: Spread::millis(200, 300),
            wait: Spread::millis(1, 5),
            predict: Spread::millis(1, 10),
            ..Conduct::default()
        };
        let model = ModelSettings::new("acme", "model", conduct.clone()).schema(&schema::images());
        let version = model.versions[0].id.clone();
        let mut settings = Settings { models: vec![model], others: Some(conduct), ..Settings::default() };
        change(&mut settings);
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { sandbox: Sandbox::start(listener, settings).unwrap(), client, version }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> reqwest::Result<Response> {
        let mut request =
            self.client.request(method, format!("{}{path}", self.sandbox.base_url())).bearer_auth("token");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await
    }

    async fn create(&self, headers: &[(&str, &str)]) -> reqwest::Result<Response> {
        let body = json!({"version": self.version, "input": {"prompt": "hi"}});
        self.send(Method::POST, "/predictions", headers, Some(body)).await
    }

    /// Creates one and follows it to its end; its last body.
    async fn run(&self, headers: &[(&str, &str)]) -> Value {
        let created: Value = self.create(headers).await.unwrap().json().await.unwrap();
        self.follow(created["id"].as_str().unwrap()).await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let reply = self.send(Method::GET, path, &[], None).await.unwrap();
        (reply.status(), reply.json().await.unwrap())
    }

    async fn follow(&self, id: &str) -> Value {
        loop {
            let (_, seen) = self.get(&format!("/predictions/{id}")).await;
            if !["starting", "processing"].contains(&seen["status"].as_str().unwrap()) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn id(body: &Value) -> &str {
    body["id"].as_str().unwrap()
}

#[tokio::test]
async fn cold_then_warm_then_idle_then_cold_and_no_answer_tells() {
    let bench =
        Bench::start(|settings| settings.models[0].conduct.idle_timeout = Duration::from_secs(2)).await;
    let first = bench.run(&[]).await;
    let second = bench.run(&[]).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let third = bench.run(&[]).await;
    let truth = bench.sandbox.truth();
    let cold = |body: &Value| truth.prediction(id(body)).unwrap().cold;
    assert_eq!([cold(&first), cold(&second), cold(&third)], [true, false, true]);
    assert_eq!(truth.boots.len(), 2);
    let wait = truth.prediction(id(&third)).unwrap();
    assert!(wait.queue_wait.unwrap() >= wait.boot.unwrap() && wait.boot.unwrap() >= 0.2);
    for body in [first, second, third] {
        let text = body.to_string();
        assert!(!text.contains("cold") && !text.contains("boot") && !text.contains("wait"), "{text}");
    }
    bench.sandbox.stop().await;
}

#[tokio::test]
async fn nothing_is_told_to_have_happened_before_it_did() {
    // A sandbox that takes a while to be made.
    let large = Conduct { fails: Some("x".repeat(1 << 20)), ..Conduct::default() };
    let more = (0..64).map(|number| ModelSettings::new("acme", &format!("large-{number}"), large.clone()));
    let bench = Bench::start(|settings| settings.models.extend(more)).await;
    for _ in 0..5 {
        let sent = clock::now();
        let body = bench.run(&[]).await;
        let told = bench.sandbox.truth().prediction(id(&body)).unwrap().created_at;
        let early = (sent - told).num_microseconds().unwrap();
        assert!(early <= 0, "told to be {early} µs before it was sent");
    }
    bench.sandbox.stop().await;
}

#[tokio::test]
async fn a_truth_is_served_only_where_it_is_exposed() {
    let hidden = Bench::start(|_| {}).await;
    let url = |bench: &Bench| format!("http://{}/sandbox/truth", bench.sandbox.addr());
    let reply = hidden.client.get(url(&hidden)).send().await.unwrap();
    assert_eq!(reply.status(), 404);
    let exposed = Bench::start(|settings| settings.expose_truth = true).await;
    let run = exposed.run(&[]).await;
    let truth: warmd::sandbox::Truth =
        exposed.client.get(url(&exposed)).send().await.unwrap().json().await.unwrap();
    assert!(truth.prediction(id(&run)).unwrap().cold);
    assert_eq!(truth, exposed.sandbox.truth());
}

#[tokio::test]
async fn a_wait_that_suffices_brings_the_output_and_no_times() {
    let bench = Bench::start(|_| {}).await;
    let reply = bench.create(&[("prefer", "wait=30")]).await.unwrap();
    assert_eq!(reply.status(), 201);
    assert_eq!(reply.headers()["preference-applied"], "wait=30");
    let body: Value = reply.json().await.unwrap();
    assert_eq!(body["status"], "processing");
    assert!(body["output"][0].as_str().unwrap().starts_with("data:"));
    assert!(body.get("started_at").is_none() && body.get("metrics").is_none());
    let seen = bench.follow(id(&body)).await;
    assert_eq!((&seen["status"], &seen["output"]), (&json!("succeeded"), &body["output"]));
    assert!(seen["metrics"]["total_time"].as_f64() > seen["metrics"]["predict_time"].as_f64());
}

#[tokio::test]
async fn a_wait_that_runs_out_reads_starting_even_of_what_runs() {
    let bench = Bench::start(|settings| {
        settings.models[0].conduct.predict = Spread::fixed(Duration::from_mins(1));
    })
    .await;
    let reply = bench.create(&[("prefer", "wait=1")]).await.unwrap();
    assert!([201, 202].contains(&reply.status().as_u16()));
    let body: Value = reply.json().await.unwrap();
    assert_eq!(body["status"], "starting");
    let (_, seen) = bench.get(&format!("/predictions/{}", id(&body))).await;
    assert_eq!(seen["status"], "processing");
    // A cancel wakes whoever waits for it.
    let body = json!({"version": bench.version, "input": {"prompt": "hi"}});
    let waiting = bench.send(Method::POST, "/predictions", &[("prefer", "wait")], Some(body));
    let cancel = async {
        loop {
            let (_, list) = bench.get("/predictions").await;
            for seen in list["results"].as_array().unwrap() {
                let path = format!("/predictions/{}/cancel", id(seen));
                let reply = bench.send(Method::POST, &path, &[], None).await.unwrap();
                assert_eq!(reply.status(), 200);
            }
            if list["results"].as_array().unwrap().len() == 2 {
                return;
            }
        }
    };
    let (reply, ()) = tokio::join!(waiting, cancel);
    assert_eq!(reply.unwrap().json::<Value>().await.unwrap()["status"], "canceled");
}

#[tokio::test]
async fn a_deadline_aborts_what_waits_and_cancels_what_runs() {
    let bench = Bench::start(|settings| {
        settings.models[0].conduct.predict = Spread::fixed(Duration::from_mins(1));
    })
    .await;
    let reply: Value = bench.create(&[("cancel-after", "7s")]).await.unwrap().json().await.unwrap();
    assert!(reply["deadline"].as_str().unwrap() > reply["created_at"].as_str().unwrap());
    let queued: Value = bench.create(&[("cancel-after", "5")]).await.unwrap().json().await.unwrap();
    let ran = bench.follow(id(&reply)).await;
    assert_eq!(ran["status"], "canceled");
    assert!(ran["started_at"].is_string() && ran["metrics"]["predict_time"].is_number());
    let aborted = bench.follow(id(&queued)).await;
    assert_eq!(aborted["status"], "aborted");
    assert!(aborted.get("started_at").is_none_or(Value::is_null));
    assert_eq!(bench.create(&[("cancel-after", "4s")]).await.unwrap().status(), 400);
    assert_eq!(bench.create(&[("prefer", "wait=61")]).await.unwrap().status(), 400);
}

#[tokio::test]
async fn limits_are_told_and_kept() {
    let bench = Bench::start(|settings| settings.creates = Rate::per_minute(6)).await;
    for left in ["5", "4", "3", "2", "1", "0"] {
        let reply = bench.create(&[]).await.unwrap();
        assert_eq!(reply.headers()["ratelimit-remaining"], left);
        assert!(reply.headers()["ratelimit-reset"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    }
    let reply = bench.create(&[]).await.unwrap();
    assert_eq!(reply.status(), 429);
    let after: u64 = reply.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=10).contains(&after));
    let body: Value = reply.json().await.unwrap();
    assert_eq!(body["detail"], format!("Request was throttled. Your rate limit resets in ~{after}s."));
    assert_eq!(bench.get("/account").await.0, 200, "other calls have a limit of their own");
}

#[tokio::test]
async fn accounts_are_known_by_their_tokens() {
    let bench = Bench::start(|settings| {
        settings.accounts = vec![AccountSettings { token: "token".to_owned(), credit: Credit::None }];
    })
    .await;
    let reply = bench.create(&[]).await.unwrap();
    assert_eq!(reply.status(), 402);
    assert_eq!(reply.headers()["content-type"], "application/problem+json");
    let url = format!("{}/account", bench.sandbox.base_url());
    assert_eq!(bench.client.get(&url).bearer_auth("other").send().await.unwrap().status(), 401);
    assert_eq!(bench.client.get(&url).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn every_fault_looks_as_it_should() {
    let bench = Bench::start(|_| {}).await;
    for (fault, status, kind) in [
        (Fault::Unauthenticated, 401, "application/problem+json"),
        (Fault::NoCredit, 402, "application/problem+json"),
        (Fault::NotFound, 404, "application/json"),
        (Fault::InvalidVersion, 422, "application/problem+json"),
        (Fault::InvalidInput, 422, "application/problem+json"),
        (Fault::ThrottledHeader, 429, "application/json"),
        (Fault::ThrottledBody, 429, "application/json"),
        (Fault::ThrottledText, 429, "application/json"),
        (Fault::ServerError, 500, "application/problem+json"),
        (Fault::BadGateway, 502, "text/html"),
        (Fault::Garbage, 201, "application/json"),
    ] {
        assert!(bench.sandbox.set_fault(FaultOrder::creates(fault, 1).model("acme/model")));
        let reply = bench.create(&[]).await.unwrap();
        assert_eq!(reply.status(), status, "{fault:?}");
        assert_eq!(reply.headers()["content-type"], kind, "{fault:?}");
        let (retry, body) = (reply.headers().contains_key("retry-after"), reply.text().await.unwrap());
        let told = (retry, body.contains("retry_after"), body.contains("~5s"));
        let expected = [Fault::ThrottledHeader, Fault::ThrottledBody, Fault::ThrottledText]
            .map(|form| form == fault)
            .into();
        assert_eq!(told, expected, "{fault:?}");
        let json = serde_json::from_str::<Value>(&body).is_ok();
        assert_eq!(json, !matches!(fault, Fault::BadGateway | Fault::Garbage), "{fault:?}");
    }
    assert_eq!(bench.create(&[]).await.unwrap().status(), 201, "each struck once");
}

#[tokio::test]
async fn connections_break_hang_and_lose_replies() {
    let bench = Bench::start(|_| {}).await;
    let made = async || bench.get("/predictions").await.1["results"].as_array().unwrap().len();
    bench.sandbox.set_fault(FaultOrder::creates(Fault::Reset, 1));
    assert!(bench.create(&[]).await.is_err());
    assert_eq!(made().await, 0);
    bench.sandbox.set_fault(FaultOrder::creates(Fault::LostReply, 1));
    assert!(bench.create(&[]).await.is_err());
    assert_eq!(made().await, 1, "the prediction runs all the same");
    bench.sandbox.set_fault(FaultOrder::creates(Fault::Hang, 1));
    let hung = tokio::time::timeout(Duration::from_millis(300), bench.create(&[])).await;
    assert!(hung.is_err());
    bench.sandbox.set_fault(FaultOrder::creates(Fault::Hang, 1));
    // A stop waits for nobody: who hangs is cut off.
    let Bench { sandbox, client, version } = bench;
    let request = client
        .post(format!("{}/predictions", sandbox.base_url()))
        .bearer_auth("token")
        .json(&json!({"version": version, "input": {"prompt": "hi"}}));
    let stop = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        sandbox.stop().await;
    };
    let (reply, ()) = tokio::join!(request.send(), stop);
    assert!(reply.is_err());
}

#[tokio::test]
async fn predictions_fail_stick_go_cold_and_read_strangely_on_demand() {
    let bench = Bench::start(|_| {}).await;
    bench.run(&[]).await;
    bench.sandbox.set_fault(FaultOrder::creates(Fault::Evicted, 1));
    let evicted = bench.run(&[]).await;
    assert!(bench.sandbox.truth().prediction(id(&evicted)).unwrap().cold);
    bench.sandbox.set_fault(FaultOrder::creates(Fault::Fails, 1));
    let failed = bench.run(&[]).await;
    assert_eq!(failed["status"], "failed");
    assert!(failed["error"].is_string() && failed["metrics"]["predict_time"].is_number());
    bench.sandbox.set_fault(FaultOrder::creates(Fault::UnknownStatus, 1));
    let strange: Value = bench.create(&[]).await.unwrap().json().await.unwrap();
    assert!(!["starting", "processing", "succeeded"].contains(&strange["status"].as_str().unwrap()));
    bench.sandbox.set_fault(FaultOrder::creates(Fault::Stuck, 1));
    let stuck: Value = bench.create(&[]).await.unwrap().json().await.unwrap();
    let other = bench.run(&[]).await;
    assert_eq!(other["status"], "succeeded", "one that is stuck holds nobody up");
    assert_eq!(bench.get(&format!("/predictions/{}", id(&stuck))).await.1["status"], "starting");
}

#[tokio::test]
async fn faults_are_set_listed_and_cleared_over_http() {
    let bench = Bench::start(|_| {}).await;
    let url = format!("http://{}/sandbox/faults", bench.sandbox.addr());
    let set = |body: &'static str| bench.client.post(&url).body(body).send();
    assert_eq!(set(r#"{"fault":"not-found","on":"call","times":null}"#).await.unwrap().status(), 204);
    assert_eq!(set(r#"{"fault":"no-such"}"#).await.unwrap().status(), 400);
    assert_eq!(set("").await.unwrap().status(), 400);
    let listed: Value = bench.client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(listed[0]["fault"], "not-found");
    assert_eq!(bench.get("/account").await.0, 404);
    assert_eq!(bench.get("/hardware").await.0, 404);
    assert_eq!(bench.client.delete(&url).send().await.unwrap().status(), 204);
    assert_eq!(bench.get("/account").await.0, 200);
}

#[tokio::test]
async fn what_may_be_run_and_how() {
    let bench = Bench::start(|_| {}).await;
    let post = async |path: &str, body: Value| {
        let reply = bench.send(Method::POST, path, &[], Some(body)).await.unwrap();
        (reply.status().as_u16(), reply.json::<Value>().await.unwrap())
    };
    let (status, body) =
        post("/models/official/llm/predictions", json!({"input": {"prompt": "x", "odd": 1}})).await;
    assert_eq!((status, &body["version"], &body["input"]), (201, &json!("hidden"), &json!({"prompt": "x"})));
    let (status, body) = post("/deployments/me/app/predictions", json!({"input": {}})).await;
    assert!(status == 201 && body["version"].as_str().unwrap().starts_with("dp-"));
    assert_eq!(body["deployment"], "me/app");
    assert_eq!(post("/models/acme/model/predictions", json!({"input": {"prompt": "x"}})).await.0, 404);
    assert_eq!(post("/models/missing/m/predictions", json!({"input": {}})).await.0, 404);
    assert_eq!(post("/predictions", json!({"version": "official/llm", "input": {}})).await.0, 201);
    let (status, body) = post("/predictions", json!({"version": "acme/model", "input": {}})).await;
    assert_eq!((status, &body["title"]), (422, &json!("Invalid version or not permitted")));
    let hex = "0123456789abcdef".repeat(4);
    let (status, body) =
        post("/predictions", json!({"version": format!("any/one:{hex}"), "input": {}})).await;
    assert_eq!((status, &body["model"], &body["version"]), (201, &json!("any/one"), &json!(hex)));
    assert_eq!(bench.get(&format!("/models/any/one/versions/{hex}")).await.0, 200);
    let (status, body) = post("/predictions", json!({"version": bench.version, "input": {"width": 1}})).await;
    assert_eq!((status, &body["title"]), (422, &json!("Input validation failed")));
    let fields: Vec<_> = body["invalid_fields"].as_array().unwrap().iter().map(|f| &f["type"]).collect();
    assert_eq!(fields, ["required", "number_gte"]);
    let (status, _) = post("/predictions", json!({"version": hex, "input": {}, "inputs": {}})).await;
    assert_eq!(status, 422, "the top level takes no other keys");
    assert_eq!(bench.get("/trainings").await.0, 404);
    assert_eq!(bench.get("/nowhere").await.0, 404);
}

#[tokio::test]
async fn a_new_version_comes_and_the_old_one_goes() {
    let bench = Bench::start(|_| {}).await;
    let newer = VersionSettings { id: "f".repeat(64), schema: schema::plain() };
    assert!(bench.sandbox.publish("acme", "model", newer));
    bench.sandbox.withdraw("acme", "model", &bench.version);
    let (_, model) = bench.get("/models/acme/model").await;
    assert_eq!(model["latest_version"]["id"], "f".repeat(64));
    assert_eq!(bench.create(&[]).await.unwrap().status(), 422);
}

#[tokio::test]
async fn an_instance_that_is_kept_up_is_never_cold() {
    let bench = Bench::start(|settings| {
        settings.deployments = vec![DeploymentSettings {
            owner: "acme".to_owned(),
            name: "up".to_owned(),
            model: "acme/model".to_owned(),
            version: None,
            min_instances: 1,
            conduct: settings.models[0].conduct.clone(),
        }];
    })
    .await;
    for path in ["/deployments/acme/up/predictions", "/models/official/llm/predictions"] {
        let body = json!({"input": {"prompt": "hi"}});
        let reply = bench.send(Method::POST, path, &[], Some(body)).await.unwrap();
        let seen = bench.follow(id(&reply.json().await.unwrap())).await;
        assert!(!bench.sandbox.truth().prediction(id(&seen)).unwrap().cold, "{path}");
    }
}

#[tokio::test]
async fn old_predictions_are_forgotten() {
    let bench = Bench::start(|settings| settings.keep = 3).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(bench.run(&[]).await);
    }
    assert_eq!(bench.get(&format!("/predictions/{}", id(&made[0]))).await.0, 404);
    assert_eq!(bench.get(&format!("/predictions/{}", id(&made[4]))).await.0, 200);
    assert_eq!(bench.get("/predictions").await.1["results"].as_array().unwrap().len(), 3);
    assert_eq!(bench.sandbox.truth().predictions.len(), 3);
}
