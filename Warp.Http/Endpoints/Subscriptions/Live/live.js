import { open } from './sse.js';

const ROWS_MAX = 500;
const PAYLOAD_CHARS_MAX = 2000;
const FILTERS = ['kind', 'entity', 'type', 'aggregate', 'start']; // fields of the form, and names in the page's address
const $ = id => document.getElementById(id);
const form = $('filters');
const field = name => form.elements.namedItem(name);

let stream = null;
let applied = null; // the filters that the stream has, whatever the form says since
let waiting = []; // the JSON of events that came since the last frame, or while paused: the newest ROWS_MAX
let received = 0;
let held = 0;
let isPaused = false;
let isFrameDue = false;
let recent = []; // events received in each of the last seconds

function filters() {
  return Object.fromEntries(FILTERS.map(name => [name, field(name).value.trim()]));
}

function address(f) {
  const query = new URLSearchParams();
  if (f.type) query.append('type', f.type);
  if (f.aggregate) query.append('aggregate', f.aggregate);
  if (f.entity) {
    const slash = f.entity.indexOf('/');
    if (f.start === 'beginning') query.append('from', '1');
    return `/v1/entities/${encodeURIComponent(f.entity.slice(0, slash))}/${encodeURIComponent(f.entity.slice(slash + 1))}/subscribe?${query}`;
  }

  if (f.kind) query.append('kind', f.kind);
  if (f.start === 'beginning') query.append('cursor', 'start');
  return `/v1/subscribe?${query}`;
}

function show(state, text) {
  $('status').dataset.state = state;
  document.body.dataset.state = state;
  $('status-text').textContent = text;
}

function note(text) {
  $('note').textContent = text;
  $('note').hidden = !text;
}

/** Applies what is in the form. */
function connect() {
  stream?.close();
  stream = null;
  applied = filters();
  remember(applied);
  $('all').hidden = !applied.entity;
  field('kind').disabled = applied.entity !== '';
  for (const name of FILTERS) field(name).removeAttribute('aria-invalid');
  note('');

  // As an id, . and .. would be a part of the path to the browser.
  if (applied.entity && !/^[^/]+\/(?!\.{1,2}$)./.test(applied.entity))
    refuse({ title: 'The request is not valid.', status: 400, detail: 'An entity is named kind/id, as in user/alice; no id is empty, . or ..', errors: { entity: [] } });
  else listen('');
}

function listen(lastId) {
  show('connecting', 'Connecting…');
  stream = open({ url: address(applied), key: field('key').value, lastId, onMessage, onState });
}

function onState(state, problem) {
  if (state === 'open') show('connecting', 'Catching up…');
  else if (state === 'reconnecting') show('connecting', problem.title ? `Reconnecting… (${problem.title})` : 'Reconnecting…');
  else refuse(problem);
}

function refuse({ title, status, detail, errors }) {
  show('ended', title);
  note(status === 400 ? `${detail} Change the filter and apply again.` : detail);
  for (const name of Object.keys(errors ?? {})) field(name === 'path' ? 'entity' : name)?.setAttribute('aria-invalid', 'true');
  if (status === 410) clear(); // erased while the page was not connected
}

function onMessage({ event, data }) {
  if (event === 'caught-up') {
    show('live', 'Live');
    return;
  }

  if (event === 'resync') {
    const { reason, from } = JSON.parse(data);
    if (from === 1) clear(); // an entity's whole log follows
    note(reason === 'recreated'
      ? 'The entity was erased and created again: this is its new life.'
      : `The log does not go on where this page stood (${reason}), as after a restore: some events may be missing, or shown that are no more.`);
    return;
  }

  if (event === 'erased') {
    stream.close();
    show('ended', 'The entity was erased.');
    clear();
    return;
  }

  received++;
  recent[0] = (recent[0] ?? 0) + 1;
  waiting.push(data);
  if (waiting.length > 2 * ROWS_MAX) waiting = waiting.slice(-ROWS_MAX);
  if (isPaused) held++;
  due();
}

