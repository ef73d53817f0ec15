//! What `list` of the served script does with the elements of its rows.

use serde_json::json;

use crate::browser::Browser;
use crate::server::Server;

/// Shows random rows of a list one after the other, and returns what is not as it should be. One row has the focus and is in each.
const SHOW: &str = "
    return import('/live.js').then(({ list }) => {
        if (!arguments[0]) delete Element.prototype.moveBefore
        const ul = document.body.appendChild(document.createElement('ul')), faults = []
        const show = list(ul, (row, old) => {
            const li = old ?? document.createElement('li')
            if (!old) li.append(document.createElement('input'), document.createElement('b'))
            li.lastChild.textContent = row.text
            return li
        })
        let seed = 7
        const below = most => (seed = (seed * 48271) % 2147483647) % most
        const row = id => ({ id, text: `${id} ${below(3)}` })
        const shuffled = rows => rows.map(row => [below(1e6), row]).sort(([a], [b]) => a - b).map(([, row]) => row)
        let rows = [...Array(10).keys()].map(row), elements = new Map
        for (let round = 0; round < 500; round++) {
            show(rows)
            const shown = [...ul.children].map(li => li.lastChild.textContent)
            const expected = rows.map(row => row.text)
            if (`${shown}` != `${expected}`) faults.push(`${round}: ${shown} and not ${expected}`)
            const now = new Map(rows.map(({ id }, at) => [id, ul.children[at]]))
            for (const [id, li] of now) if ((elements.get(id) ?? li) != li) faults.push(`${round}: ${id} has another element`)
            elements = now
            const input = now.get(4).firstChild
            if (round) {
                const { selectionStart: start, selectionEnd: end } = input
                if (document.activeElement != input || start != 2 || end != 5) faults.push(`${round}: the focus is lost`)
            }
            input.focus()
            input.value = 'half a sent'
            input.setSelectionRange(2, 5)
            rows = shuffled([...Array(16).keys()].filter(id => id == 4 || below(3)).map(row))
        }
        ul.remove()
        return faults.slice(0, 5)
    })";

/// Rows come, go and move around the one that has the focus, in browsers that can move a node with its state and in others.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_keeps_its_elements_and_the_focus() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start().await;
    for moves_nodes in [true, false] {
        let window = browser.open(&server.board.page("red")).await;
        window.is("live").await;
        assert_eq!(window.run(SHOW, &[json!(moves_nodes)]).await, json!([]), "{moves_nodes}");
        window.close().await;
    }
}
