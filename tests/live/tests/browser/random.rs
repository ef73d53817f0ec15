//! Users who do something at random: in a page, by its forms and buttons, or by requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::Window;
use crate::server::Requests;

/// Numbers that look random.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Uses the page this many times. What is written has the text in it.
const USE: &str = r"
    const [rounds, text] = arguments
    const any = list => [...list][Math.floor(Math.random() * list.length)]
    const below = end => Math.floor(Math.random() * end)
    const send = (form, value) => { form.querySelector('input').value = value; form.requestSubmit() }
    window.confirm = () => true
    window.used = false
    const use = async () => {
        for (let round = 0; round < rounds; round++) {
            const card = any(document.querySelectorAll('.card')), what = card ? below(10) : 0
            const says = `${text} ${round}`
            if (what < 2) send(any(document.querySelectorAll('.add')), says)
            else if (what < 4) send(card.querySelector('.comment'), says)
            else if (what == 4) send(card.querySelector('.tag'), `${text} ${below(5)}`)
            else if (what == 5) card.querySelector('.tags button')?.click()
            else if (what == 6) {
                card.querySelector('[data-do=edit]').click()
                await new Promise(done => setTimeout(done, below(20)))
                send(card.querySelector('.rename'), says)
            } else if (what == 7) {
                const select = card.querySelector('select')
                select.value = any(['todo', 'doing', 'done'])
                select.dispatchEvent(new Event('change'))
            } else if (what == 8) card.querySelector(any(['[data-do=up]', '[data-do=down]'])).click()
            else if (below(3) == 0) card.querySelector('[data-do=delete]').click()
            await new Promise(done => setTimeout(done, below(40)))
        }
        window.used = true
    }
    use()";

impl Window {
    /// Begins to use the page.
    pub(crate) async fn is_used(&self, rounds: u32, text: &str) {
        self.run(USE, &[json!(rounds), json!(text)]).await;
    }

    pub(crate) async fn was_used(&self) {
        self.until("it was used", "return window.used").await;
    }
}

/// Writes until the flag is set, also while the server is down, and returns the titles that were acknowledged.
pub(crate) async fn write(
    board: Requests,
    token: &'static str,
    seed: u64,
    ends: Arc<AtomicBool>,
) -> Vec<String> {
    let (mut random, mut titles, mut paths) = (Random(seed), Vec::new(), Vec::<String>::new());
    let mut number = 0;
    while !ends.load(Ordering::Relaxed) {
        number += 1;
        let text = format!("{token} {number}");
        let path = paths.get(usize::try_from(random.below(paths.len().max(1) as u64)).unwrap());
        let (what, path) = (random.below(12), path.cloned().unwrap_or_default());
        let state = ["todo", "doing", "done"][usize::try_from(random.below(3)).unwrap()];
        let send = async |method: &str, path: String, body: Value, revision: i64| {
            board.send(method, &path, token, body, revision).await
        };
        let answer = match what {
            0 => {
                let added = send("POST", "/items".into(), json!({ "title": text, "state": state }), 0).await;
                if let Some((status, item)) = &added
                    && status.is_success()
                {
                    titles.push(text);
                    paths.push(format!("/items/{}", item["id"].as_str().unwrap()));
                }
                added
            }
            // Some name a revision that is not the last.
            1..4 => {
                let revision = i64::try_from(random.below(4)).unwrap() + 1;
                send("PUT", format!("{path}/place"), json!({ "state": state }), revision).await
            }
            4..6 => send("POST", format!("{path}/tags"), json!({ "name": text }), 0).await,
            _ => send("POST", format!("{path}/comments"), json!({ "text": text }), 0).await,
        };
        let pause = if answer.is_some() { 5 } else { 50 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    titles
}