/** What comes is drawn once a frame: thousands of events a second must not be thousands of layouts. */
function due() {
  if (isFrameDue) return;
  isFrameDue = true;
  requestAnimationFrame(draw);
}

function draw() {
  isFrameDue = false;
  $('received').textContent = received.toLocaleString();
  $('held').textContent = held.toLocaleString();
  $('held-text').hidden = held === 0;
  if (isPaused || waiting.length === 0) return;
  const fresh = waiting.slice(-ROWS_MAX);
  waiting = [];
  const list = $('events');
  list.prepend(...fresh.reverse().map(row));
  while (list.childElementCount > ROWS_MAX) list.lastElementChild.remove();
}

/** Everything that came from outside goes in as text, never as markup. */
function element(name, className, text) {
  const e = document.createElement(name);
  e.className = className;
  e.textContent = text;
  return e;
}

/** Numbers keep the digits that were sent, where the browser can: a double has 16 of them. */
function exactText(json) {
  const exact = JSON.parse(json, (_, value, context) =>
    typeof value === 'number' && context?.source && JSON.rawJSON ? JSON.rawJSON(context.source) : value);
  return JSON.stringify(exact.payload);
}

function row(json) {
  const event = JSON.parse(json);
  const entity = event.entity ?? applied.entity;
  const li = document.createElement('li');
  li.className = 'new';
  const time = element('time', '', new Date(event.recordedAt).toLocaleTimeString([], { hourCycle: 'h23', hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 }));
  time.dateTime = event.recordedAt;
  const name = element('button', 'entity', entity);
  name.type = 'button';
  name.title = `Only ${entity}`;
  name.append(element('span', 'seq', ` #${event.seq}`));
  name.addEventListener('click', () => narrow(entity));
  const type = element('span', 'type', event.type);
  if (event.aggregate) type.append(element('span', 'aggregate', ` ${event.aggregate}`));
  let payload = exactText(json);
  if (payload.length > PAYLOAD_CHARS_MAX) payload = `${payload.slice(0, PAYLOAD_CHARS_MAX)}… (${payload.length.toLocaleString()} characters)`;
  li.append(time, name, type, element('span', 'payload', payload));
  return li;
}

function narrow(entity) {
  field('entity').value = entity;
  field('start').value = entity ? 'beginning' : 'now';
  clear();
  connect();
}

function clear() {
  $('events').replaceChildren();
  waiting = [];
  received = 0;
  held = 0;
  due();
}

function pause() {
  isPaused = !isPaused;
  $('pause').setAttribute('aria-pressed', String(isPaused));
  $('pause').textContent = isPaused ? 'Resume' : 'Pause';
  if (!isPaused) held = 0;
  due();
}

/** The filters stand in the address, so that a view can be kept and sent; the key does not. */
function remember(f) {
  const query = new URLSearchParams(Object.entries(f).filter(([name, value]) => value && !(name === 'start' && value === 'now')));
  history.replaceState(null, '', query.size > 0 ? `?${query}` : location.pathname);
}

function recall() {
  for (const [name, value] of new URLSearchParams(location.search))
    if (FILTERS.includes(name)) field(name).value = value;
  if (!field('start').value) field('start').value = 'now';
}

form.addEventListener('submit', e => {
  e.preventDefault();
  clear();
  connect();
});
$('pause').addEventListener('click', pause);
$('clear').addEventListener('click', clear);
$('all').addEventListener('click', () => narrow(''));

// A page that was left may be kept, and its stream would hold one of the six connections that a browser opens to a service.
addEventListener('pagehide', () => stream?.close());
addEventListener('pageshow', e => {
  if (e.persisted && stream) listen(stream.lastId);
});
setInterval(() => {
  // Over the last five seconds.
  $('rate').textContent = Math.round(recent.reduce((sum, n) => sum + (n ?? 0), 0) / 5).toLocaleString();
  recent = [0, ...recent].slice(0, 5);
}, 1000);
$('origin').textContent = location.origin;
recall();
connect();
