//! MQTT over WebSocket with clients that others wrote: paho, mqtt.js in Node, a page in Chromium.
use crate::accept::{connect, publish, receive, subscribe, tls, with};
use e2e::browser::Browser;
use e2e::raw::{Raw, publish as raw_publish, subscribe as raw_subscribe};
use e2e::{Foreign, Options, Script, Server, javascript, paho};
use serde_json::{Value, json};

/// A CONNECT over `wss`, the server's certificate checked, the token as password.
fn wss(server: &Server, version: u8, client_id: &str, path: &str) -> Value {
    let url = server.text("wss");
    let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next());
    let port: u16 = port.and_then(|p| p.parse().ok()).expect("a port");
    let more = json!({"port": port, "path": path, "user": "any", "password": server.token()});
    with(tls(server, version, client_id), more)
}

fn every_qos_and_size(client: fn() -> Script) {
    let server = Server::start(&Options::with(&["--reactors", "2"]));
    for version in [4, 5] {
        let (mut sender, mut hearer) = (client(), client());
        connect(&mut sender, &wss(&server, version, "sender", "/mqtt"));
        connect(&mut hearer, &wss(&server, version, "hearer", "/$iothub/websocket"));
        for qos in 0..3 {
            let topic = format!("wss/{qos}");
            subscribe(&mut hearer, &topic, qos);
            publish(&mut sender, &topic, "a", qos);
            let message = receive(&mut hearer);
            assert_eq!((&message["payload"], &message["qos"]), (&json!("a"), &json!(qos)));
        }
        // A packet over several frames of ours, and of mqtt.js.
        let large = json!({"do": "publish", "topic": "wss/1", "payload": "0123456789", "qos": 1});
        sender.ask(&with(large, json!({"times": 20_000})));
        let payload = receive(&mut hearer)["payload"].clone();
        assert!(payload == "0123456789".repeat(20_000), "200,000 bytes arrive");
        sender.ask(&json!({"do": "disconnect"}));
        hearer.ask(&json!({"do": "disconnect"}));
    }
}

#[test]
fn paho_over_wss() {
    if Foreign::Paho.ready() {
        every_qos_and_size(paho);
    }
}

#[test]
fn mqtt_js_over_wss() {
    if Foreign::MqttJs.ready() {
        every_qos_and_size(javascript);
    }
}

#[test]
fn a_planned_stop_reaches_them() {
    if !Foreign::Paho.ready() || !Foreign::MqttJs.ready() {
        return;
    }
    let mut server = Server::new();
    let mut clients = [paho(), javascript()];
    for (n, client) in clients.iter_mut().enumerate() {
        connect(client, &wss(&server, 5, &format!("c{n}"), "/"));
    }
    server.terminate();
    for client in &mut clients {
        let answer = client.ask(&json!({"do": "closed"}));
        assert_eq!((&answer["reason"], &answer["by_packet"]), (&json!(0x8B), &json!(true)));
    }
    assert_eq!(server.ended().code(), Some(0), "{}", server.said().join("\n"));
}

#[test]
fn a_page_publishes_and_receives() {
    if !Foreign::Chromium.ready() {
        return;
    }
    let server = Server::start(&Options::with(&["--reactors", "2"]));
    let mut raw = Raw::v5(&server, "beside");
    raw.send(&raw_subscribe(1, "from/page", 0));
    assert_eq!(raw.packet().0, 0x90);
    let parameters = json!({"wss": server.text("wss"), "token": server.token()});
    let browser = Browser::open("browser.html", &parameters);
    // A browser's start takes its time: the page says when it has published.
    assert_eq!(browser.result(), json!("published"));
    let (first, body) = raw.packet();
    assert_eq!(first, 0x30);
    assert!(body.ends_with(b"hello from a page"), "{body:02x?}");
    raw.send(&raw_publish(0x32, "to/page", 9, Some(&[]), b"hello, page"));
    let heard = json!({"topic": "to/page", "payload": "hello, page", "qos": 1});
    assert_eq!(browser.result(), heard);
    let mqtt = json!({"protocol": "mqtt", "extensions": ""});
    let end = |code: u16, clean: bool| with(mqtt.clone(), json!({"code": code, "clean": clean}));
    assert_eq!(browser.result(), end(1003, true), "text is refused");
    assert_eq!(browser.result(), end(4001, true), "the page's close is echoed");
    assert_eq!(browser.result(), json!({"code": 1006, "clean": false}), "no subprotocol");
}
