// The history of an item, in a dialog. It is loaded when it is opened.

const make = (tag, text) => Object.assign(document.createElement(tag), { textContent: text ?? '' })
const time = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

const actions = { insert: 'added it', rename: 'renamed it', move: 'moved it', delete: 'deleted it' }
const fields = { title: 'Title', state: 'Column', rank: 'Position' }
const states = { todo: 'To do', doing: 'Doing', done: 'Done' }

const shown = (field, value) => field == 'state' ? states[value] ?? String(value) : String(value)

// A field that the page does not show is not in the diff, either.
const change = ({ field, before, after }) => {
  if (!fields[field]) return []
  const value = make('dd')
  if (before !== null) value.append(make('del', shown(field, before)), ' → ')
  value.append(make('ins', after === null ? 'nothing' : shown(field, after)))
  return [make('dt', fields[field]), value]
}

const entry = told => {
  const li = make('li'), what = make('p'), at = make('time', time.format(new Date(told.at))), diff = make('dl')
  at.dateTime = told.at
  what.append(make('b', told.actor ?? 'somebody'), make('span', actions[told.action] ?? told.action), at)
  diff.append(...told.changes.flatMap(change))
  li.append(what, diff)
  return li
}

export const open = async row => {
  const dialog = document.querySelector('#history'), events = dialog.querySelector('.events')
  dialog.querySelector('h2').textContent = `History of “${row.title}”`
  events.replaceChildren(make('li', 'Loading …'))
  dialog.showModal()
  try {
    const answer = await fetch(`/items/${row.id}/history${location.search}`)
    if (answer.ok) events.replaceChildren(...(await answer.json()).map(entry))
    else events.replaceChildren(make('li', await answer.text()))
  } catch {
    events.replaceChildren(make('li', 'The server cannot be reached.'))
  }
}
