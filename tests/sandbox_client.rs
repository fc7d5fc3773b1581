//! The official Python clients judge the sandbox: what they can't use is not Replicate.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails that it does not test")]

#[path = "python/mod.rs"]
mod python;

use python::{python_with, text};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use warmd::sandbox::{
    AccountSettings, Conduct, Credit, DeploymentSettings, Kind, ModelSettings, Sandbox, Settings, Spread,
    VersionSettings, schema,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_takes_it_for_replicate() {
    judge("replicate==1.0.7", "client_1.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_beta_of_the_next_client_takes_it_for_replicate() {
    judge("replicate==2.0.0b4", "client_2.py").await;
}

async fn judge(package: &'static str, script: &'static str) {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let settings = settings();
    let version = settings.models[0].versions[0].id.clone();
    let sandbox = Sandbox::start(listener, settings).unwrap();
    let origin = format!("http://{}", sandbox.addr());
    let output = tokio::task::spawn_blocking(move || {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replicate_client");
        Command::new(python_with(package))
            .arg("-B")
            .arg(scripts.join(script))
            .env("SANDBOX_ORIGIN", origin)
            .env("IMAGES_VERSION", version)
            .env_remove("REPLICATE_API_TOKEN")
            .env_remove("REPLICATE_BASE_URL")
            .env("REPLICATE_POLL_INTERVAL", "0.05")
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    sandbox.stop().await;
    assert!(output.status.success(), "{}", text(&output));
}

fn settings() -> Settings {
    let quick = Conduct {
        boot: Spread::millis(100, 300),
        wait: Spread::millis(1, 5),
        predict: Spread::millis(2, 10),
        ..Conduct::default()
    };
    let slow = Conduct { predict: Spread::fixed(Duration::from_mins(10)), slots: 10, ..quick.clone() };
    let broken = Conduct { fails: Some("CUDA out of memory".to_owned()), ..quick.clone() };
    let mut images = ModelSettings::new("acme", "images", quick.clone()).schema(&schema::images());
    images.versions.push(VersionSettings { id: "b".repeat(64), schema: schema::images() });
    images.example = serde_json::json!({"prompt": "an astronaut"}).as_object().cloned();
    let account = |token: &str, credit| AccountSettings { token: token.to_owned(), credit };
    Settings {
        models: vec![
            images,
            ModelSettings::new("acme", "text", quick.clone()).schema(&schema::text()),
            ModelSettings::new("acme", "slow", slow),
            ModelSettings::new("acme", "broken", broken),
            ModelSettings::new("acme", "secret", quick.clone()).kind(Kind::Private),
            ModelSettings::new("official", "chat", quick.clone())
                .schema(&schema::text())
                .kind(Kind::Official),
        ],
        deployments: vec![DeploymentSettings {
            owner: "acme".to_owned(),
            name: "app".to_owned(),
            model: "acme/text".to_owned(),
            version: None,
            min_instances: 0,
            conduct: quick,
        }],
        others: None,
        accounts: vec![
            account("good", Credit::Good),
            account("poor", Credit::None),
            account("low", Credit::Low),
        ],
        ..Settings::default()
    }
}
