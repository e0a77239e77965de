// Shows while one types which rules a password meets. The server checks them all again, and the list of well-known ones.
const form = document.querySelector('[data-password-form]');
const input = form.querySelector('#password');
const rules = [...form.querySelectorAll('[data-rule]')];
const summary = form.querySelector('[data-summary]');
const show = form.querySelector('[data-show]');

const isMet = {
  size: (value) => new TextEncoder().encode(value).length <= Number(input.dataset.maxBytes),
  plain: (value) => !/\p{Cc}/u.test(value),
};

/** True, false, or undefined for what only the server knows. */
function check(rule, value) {
  if (rule.dataset.pattern !== undefined) return new RegExp(rule.dataset.pattern, 'u').test(value);
  return isMet[rule.dataset.rule]?.(value);
}

function update() {
  const missing = [];
  for (const rule of rules) {
    const met = input.value === '' ? undefined : check(rule, input.value);
    rule.classList.toggle('met', met === true);
    rule.classList.toggle('missing', met === false);
    rule.querySelector('[data-state]').textContent = met === undefined ? '' : met ? ' (met)' : ' (missing)';
    if (met === false) missing.push(rule.querySelector('span').firstChild.textContent);
  }
  input.removeAttribute('aria-invalid');
  input.setCustomValidity(missing.length > 0 ? `Still missing: ${missing.join('; ')}` : '');
  summary.textContent =
    input.value === '' ? '' : missing.length === 0 ? 'Nothing is missing.' : `Missing: ${missing.join('; ')}`;
}

input.addEventListener('input', update);
show.hidden = false;
show.addEventListener('click', () => {
  const visible = input.type === 'password';
  input.type = visible ? 'text' : 'password';
  show.textContent = visible ? 'Hide' : 'Show';
  show.setAttribute('aria-pressed', String(visible));
  input.focus();
});
form.addEventListener('submit', () => {
  input.type = 'password';
});
const timeZone = form.querySelector('[data-time-zone]');
if (timeZone !== null) timeZone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? '';
