// The element of an item: its title, its tags, its last comments, and what can be done with it.
import { list } from '/live.js'
import { open } from '/history.js'
import { say, send, submits } from '/send.js'

const make = tag => document.createElement(tag)
const time = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

const comment = (row, old) => {
  const li = old ?? make('li')
  if (!old) {
    li.append(make('b'), make('time'), make('div'))
    li.children[1].dateTime = row.at
    li.children[1].textContent = time.format(new Date(row.at))
  }
  li.firstChild.textContent = row.author?.name ?? 'somebody'
  li.lastChild.textContent = row.text
  return li
}

const tag = path => (row, old) => {
  const li = old ?? make('li')
  if (!old) {
    const button = make('button')
    button.textContent = '×'
    button.addEventListener('click', async () => {
      const answer = await send('DELETE', `${path}/tags/${row.id}`)
      // Somebody else may have taken it.
      if (!answer.ok && answer.status != 404) say(answer.text)
    })
    li.append(make('span'), button)
  }
  li.firstChild.textContent = row.name
  li.lastChild.setAttribute('aria-label', `Remove the tag ${row.name}`)
  return li
}

// A change names the revision that the page shows. The next one waits until the page shows what this one made, so that nobody's
// own clicks conflict.
const changes = card => {
  let before = Promise.resolve(), shown = () => {}
  card.addEventListener('shown', () => shown())
  return (method, path, body, revision) => {
    const change = async () => {
      const answer = await send(method, path, body, revision ?? card.row.revision)
      if (answer.ok && answer.made) {
        await new Promise(done => {
          shown = () => { if (card.row.revision >= answer.made || !card.isConnected) done() }
          setTimeout(done, 5000)
          shown()
        })
      }
      return answer
    }
    return before = before.then(change)
  }
}

const neighbour = (card, step) => step < 0
  ? card.previousElementSibling?.dataset.id
  : card.nextElementSibling?.nextElementSibling?.dataset.id

// Renaming starts from a revision: what others write meanwhile is not overwritten unseen.
const renames = (card, path, change, tell) => {
  const form = card.querySelector('.rename'), input = form.querySelector('input')
  let from
  const show = is => {
    form.hidden = !is
    card.querySelector('header').hidden = is
  }
  card.querySelector('[data-do=edit]').addEventListener('click', () => {
    from = card.row.revision
    show(true)
    input.value = card.row.title
    input.select()
  })
  card.querySelector('[data-do=cancel]').addEventListener('click', () => {
    tell('')
    show(false)
  })
  form.addEventListener('submit', async event => {
    event.preventDefault()
    const answer = await change('PUT', `${path}/title`, { title: input.value }, from)
    if (answer.status == 412) {
      from = card.row.revision
      tell(`Somebody else has changed this item. Its title is now “${card.row.title}”. Your text is kept: save again to use it.`)
    } else {
      tell(answer.ok ? '' : answer.text)
      if (answer.ok) show(false)
    }
  })
}

// Connects the controls of a new card.
const connect = (card, path) => {
  const conflict = card.querySelector('.conflict')
  const tell = text => {
    conflict.textContent = text
    conflict.hidden = !text
  }
  const change = changes(card)
  const told = answer => tell(answer.ok ? '' : answer.status == 404 ? 'This item is gone.' : answer.text)
  const move = async (state, before) => {
    told(await change('PUT', `${path}/place`, { state, before }))
    card.querySelector('select').value = card.row.state
  }
  renames(card, path, change, tell)
  submits(card.querySelector('form.comment'), text => send('POST', `${path}/comments`, { text }), tell)
  submits(card.querySelector('form.tag'), name => send('POST', `${path}/tags`, { name }), tell)
  const click = (what, act) => card.querySelector(`[data-do=${what}]`).addEventListener('click', act)
  click('history', () => open(card.row))
  click('delete', async () => {
    if (confirm(`Delete “${card.row.title}”?`)) told(await change('DELETE', path))
  })
  click('up', () => card.previousElementSibling && move(card.row.state, neighbour(card, -1)))
  click('down', () => card.nextElementSibling && move(card.row.state, neighbour(card, 1)))
  card.querySelector('select').addEventListener('change', event => move(event.target.value))
  card.move = move
  card.querySelector('header').addEventListener('dragstart', event => {
    event.dataTransfer.setData('text/plain', card.dataset.id)
    event.dataTransfer.setDragImage(card, 20, 20)
    card.classList.add('dragged')
  })
  card.addEventListener('dragend', () => card.classList.remove('dragged'))
}

const create = id => {
  const card = document.querySelector('#card').content.firstElementChild.cloneNode(true)
  const path = `/items/${id}`
  card.dataset.id = id
  // The lists of the card keep the elements of their own rows.
  card.comments = list(card.querySelector('.comments'), comment)
  card.tags = list(card.querySelector('.tags'), tag(path))
  for (const button of card.querySelectorAll('button[title]')) button.setAttribute('aria-label', button.title)
  connect(card, path)
  return card
}

// Returns the element of an item: a new one, or the one from before with what has changed.
export const card = (row, old) => {
  const card = old ?? create(row.id)
  card.row = row
  card.querySelector('.title').textContent = row.title
  card.querySelector('select').value = row.state
  card.comments(row.comments)
  card.tags(row.tags)
  card.dispatchEvent(new Event('shown'))
  return card
}
