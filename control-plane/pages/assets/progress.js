// Follows a box being made or changed: what comes over the stream is written into the list that the server rendered.
const list = document.querySelector('[data-progress]');
const announce = document.querySelector('[data-announce]');
const connection = document.querySelector('[data-connection]');
const items = new Map([...list.querySelectorAll('[data-step]')].map((item) => [item.dataset.step, item]));
// Times are the server's; this browser's clock may be wrong.
const clockOffset = Date.parse(list.dataset.now) - Date.now();

function formatDuration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

function showTime(item) {
  const { started, ended, step } = item.dataset;
  if (started === '' || step === 'ready') return;
  const end = ended === '' ? Date.now() + clockOffset : Date.parse(ended);
  item.querySelector('[data-time]').textContent = formatDuration(end - Date.parse(started));
}

function setState(item, state) {
  item.className = state;
  item.querySelector('[data-state]').textContent = `, ${state}`;
  if (state === 'running') item.setAttribute('aria-current', 'step');
  else item.removeAttribute('aria-current');
}

// What the machine tells of its own set-up: a line for each of its steps.
function applyPart(item, { part, message }) {
  const parts = item.querySelector('[data-parts]');
  const found = parts.querySelector(`[data-part="${part.step}"]`);
  const line = found ?? parts.appendChild(document.createElement('li'));
  const state = part.state === 'started' ? 'running' : part.state;
  Object.assign(line.dataset, { part: part.step });
  line.className = state;
  const unseen = Object.assign(document.createElement('span'), { className: 'unseen', textContent: `, ${state}` });
  line.replaceChildren(message, unseen);
  announce.textContent = message;
}

function apply(event) {
  // Another attempt begins: what the last one had done counts no more.
  if (event.step === 'queued' && event.state === 'started') {
    for (const item of items.values()) {
      Object.assign(item.dataset, { started: '', ended: '' });
      setState(item, 'waiting');
      for (const part of item.querySelectorAll('[data-message], [data-time], [data-parts]')) part.textContent = '';
    }
  }
  const item = items.get(event.step);
  if (item === undefined) return;
  const ended = event.state === 'done' || event.state === 'failed';
  if (item.dataset.started === '') item.dataset.started = event.at;
  if (event.part !== undefined) {
    applyPart(item, event);
    if (item.className === 'waiting') setState(item, 'running');
    return;
  }
  item.dataset.ended = ended ? event.at : '';
  setState(item, ended ? event.state : 'running');
  item.querySelector('[data-message]').textContent = event.message;
  showTime(item);
  if (event.state !== 'progress') announce.textContent = `${item.dataset.name}: ${event.message}`;
}

const source = new EventSource(`/api/vps/status?after=${list.dataset.after}`);
source.addEventListener('progress', (message) => apply(JSON.parse(message.data)));
source.addEventListener('status', (message) => {
  const { status, operation, operation_failure } = JSON.parse(message.data);
  if (status === 'pending' || status === 'provisioning' || (operation && !operation_failure)) return;
  source.close();
  // After an operation the server knows where to go on.
  if (status === 'ready' && list.dataset.operation === undefined) location.assign('/setup/ready');
  else location.reload();
});
source.addEventListener('open', () => (connection.textContent = 'This page is kept up to date by itself.'));
source.addEventListener('error', () => {
  connection.textContent = 'The connection was lost. It is being made again by itself; the work goes on.';
  // The browser gives up when it is refused, say after signing out in another tab.
  if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
});
setInterval(() => {
  for (const item of items.values()) if (item.classList.contains('running')) showTime(item);
}, 1000);
