// Sends commands. Their effect comes with the events of the page, as everybody else's does.

// The headers and the text of an answer; a server that cannot be reached has the status 0.
export const send = async (method, path, body, revision) => {
  const headers = {}
  if (body) headers['content-type'] = 'application/json'
  if (revision) headers['if-match'] = `"${revision}"`
  try {
    const answer = await fetch(path + location.search, { method, headers, body: body && JSON.stringify(body) })
    const made = Number(answer.headers.get('etag')?.replaceAll('"', ''))
    return { ok: answer.ok, status: answer.status, made, text: await answer.text() }
  } catch {
    return { ok: false, status: 0, text: 'The server cannot be reached. What you typed is kept.' }
  }
}

// Tells what went wrong, where no card does.
export const say = text => { document.querySelector('#says').textContent = text }

// Sends what is in a form. Its text is cleared when it was accepted, unless more was typed meanwhile.
export const submits = (form, request, failed = say) => {
  form.addEventListener('submit', async event => {
    event.preventDefault()
    const input = form.querySelector('input'), typed = input.value
    const answer = await request(typed)
    failed(answer.ok ? '' : answer.text, answer)
    if (answer.ok && input.value == typed) form.reset()
  })
}
