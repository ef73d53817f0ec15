// Keeps a page equal to a set of live values: live('/events', {items: list(ul, card), me: show}, state => …)
const path = p => p.split('/').slice(1).map(k => k.replace(/~1/g, '/').replace(/~0/g, '~'))
const apply = (doc, ops) => {
  for (const { op, path: p, from, value } of ops) {
    if (!p) { doc = value; continue }
    const keys = path(p), key = keys.pop(), at = keys.reduce((o, k) => o[k], doc)
    if (op == 'replace') at[key] = value
    else if (op == 'add') at.splice(key, 0, value)
    else {
      const row = at.splice(op == 'move' ? path(from)[0] : key, 1)[0]
      if (op == 'move') at.splice(key, 0, row)
    }
  }
  return doc
}
export const live = (url, views, state = () => {}) => {
  const data = {}
  let last = '', wait = 500, source, timer, ended
  const later = (f, ms) => { clearTimeout(timer); timer = setTimeout(f, ms) }
  const lost = () => {
    source.close()
    if (ended) return
    state('stale')
    later(open, wait * (.5 + Math.random()))
    wait = Math.min(wait * 2, 3e4)
  }
  const open = () => {
    last || state('connecting')
    source = new EventSource(url + (url.includes('?') ? '&' : '?') + 'last=' + last)
    source.onerror = lost
    const on = (name, f) => source.addEventListener(name, e => {
      later(lost, 4e4)
      wait = 500
      last = e.lastEventId || last
      f(JSON.parse(e.data))
    })
    on('state', state)
    for (const name of ['reset', 'patch']) on(name, labels => {
      for (const l in labels) {
        const ops = name == 'patch' && labels[l]
        data[l] = ops ? apply(data[l], ops) : labels[l]
        views[l]?.(data[l], ops)
      }
      if (name == 'reset') state('live')
    })
    later(lost, 4e4)
  }
  open()
  return () => { ended = 1; clearTimeout(timer); source.close() }
}
export const list = (ul, render) => {
  let old = new Map
  return rows => {
    const next = new Map
    let at = ul.firstChild
    for (const row of rows) {
      const key = row.id ?? row, [was, json] = old.get(key) ?? [], text = JSON.stringify(row)
      const el = text == json ? was : render(row, was)
      next.set(key, [el, text])
      old.delete(key)
      if (was && was != el) was.replaceWith(el)
      if (at === was) at = el
      if (el == at) at = at.nextSibling
      else ul[el == was && ul.moveBefore ? 'moveBefore' : 'insertBefore'](el, at)
    }
    for (const [el] of old.values()) el.remove()
    old = next
  }
}
