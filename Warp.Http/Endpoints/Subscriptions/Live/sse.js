// Reads server-sent events (WHATWG HTML, 9.2) by fetch. EventSource sends no key, can't begin behind an id that an earlier connection
// brought, does not say why it was refused, and hides the comments by which a silent stream shows that it stands.

const RETRY_MS = 1000;
const RETRY_MS_MAX = 15000;
const SILENCE_MS_MAX = 45000; // three of the heartbeats that the service sends by default

/**
 * A parser that is fed text in pieces of any size.
 * @param {(message: { event: string, data: string, id: string }) => void} onMessage
 * @param {(id: string) => void} onId where the stream stands now, whether a message came with it or not
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
      if (id) onId(id);
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
 * A stream of events that comes back when it breaks, behind the last id that came.
 * @param {{ url: string, key: string, lastId?: string, onMessage: (message: { event: string, data: string, id: string }) => void,
 *   onState: (state: 'open' | 'reconnecting' | 'refused', problem?: { title: string, status?: number, detail?: string, errors?: object }) => void }} options
 * @returns {{ lastId: string, close: () => void }}
 */
export function open({ url, key, lastId = '', onMessage, onState }) {
  let connection; // the AbortController of the connection that stands, or is tried
  let heardAt = 0;
  let delay = RETRY_MS;
  let timer = 0;
  let isClosed = false;

  const message = m => {
    if (isClosed) return;
    delay = RETRY_MS;
    onMessage(m);
  };

  /** One connection, until it ends. */
  async function read(signal) {
    const headers = { Accept: 'text/event-stream' };
    if (key) headers.Authorization = `Bearer ${key}`;
    if (lastId) headers['Last-Event-ID'] = lastId;
    const answer = await fetch(url, { headers, cache: 'no-store', signal });
    if (!answer.ok) {
      const problem = { title: `HTTP ${answer.status}`, ...await answer.json().catch(() => null), status: answer.status };
      if (isClosed) return;
      if (answer.status >= 500 || answer.status === 429) {
        delay = Math.max(delay, 1000 * answer.headers.get('Retry-After') || 0);
        throw new Error(problem.title);
      }

      close();
      onState('refused', problem);
      return;
    }

    if (!answer.headers.get('Content-Type')?.startsWith('text/event-stream')) throw new Error('the answer is not a stream of events');
    onState('open');
    const feed = parser(message, id => { lastId = id; });
    const text = new TextDecoder('utf-8', { ignoreBOM: true });
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heardAt = Date.now();
      feed(text.decode(value, { stream: true }));
    }
  }

  async function connect() {
    connection = new AbortController();
    heardAt = Date.now();
    let why = '';
    try {
      await read(connection.signal);
    } catch (error) {
      why = (connection.signal.reason ?? error).message;
    }

    if (isClosed) return;
    connection.abort(); // what was not read to its end would stay open
    onState('reconnecting', { title: why });
    timer = setTimeout(connect, delay);
    delay = Math.min(delay * 2, RETRY_MS_MAX);
  }

  // By the clock, which goes on while the computer sleeps, as a timer does not.
  const watch = setInterval(() => {
    if (Date.now() - heardAt > SILENCE_MS_MAX) connection.abort(new Error(`nothing came for ${SILENCE_MS_MAX / 1000} s`));
  }, 1000);

  function close() {
    isClosed = true;
    clearTimeout(timer);
    clearInterval(watch);
    connection.abort();
  }

  connect();
  return { get lastId() { return lastId; }, close };
}
