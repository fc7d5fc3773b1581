//! Servers and receivers that repeat what they, or others, were sent as a secret: in every form, wherever they may put
//! words.

use crate::faults::network::peer::Peer;
use crate::leak::{self, BOX_TOKEN, HOOK, RECEIVER_TOKEN, TOKEN, forms};
use crate::support::{Home, text};
use crate::web::{self, get, home_at};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use serde_json::json;
use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// Stands in an answer for what is repeated there.
const HERE: &str = "HERE";

/// What the server answers with, and what it repeats.
#[derive(Clone, Default)]
struct Turn {
    kind: &'static str,
    says: String,
}

/// A Cog server, Replicate's API and a receiver of alerts at once.
#[derive(Clone, Default)]
struct Parrot(Arc<Mutex<Turn>>);

impl Parrot {
    fn start(&self, runtime: &Runtime) -> SocketAddr {
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(repeat).with_state(self.clone());
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        address
    }

    fn turns(&self, kind: &'static str, says: String) {
        *self.0.lock().unwrap() = Turn { kind, says };
    }
}

async fn repeat(
    State(parrot): State<Parrot>,
    request: Request,
) -> (StatusCode, [(header::HeaderName, String); 1], String) {
    let Turn { kind, says } = parrot.0.lock().unwrap().clone();
    let (status, body) = answer(kind, request.method() == "POST", request.uri().path());
    let location = format!("/{}", says.chars().filter(char::is_ascii_graphic).collect::<String>());
    (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, location)], body.replace(HERE, &says))
}

fn answer(kind: &str, is_post: bool, path: &str) -> (u16, String) {
    if path.starts_with("/services") {
        let status = kind.parse().ok().filter(|status| *status >= 300).unwrap_or(401);
        return (status, format!("Authorization: Bearer {HERE} is not for {path}"));
    }
    let words = format!("no {HERE}, nor\r\n{HERE}");
    if let Ok(status) = kind.parse() {
        let refusal = json!({"title": words, "detail": words, "error": words, "status": words, "errors": [words],
            "message": words, "invalid_fields": [{"field": words, "description": words}]});
        return (status, refusal.to_string());
    }
    if !is_post && path.ends_with("/health-check") {
        let failed = kind == "setup";
        let health = json!({"status": if failed { "SETUP_FAILED" } else { "READY" },
            "user_healthcheck_error": words, "version": {"coglet": words, "python_sdk": words},
            "setup": {"started_at": "2026-11-20T08:00:00+00:00", "completed_at": "2026-11-20T08:00:01+00:00",
                      "status": if failed { "failed" } else { "succeeded" }, "logs": words}});
        return (200, health.to_string());
    }
    if !is_post && kind == "schema" {
        // Its names are kept, with what was learned of the inputs.
        let fields = json!({HERE: {"type": "string", "title": words}, format!("{HERE}_steps"): {"type": "integer", "default": 50}});
        let schema = json!({"components": {"schemas": {"Input": {"type": "object", "properties": fields, "required": [HERE]}}}});
        let version = json!({"id": words, "openapi_schema": schema});
        let whole = json!({"openapi_schema": schema, "latest_version": version, "components": schema["components"],
            "default_example": {"input": {HERE: words}}});
        return (200, whole.to_string());
    }
    let mut prediction = json!({"id": "p1", "model": words, "version": words, "status": "failed", "logs": words,
        "output": words, "input": {"prompt": words}, "created_at": "2026-11-20T08:00:00Z",
        "started_at": "2026-11-20T08:00:00Z", "completed_at": "2026-11-20T08:00:01Z",
        "metrics": {"predict_time": 1.0}, "urls": {"get": words, "cancel": words}});
    if kind == "many members" {
        for number in 0..1_500 {
            prediction[format!("member-{number}")] = "x".repeat(100).into();
        }
    }
    if kind == "a long list" {
        prediction["output"] = vec![0; 100_000].into();
    }
    // After all else: what comes before it must not keep it from being looked at.
    prediction["error"] = words.into();
    (if is_post { 201 } else { 200 }, prediction.to_string())
}

/// All that a person or a program may ask a daemon for.
fn look_everywhere(home: &Home, address: SocketAddr) {
    for arguments in
        [&["status", "--json"][..], &["status", "llama"], &["history", "--json"], &["check", "--online"]]
    {
        home.ctl(arguments);
    }
    for path in ["/", "/models/llama", "/models/box", "/metrics", "/v1/status"] {
        let told = get(address, path, "*/*");
        assert_eq!(leak::found(told.body.as_bytes()), None, "{path}");
    }
}

