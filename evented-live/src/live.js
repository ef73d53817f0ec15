// Keeps a page equal to a set of live values: live('/events', {items: list(ul, card), me: show}, state => …)
const path = p => p.split('/').slice(1).map(k => k.replace(/~1/g, '/').replace(/~0/g, '~'))
const apply = (doc, ops) => {
  for (const { op, path: p, from, value } of ops) {
    if (!p) { doc = value; continue }
    const keys = path(p), key = keys.pop(), at = keys.reduce((o, k) => o[k], doc)
    if (op == 'replace') at[key] = value
    else {
      const row = op == 'add' ? value : at.splice(op == 'move' ? path(from).pop() : key, 1)[0]
      if (op != 'remove') at.splice(key, 0, row)
    }
  }
  return doc
}
export const live = (url, views, state = () => {}) => {
  const data = {}
  let last = '', wait = 500, source, timer
  const later = (f, ms) => { clearTimeout(timer); timer = setTimeout(f, ms) }
  const lost = () => {
    source.close()
    later(open, wait * (.5 + Math.random()))
    wait = Math.min(wait * 2, 3e4)
    if (last) state('stale')
  }
  const open = () => {
    source = new EventSource(url + (url.includes('?') ? '&' : '?') + 'last=' + last)
    source.onerror = lost
    const on = (name, f) => source.addEventListener(name, e => {
      later(lost, 4e4)
      wait = 500
      last = e.lastEventId || last
      f(JSON.parse(e.data))
    })
    on('state', state)
    const take = reset => sent => {
      const labels = reset ? { ...data, ...sent } : sent
      for (const l in labels) data[l] = reset ? sent[l] ?? null : apply(data[l], sent[l])
      for (const l in labels) try { views[l]?.(data[l], !reset && sent[l]) } catch (e) { reportError(e) }
      if (reset) state('live')
    }
    on('reset', take(1))
    on('patch', take(0))
    later(lost, 4e4)
  }
  state('connecting')
  open()
  return () => { clearTimeout(timer); source.close() }
}
export const list = (ul, render) => {
  let old = new Map
  return rows => {
    const next = new Map
    for (const row of rows ?? []) {
      const key = row.id ?? row
      next.set(next.has(key) ? {} : key, row)
    }
    for (const [key, [el]] of old) if (!next.has(key)) { el.remove(); old.delete(key) }
    // What has the focus would lose it on its way: the others move around it.
    const focus = [...ul.children].find(el => el.contains(document.activeElement))
    let at = ul.firstChild
    for (const [key, row] of next) {
      const [was, json] = old.get(key) ?? [], text = JSON.stringify(row)
      const el = text == json ? was : render(row, was)
      old.set(key, [el, text])
      if (was && was != el) {
        if (at === was) at = el
        was.replaceWith(el)
      }
      while (at && at != el && (el == focus || at.nextSibling == el && at != focus)) {
        const then = at.nextSibling
        ul.append(at)
        at = then
      }
      if (at == el) at = el.nextSibling
      else ul.insertBefore(el, at)
    }
  }
}
