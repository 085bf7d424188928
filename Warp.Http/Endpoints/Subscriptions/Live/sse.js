// Reads server-sent events (WHATWG HTML, 9.2) by fetch: EventSource sends no key, and tells nobody of an id that comes without data.

/**
 * A parser that is fed text in pieces of any size.
 * @param {(message: { event: string, data: string, id: string }) => void} onMessage
 * @param {(id: string) => void} [onId] called with the id that counts from here on, also where no message comes with it
 * @returns {(text: string) => void}
 */
export function parser(onMessage, onId = () => {}) {
  let rest = '';
  let id = '';
  let event = '';
  let data = null;
  let isFirst = true;
  let isAfterReturn = false; // a \n that follows belongs to the line's end that was seen already

  const take = line => {
    if (line === '') {
      onId(id);
      if (data !== null) onMessage({ event: event || 'message', data, id });
      event = '';
      data = null;
      return;
    }

    const colon = line.indexOf(':');
    if (colon === 0) return; // a comment
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'data') data = data === null ? value : data + '\n' + value;
    else if (field === 'event') event = value;
    else if (field === 'id' && !value.includes('\0')) id = value;
  };

  return text => {
    rest += text;
    if (isFirst && rest !== '') {
      isFirst = false;
      if (rest.startsWith('\ufeff')) rest = rest.slice(1);
    }

    let start = 0;
    for (let at = 0; at < rest.length; at++) {
      const c = rest[at];
      if (c === '\n' && isAfterReturn && at === start) start++;
      else if (c === '\n' || c === '\r') {
        take(rest.slice(start, at));
        start = at + 1;
      }

      isAfterReturn = c === '\r';
    }

    rest = rest.slice(start);
  };
}

/**
 * A stream of events that is opened again where it breaks, behind the id that came last. It tells what came, and whether the stream stands.
 * @param {{ url: string, key: string, onMessage: Function, onState: (state: string, text?: string, detail?: string) => void }} options
 * @returns {{ close: () => void }}
 */
export function open({ url, key, onMessage, onState }) {
  let lastId = '';
  let isClosed = false;
  let isOver = false; // the server said that nothing comes any more
  let timer = 0;
  let delay = 1000;
  let end = () => {};

  const message = m => {
    if (isClosed) return;
    delay = 1000;
    if (m.event === 'erased') isOver = true;
    onMessage(m);
    if (isOver) close();
  };

  const again = detail => {
    end();
    if (isClosed) return;
    onState('reconnecting', detail);
    timer = setTimeout(connect, delay);
    delay = Math.min(delay * 2, 15000);
  };

  async function connect() {
    if (isClosed) return;
    const abort = new AbortController();
    end = () => abort.abort();
    try {
      const headers = {
        Accept: 'text/event-stream',
        ...(key && { Authorization: `Bearer ${key}` }),
        ...(lastId && { 'Last-Event-ID': lastId }),
      };
      const answer = await fetch(url, { headers, cache: 'no-store', credentials: 'omit', signal: abort.signal });
      if (!answer.ok) {
        const problem = await answer.json().catch(() => ({}));
        if (answer.status < 500 && answer.status !== 429) {
          onState('refused', problem.title ?? `HTTP ${answer.status}`, problem.detail);
          return;
        }

        throw new Error(problem.title ?? `HTTP ${answer.status}`);
      }

      onState('open');
      const feed = parser(message, id => { lastId = id || lastId; });
      const text = new TextDecoder('utf-8', { ignoreBOM: true });
      const reader = answer.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        feed(text.decode(value, { stream: true }));
      }

      again('');
    } catch (error) {
      if (!isClosed && !abort.signal.aborted) again(error.message);
    }
  }

  function close() {
    isClosed = true;
    clearTimeout(timer);
    end();
  }

  connect();
  return { close };
}
