// The page: three columns of cards, which follow the events of the server.
import { list, live } from '/live.js'
import { card } from '/card.js'
import { send, submits } from '/send.js'

const $ = selector => document.querySelector(selector)

// A card is one element as long as its item is on the board, in whichever column.
const cards = new Map

const column = name => {
  const section = $(`section[data-state=${name}]`)
  const render = (row, old) => {
    const element = card(row, old ?? cards.get(row.id))
    cards.set(row.id, element)
    return element
  }
  return { section, rows: [], ids: new Set, show: list(section.querySelector('.cards'), render) }
}
const columns = { todo: column('todo'), doing: column('doing'), done: column('done') }

// Draws all columns at once. An item that changes its column leaves the first before it enters the other. An element that is
// taken out of the document loses the focus, and gets it again at its new place.
const draw = () => {
  const focused = document.activeElement, all = Object.values(columns)
  for (const { rows, ids, show } of all) show(rows.filter(row => ids.has(row.id)))
  for (const column of all) {
    column.show(column.rows)
    column.ids = new Set(column.rows.map(row => row.id))
    column.section.querySelector('.count').textContent = column.rows.length
  }
  for (const id of cards.keys()) if (!all.some(({ ids }) => ids.has(id))) cards.delete(id)
  if (focused != document.activeElement && focused.isConnected) focused.focus()
}

// The labels of an event come one by one; they are drawn when all have come.
let waits = false
const takes = name => rows => {
  columns[name].rows = rows ?? []
  if (!waits) queueMicrotask(() => { waits = false; draw() })
  waits = true
}

const name = (row, old) => {
  const option = old ?? document.createElement('option')
  option.value = row.name
  return option
}

live('/events' + location.search, {
  org: org => { $('#org').textContent = document.title = org?.name ?? '' },
  me: me => { if (document.activeElement != $('#my-name')) $('#my-name').value = me?.name ?? '' },
  tags: list($('#tag-names'), name),
  todo: takes('todo'),
  doing: takes('doing'),
  done: takes('done'),
}, state => { $('#state').textContent = $('#state').dataset.state = state })

$('#me').addEventListener('submit', async event => {
  event.preventDefault()
  const answer = await send('PUT', '/me', { name: $('#my-name').value })
  $('#says').textContent = answer.ok ? '' : answer.text
  if (answer.ok) $('#my-name').blur()
})

for (const { section } of Object.values(columns)) {
  const { state } = section.dataset
  submits(section.querySelector('.add'), title => send('POST', '/items', { title, state }))
  section.addEventListener('dragover', event => {
    event.preventDefault()
    section.classList.add('target')
  })
  section.addEventListener('dragleave', event => {
    if (!section.contains(event.relatedTarget)) section.classList.remove('target')
  })
  section.addEventListener('drop', event => {
    event.preventDefault()
    section.classList.remove('target')
    const moved = cards.get(event.dataTransfer.getData('text/plain'))
    // Before the first card whose middle is below the pointer.
    const below = ({ top, height }) => event.clientY < top + height / 2
    const before = [...section.querySelectorAll('.card')].find(it => it != moved && below(it.getBoundingClientRect()))
    moved?.move(state, before?.dataset.id)
  })
}