#[test]
fn whatever_repeats_a_secret_shows_none_of_it() {
    let runtime = Runtime::new().unwrap();
    let parrot = Parrot::default();
    let address = parrot.start(&runtime);
    let home = home_at("127.0.0.1:0", "");
    // Names that begin so hold secrets on purpose.
    let file = |name: &str, secret: &str| {
        fs::write(home.path(name), secret).unwrap();
        home.path(name).display().to_string()
    };
    let config = format!(
        "[replicate]\nbase_url = \"http://{address}/v1\"\ntoken_file = \"{}\"\n\
         [defaults]\nactive = [\"always\"]\ninterval = \"1d\"\ntimeout = \"10s\"\n\
         [models.llama]\nreplicate = \"acme/llama:{}\"\n\
         [models.writer]\ndeployment = \"acme/writer\"\n\
         [models.box]\ncog = \"http://{address}\"\ntoken_file = \"{}\"\n\
         [[alerts]]\nname = \"ops\"\nafter = 1\nwebhook_file = \"{}\"\ntoken_file = \"{}\"\n",
        file("token-replicate", TOKEN),
        "0".repeat(64),
        file("token-box", BOX_TOKEN),
        file("token-hook", &format!("http://{address}/services/{HOOK}?k=1")),
        file("token-receiver", RECEIVER_TOKEN),
    );
    let daemon = fs::read_to_string(home.config()).unwrap();
    home.write_whole(&format!("{daemon}{config}"));
    parrot.turns("failed", "nothing".to_owned());
    let warmd = home.start();
    let page = (std::net::Ipv4Addr::LOCALHOST, web::port(&warmd)).into();
    let kinds =
        ["failed", "setup", "schema", "many members", "a long list", "302", "401", "404", "422", "500"];
    let mut struck = 0;
    for (turn, secret) in [TOKEN, BOX_TOKEN, RECEIVER_TOKEN, HOOK].into_iter().enumerate() {
        for (number, (form, says)) in forms(secret).into_iter().enumerate() {
            // Each form meets each kind of answer with one secret or another.
            let of_this = kinds.iter().skip((turn + number) % 4).step_by(4);
            for kind in of_this {
                println!("{form} in {kind}");
                parrot.turns(kind, says.clone());
                for arguments in
                    [&["beat", "llama"][..], &["beat", "writer"], &["beat", "box"], &["alert", "test"]]
                {
                    let told = home.ctl(arguments);
                    let told = text(&[told.stdout, told.stderr].concat());
                    struck += usize::from(told.contains("[secret]"));
                }
            }
            look_everywhere(&home, page);
        }
    }
    // All these ways lead into messages, or the test shows nothing.
    println!("struck {struck} times");
    assert!(struck >= 100, "{struck}");
    assert!(warmd.stop().success());
}

/// The parts of a receiver's address are secrets, and may be words that servers use.
#[test]
fn a_webhook_that_is_named_like_the_words_of_servers_spoils_none_of_their_answers() {
    let (cog, replicate) = (Peer::start(), Peer::start());
    let home = Home::at_trace(&format!(
        "[replicate]\nbase_url = \"{}/v1\"\n[defaults]\nactive = [\"always\"]\ninterval = \"1s\"\n\
         [models.box]\ncog = \"{}\"\n[models.llama]\nreplicate = \"acme/llama\"\n\
         [[alerts]]\nwebhook = \"http://127.0.0.1:9/status/succeeded/started_at/metrics-predict_time/latest_version\"\n",
        replicate.url(),
        cog.url()
    ));
    let warmd = home.start();
    for (name, evidence) in [("box", "setup-time"), ("llama", "queue-wait")] {
        let model = home.model_when(name, "asked", |model| !model["last"].is_null());
        assert_eq!(
            (&model["last"]["outcome"], &model["last"]["evidence"]),
            (&"warm".into(), &evidence.into()),
            "{model}"
        );
    }
    assert!(warmd.stop().success());
}

/// A disabled model's token and a disabled alert's address are secrets of the process all the same.
#[test]
fn what_is_disabled_has_secrets_too() {
    let runtime = Runtime::new().unwrap();
    let parrot = Parrot::default();
    let address = parrot.start(&runtime);
    let home = Home::at_trace("");
    fs::write(home.path("token-box"), BOX_TOKEN).unwrap();
    fs::write(home.path("token-hook"), format!("http://{address}/services/{HOOK}")).unwrap();
    fs::write(home.path("token-receiver"), RECEIVER_TOKEN).unwrap();
    home.write(&format!(
        "[defaults]\nactive = [\"always\"]\ninterval = \"1d\"\n[models.llama]\ncog = \"http://{address}\"\n\
         [models.box]\nenabled = false\ncog = \"http://{address}\"\ntoken_file = \"{}\"\n\
         [[alerts]]\nname = \"ops\"\nenabled = false\nwebhook_file = \"{}\"\ntoken_file = \"{}\"\n",
        home.path("token-box").display(),
        home.path("token-hook").display(),
        home.path("token-receiver").display(),
    ));
    parrot.turns("failed", "nothing".to_owned());
    let warmd = home.start();
    for secret in [BOX_TOKEN, HOOK, RECEIVER_TOKEN] {
        parrot.turns("failed", secret.to_owned());
        // What these say is looked through for secrets.
        let beat = home.ctl(&["beat", "llama"]);
        let told = text(&[beat.stdout, beat.stderr].concat());
        assert!(told.contains("[secret]"), "{told}");
        parrot.turns("setup", secret.to_owned());
        let check = home.ctl(&["check", "--online"]);
        let told = text(&[check.stdout, check.stderr].concat());
        assert!(told.contains("[secret]"), "{told}");
    }
    assert!(warmd.stop().success());
}
