//! Answers to the node's questions about credentials: everybody is called like the client
//! identifier and may do everything, unless the script has a rule for that identifier.

use super::fields::Fields;
use broker::access::{Manage, PermissionSets, Principal, Source};
use mqtt::reason::Reason;
use node::auth::{AuthOutcome, AuthRequest};
use std::collections::HashMap;
use std::sync::Arc;

/// Who may come in and what they may do.
#[derive(Default)]
pub struct Authority {
    sets: PermissionSets,
    rules: HashMap<String, Rule>,
}

/// The rule for one client identifier.
#[derive(Clone)]
enum Rule {
    Granted {
        name: String,
        publish: Vec<String>,
        subscribe: Vec<String>,
        expires: Option<u64>,
    },
    Refused {
        reason: u8,
        why: String,
    },
    /// No answer until another rule replaces this one.
    Held,
}

impl Authority {
    /// `principal a name=bob publish=x/#,y subscribe=# expires=60s`, `principal a refused=0x87
    /// why="..."`, `principal a held`. Gives the client identifier.
    pub fn rule(&mut self, text: &str, wall_ms: u64) -> String {
        let mut f = Fields::of(text);
        let client = f.bare().expect("principal CLIENT ...");
        let filters = |text: Option<String>| {
            let text = text.unwrap_or_else(|| "#".to_owned());
            text.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect()
        };
        let rule = if f.bare().as_deref() == Some("held") {
            Rule::Held
        } else if let Some(code) = f.text("refused") {
            let digits = code.strip_prefix("0x").expect("refused=0x87");
            let reason = u8::from_str_radix(digits, 16).expect("refused=0x87");
            Rule::Refused { reason, why: f.text("why").unwrap_or_default() }
        } else {
            Rule::Granted {
                name: f.text("name").unwrap_or_else(|| client.clone()),
                publish: filters(f.text("publish")),
                subscribe: filters(f.text("subscribe")),
                expires: f.text("expires").map(|t| wall_ms + super::script::milliseconds(&t)),
            }
        };
        f.end();
        self.rules.insert(client.clone(), rule);
        client
    }

    /// The answer to a request; `None` while it is held back.
    pub fn answer(&self, request: &AuthRequest) -> Option<AuthOutcome> {
        let rule = self.rules.get(&request.client_id).cloned().unwrap_or(Rule::Granted {
            name: request.client_id.clone(),
            publish: vec!["#".to_owned()],
            subscribe: vec!["#".to_owned()],
            expires: None,
        });
        match rule {
            Rule::Held => None,
            Rule::Refused { reason, why } => Some(AuthOutcome::Refused {
                reason: Reason::from_code(reason).expect("a listed reason"),
                why,
                rule: "script",
            }),
            Rule::Granted { name, publish, subscribe, expires } => {
                Some(AuthOutcome::Granted(self.principal(&name, publish, subscribe, expires)))
            }
        }
    }

    /// A principal with these rights.
    pub fn principal(
        &self,
        name: &str,
        publish: Vec<String>,
        subscribe: Vec<String>,
        expires_at_ms: Option<u64>,
    ) -> Arc<Principal> {
        let permissions = self.sets.intern(publish, subscribe, Manage::No);
        let source = Source::Token;
        Arc::new(Principal { name: name.into(), permissions, expires_at_ms, source })
    }
}
